#ifndef CONSTANTS_H
#define CONSTANTS_H
/* Constants of every shape. */

typedef unsigned long long u64;

#define PLAIN 42
#define HEX 0xAAU
#define OCTAL 0755
#define CHARACTER 'f'
#define NEGATIVE (-1)
#define SMALLEST (-0x7fffffffffffffffLL - 1)
#define LARGEST 0xffffffffffffffffULL
#define CAST ((u64)0xAA)
#define SHIFTED ((u64)1 << 63)
#define SIZE sizeof(struct inside)
#define SUM (PLAIN + HEX)
#define ALIAS SUM
#define _UNDERSCORE 7
#define CONDITION (sizeof(long) == 8 ? 64 : 32)
#define TWO_LINES (1 | \
		   2)
#define STRING "no integer"
#define REAL 1.5
#define FUNCTION(x) ((x) + 1)
#define NOTHING
#define TYPE struct inside

struct inside {
#define INSIDE_FLAG (1 << 3)
	u64 a;
	int b;
};

enum colour {
	RED,
	GREEN = 5,
	BLUE,
	DEEP = -3,
};

enum { UNNAMED = 1 << 20 };
#endif
