/* Names that would be one in Go are told apart, and each is told of. */
#define foo 1
#define Foo 2
struct case_of { int x; int X; int _x; int type; int func; int range; int map; };
struct Case_of { int y; };
struct two_unions { union { int a; float b; } u; union { int a; short c; } v; int b; };
struct accessor { union { int word; char bytes[4]; } data; int Word; unsigned int get : 3; unsigned int set_get : 3; };
struct _hidden { int __a; int a__b; int _1st; };
union data { int Data; int data; };
struct clash { int SetGet; unsigned int get : 3; };
struct hidden { int member; enum inner { INNER } inner; };
#define hidden 1
#define member(x) x
#define inner struct s
