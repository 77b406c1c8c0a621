/* What the compiler says of itself. */
#define LONG_LONG __SIZEOF_LONG_LONG__
#define MAX __INT_MAX__
#define LONG __SIZEOF_LONG__
#define POINTER __SIZEOF_POINTER__
#define BIG (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
#define GNU __GNUC__
#ifdef __CHAR_UNSIGNED__
#define CHAR_IS_UNSIGNED 1
#endif
typedef __UINT64_TYPE__ u64;
struct s { char a; u64 b; __SIZE_TYPE__ c; __WCHAR_TYPE__ d; };
