#ifndef _SYS_TIME_H
#define _SYS_TIME_H 1
#include <bits/time.h>
struct timezone {
	int tz_minuteswest, tz_dsttime;
};
struct itimerval {
	struct timeval it_interval, it_value;
};
#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2
#endif
