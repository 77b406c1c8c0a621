/* C11's _Alignas takes a number or a type. */
struct number { char a; _Alignas(16) char b; };
struct type { char a; _Alignas(double) char b; _Alignas(0) char c; };
#define ALIGN_LONG_LONG _Alignof(long long)
#define ALIGN_GNU __alignof__(long long)
