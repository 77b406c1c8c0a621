/* Alignment asked for on types and members. */

typedef unsigned char u8;
typedef unsigned long long u64;
typedef u64 __attribute__((aligned(8))) aligned_u64;

struct typedefed {
	u8 a;
	aligned_u64 b;
};

struct members {
	u8 a;
	u8 b __attribute__((aligned(16)));
	u8 c;
};

struct whole {
	u8 a;
} __attribute__((aligned(32)));

struct natural {
	u8 a;
	u64 b;
	u8 c;
	double d;
	void *e;
	long f;
};
