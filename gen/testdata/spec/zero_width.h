/* A bit-field without bits ends the word, and on arm and arm64 aligns the struct. */
struct ends { char a; int : 0; char b; };
struct between { unsigned int a : 3; unsigned int : 0; unsigned int b : 3; };
struct packed_end { char a; int : 0; char b; } __attribute__((packed));
struct unnamed { char a; int : 5; char b; };
struct long_end { char a; long long : 0; char b; };
struct first { int : 0; char a; };
