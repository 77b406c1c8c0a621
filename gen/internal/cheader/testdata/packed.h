/* Packed structs, and packed members. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

/* packed is 9 bytes, with b at 1. */
struct packed {
	u8 a;
	u64 b;
} __attribute__((packed));

/* before has its attribute before the tag. */
struct __attribute__((packed)) before {
	u8 a;
	u32 b;
	u16 c;
};

/* member has one member packed. */
struct member {
	u8 a;
	u32 b __attribute__((packed));
	u32 c;
};

struct outer {
	u8 a;
	struct packed p;
	u32 b;
};

struct raised {
	u8 a;
	u64 b;
} __attribute__((packed, aligned(4)));

struct packed_outer {
	u8 a;
	struct { u8 x; u64 y; } natural;
	union { u8 x; u32 y; } u;
} __attribute__((packed));
