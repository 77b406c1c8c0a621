/* A packed enum is the smallest integer that holds it. */
enum __attribute__((packed)) byte { B0, B255 = 255 };
enum signed_byte { S1 = -1, S127 = 127 } __attribute__((__packed__));
enum __attribute__((packed)) half { H0, H1 = 256 };
struct user { enum byte a; enum signed_byte b; enum half c; };
