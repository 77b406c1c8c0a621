/* The members of a struct without a name are those of the one around it. */
struct outer {
	int a;
	struct { int b; union { int c; long long d; }; };
	union { struct { short e, f; }; int g; };
	struct { int h; } named;
	struct { int i; } array[3];
	union { int j; char k[4]; } unions[2];
	union { int only; };
};
