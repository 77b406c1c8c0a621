/* GNU's named variable arguments, and the comma that goes away. */
#define FIRST(a, rest...) a
#define SUM(a, args...) (a + ADD(args))
#define ADD(...) FIRST(__VA_ARGS__)
#define COMMA(a, ...) PICK(a, ##__VA_ARGS__)
#define PICK(a...) sizeof((char[]){a})
#define ONE FIRST(1, 2, 3)
#define THREE SUM(1, 2)
#define PASTED(x) PREFIX_ ## x
#define PREFIX_A 11
#define GLUED PASTED(A)
