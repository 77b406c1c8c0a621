#ifndef _BITS_TIME_H
#define _BITS_TIME_H 1
/* What sys/time.h and sys/types.h have in common. */
#include <features.h>
typedef long time_t, suseconds_t;
#define _STRUCT_TIMESPEC 1
struct timespec {
	time_t tv_sec;
	long tv_nsec;
};
#define __timeval_defined 1
struct timeval {
	time_t tv_sec;
	suseconds_t tv_usec;
};
#define FD_SETSIZE 1024
typedef struct {
	long __fds_bits[FD_SETSIZE / (8 * sizeof(long))];
} fd_set;
#endif
