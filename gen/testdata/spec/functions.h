/* Functions, variables and what is in them are no part of the bindings. */
static inline int twice(int x) { struct local { int a; } l = { x }; return l.a * 2; }
extern int variable[5];
int declared(int (*f)(int), ...) __attribute__((nonnull(1)));
static const int table[] = { 1, 2, [5] = 3 };
#define COUNT (sizeof(variable) / sizeof(variable[0]))
struct s { char a[sizeof(variable)]; };
