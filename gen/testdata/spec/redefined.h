/* What counts is what a macro means at the end of the header. */
#define LAST 1
#undef LAST
#define LAST 2
#define GONE 1
#undef GONE
#define USES_LATER (LATER + 1)
#define LATER 10
#undef LATER
#define LATER 20
#if 0
#define NEVER 1
#endif
#define SAME 3
#define SAME 3
