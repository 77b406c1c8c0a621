/* Arrays of arrays, of structs and of expressions. */
#define ROWS 3
enum { COLUMNS = 4 };
struct cell { short a; char b; };
struct s { int a[ROWS][COLUMNS]; struct cell b[2][COLUMNS - 1]; char c[sizeof(struct cell) * ROWS]; char d['z' - 'a']; int e[2], f, g[1]; };
typedef int vector[4];
struct t { vector a; vector b[2]; };
