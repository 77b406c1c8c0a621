/* Values have C's types, and gcc's. */
#define UNSIGNED_LONG (-1UL)
#define ALL_ONES (~0U)
#define ALL_ONES_LL (~0ULL)
#define MIN_INT (-2147483647 - 1)
#define SHIFT_TO_SIGN (1 << 31)
#define COMPARES_UNSIGNED (-1 < 0U)
#define COMPARES_LONG (-1L < 0U)
#define TERNARY (1 ? -1 : 0U)
#define OCTAL 0777
#define BINARY 0b101
#define HEX_UNSIGNED 0xffffffff
#define DECIMAL_LONG 4294967296
#define CAST ((unsigned char)300)
#define CAST_SIGNED ((signed char)200)
#define CAST_CHAR ((char)200)
#define CAST_BOOL ((_Bool)2)
#define LOGIC (1 && 0 || !0)
#define REMAINDER (-7 % 3)
#define QUOTIENT (-7 / 2)
#define RIGHT (-8 >> 1)
struct s { char a; long long b; struct { int c[4]; } d; };
#define OFFSET __builtin_offsetof(struct s, d.c[2])
#define OFFSET_OLD ((unsigned long)&((struct s *)0)->b)
#define SIZE_MEMBER sizeof(((struct s *)0)->d.c)
#define COUNT (sizeof(((struct s *)0)->d.c) / sizeof(((struct s *)0)->d.c[0]))
#define CHOSEN __builtin_choose_expr(1, 10, unknown)
#define IS_CONSTANT __builtin_constant_p(1)
#define SWAPPED __builtin_bswap32(0x01020304)
_Static_assert(sizeof(struct s) > 0, "a struct has a size");
struct by_values { int a[COUNT + 1]; char b[OFFSET > 4 ? 2 : 3]; };
