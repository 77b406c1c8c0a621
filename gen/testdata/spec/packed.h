/* Packing undoes what types ask for, wherever C lets it stand. */
struct whole { char a; long long b; } __attribute__((packed));
struct __attribute__((__packed__)) before { char a; short b; int c; };
struct one { char a; int b __attribute__((packed)); int c; };
struct each { char a; __attribute__((packed)) int b, c; char d; int e; };
struct second { char a; int b, c __attribute__((packed)), d; };
struct typed { char a; struct whole b[2]; short c; };
typedef struct { char a; int b; } __attribute__((packed)) typedef_packed;
typedef struct { char a; int b; } not_packed __attribute__((packed)); /* gcc ignores it there */
struct third { char a; int b __attribute__((unused, packed, deprecated)); };
#define SIZES (sizeof(struct whole) * 1000000 + sizeof(struct typed) * 1000 + sizeof(not_packed))
