/* Headers of the C library are there without one. */
#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>
#include <sys/time.h>
struct s { uint8_t a; int64_t b; size_t c; bool d; struct timeval e; time_t f; };
#define OFFSET offsetof(struct s, e)
#define LIMIT UINT32_MAX
