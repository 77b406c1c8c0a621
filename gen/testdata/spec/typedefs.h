/* Types without a tag are called by their first typedef. */
typedef struct { int a; } plain, again;
typedef union { int a; float b; } number;
typedef enum { ONE = 1, TWO } count;
typedef const struct { int a; } constant;
typedef struct tagged { int a; } tagged_t;
struct user { plain a; number b; const struct tagged c; tagged_t d[2]; const again e; volatile constant f; count g; const plain *h; };
