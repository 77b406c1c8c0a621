/* A pointer is a number; the comment tells what it points to. */
struct other;
typedef int (*callback)(struct other *, int);
struct s { void *a; const char *b; struct other *c[2]; int (*d)(int, char *); callback e; int (*f)[3]; char **g; int *(*h[2])(void); };
