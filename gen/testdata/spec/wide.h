/* Integers of 128 bits and long double, where the architecture has them. */
#ifdef __SIZEOF_INT128__
typedef unsigned __int128 u128;
struct words { char a; u128 b; __int128 c[2]; };
#endif
struct floats { float a; double b; char c; long double d; };
