/* An enum is the smallest of int, unsigned int, long that holds it. */
enum positive { P0, P1, P_MAX = 0xffffffff };
enum negative { N1 = -1, N0, N_MAX = 0x7fffffff };
enum long_enum { L0 = 0x100000000LL, L_NEXT };
enum mixed { M1 = -1, M_MAX = 0x80000000U };
enum { WITHOUT_A_NAME = 7 };
typedef enum { ALIAS_A, ALIAS_B } alias;
enum by_size { BY_SIZE = sizeof(enum positive) + 10, BY_CHAR = 'A', BY_OTHER = WITHOUT_A_NAME << 2 };
struct user { enum positive a; enum negative b; enum long_enum c; alias d; enum mixed e[2]; };
