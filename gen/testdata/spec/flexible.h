/* An array without a length is what follows the struct in memory. */
struct entry { unsigned int key; unsigned long long value; };
struct table { unsigned int n; struct entry entries[]; };
struct old { unsigned char n; unsigned char data[0]; };
struct aligning { unsigned int n; unsigned long long words[]; };
struct unaligned { unsigned char n; unsigned int words[]; } __attribute__((packed));
struct choice { unsigned int n; union { struct entry first; struct { struct { } empty; unsigned char bytes[]; }; }; };
struct inside { int a[0]; int b; };
struct nothing { };
struct ends_in_nothing { int a; struct nothing b; };
