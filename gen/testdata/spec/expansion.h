/* Macros are expanded as the standard and gcc say. */
#define CAT_(a, b) a ## b
#define CAT(a, b) CAT_(a, b)
#define TEN 10
#define PASTED CAT(0x, TEN)
#define NOT_EXPANDED CAT_(TE, N)
#define FIRST(a, ...) a
#define REST(a, ...) FIRST(__VA_ARGS__, 0)
#define SECOND REST(1, 2, 3)
#define COMMA(a, rest...) FIRST(a, ## rest)
#define ALONE COMMA(4)
#define NOTHING() 5
#define CALLED NOTHING()
#define NAMED NOTHING
#define AGAIN NAMED()
#define LATER (DEFINED_LATER + 1)
#define DEFINED_LATER 6
#define WRONG FIRST
#define TOO_MANY NOTHING(1)
#define LOOP_A LOOP_B
#define LOOP_B LOOP_A
#if defined(TEN) && CAT(T, EN) == 10 && !defined ELEVEN
#define CONDITION 7
#elif 1 / 0
#error not reached
#else
#define CONDITION 8
#endif
#ifdef __has_include
#if __has_include(<linux/types.h>) && !__has_include("absent.h")
#define HAS 9
#endif
#endif
struct made {
	int CAT(first, _), CAT(second, _);
	char lines[FIRST(__LINE__,
		0)];
};
/* With members that come as an argument. */
#define GROUP(tag, name, members...) union { struct { members }; struct tag { members } name; }
struct grouped { int before; GROUP(group, both, unsigned char kind; unsigned short length;); };
