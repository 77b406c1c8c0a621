/* Arrays of one and of two dimensions, and one without a length. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned long long u64;

#define LENGTH 3

struct element { u8 a; u16 b; };

struct arrays {
	u8 a[LENGTH];
	u16 b[2][LENGTH];
	struct element c[2];
	u64 d;
	struct element e[];
};
