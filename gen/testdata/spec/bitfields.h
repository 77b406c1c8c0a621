/* Bit-fields share words, from the low end or from the high one. */
struct flags { unsigned int a : 1, b : 3; unsigned int c : 12; unsigned int : 4; unsigned int d : 12; };
struct across { unsigned short a : 10; unsigned short b : 10; unsigned int c : 20; };
struct wide { unsigned long long a : 33; unsigned long long b : 31; long long c : 40; };
struct negative { int a : 3; int b : 5; signed char c : 2; };
struct boolean { _Bool a : 1; unsigned char b : 7; };
enum color { RED, GREEN, BLUE };
struct enumerated { enum color a : 2; enum color b : 6; };
struct mixed { char a; int b : 4; char c; int d : 24; char e; };
struct packed_bits { char a; unsigned int b : 30; unsigned int c : 10; } __attribute__((packed));
union overlay { unsigned int word; unsigned int low : 4; struct { unsigned char a : 4, b : 4; } nibbles; };
struct aligned_bits { char a; int b : 3 __attribute__((aligned(8))); int c : 3; };
