/* A name has what letters C and gcc allow; Go has no $. */
#define $DOLLAR 1
#define A$B 2
#define A_B 3
#define été 4
#define 名 5
struct $s { int $a, é, 姓; };
struct s$ { int a$b, a_b; };
struct ünter { int x; };
