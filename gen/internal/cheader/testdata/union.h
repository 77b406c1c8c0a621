/* Unions, with names and without, and structs in them. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

union named {
	u8 a[5];
	u32 b;
};

struct holds {
	u8 kind;
	union named n;
	union {
		u64 big;
		struct { u32 lo, hi; } pair;
	} u;
	union { u32 only; } one;
};

struct anonymous {
	u8 kind;
	union {
		u32 word;
		u8 bytes[4];
	};
	struct {
		u8 x;
		u32 y;
	};
};
