/* A struct without a tag is what its first typedef is, with the alignment of that. */
typedef struct { int x; } behind __attribute__((aligned(16)));
typedef __attribute__((aligned(16))) struct { int x; } before;
typedef struct { int x; } __attribute__((aligned(16))) inside;
typedef struct { int x; } *pointer, second __attribute__((aligned(32)));
struct holder { char a; behind b; char c; before d; char e; second f; inside g[2]; };
