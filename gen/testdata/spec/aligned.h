/* aligned raises an alignment; bare, to the most that the architecture has. */
struct member { char a; int b __attribute__((aligned(16))); char c; };
struct type { char a; } __attribute__((aligned(8)));
struct holder { char a; struct type b; char c; };
struct most { char a; int b __attribute__((aligned)); };
struct less { char a; long long b __attribute__((aligned(2))); };
struct packed_to { char a; long long b __attribute__((packed, aligned(2))); char c; };
struct both { char a; int b; } __attribute__((packed, aligned(4)));
typedef unsigned long long u64_8 __attribute__((aligned(8)));
typedef unsigned long long u64_2 __attribute__((aligned(2)));
struct by_typedef { char a; u64_8 b; char c; u64_2 d; };
struct packed_typedef { char a; u64_8 b; } __attribute__((packed));
struct expression { char a; char b __attribute__((aligned(2 * sizeof(int)))); };
struct several { char a; char b __attribute__((aligned(2), aligned(8), aligned(4))); };
