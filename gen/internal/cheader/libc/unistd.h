#ifndef _UNISTD_H
#define _UNISTD_H 1
#include <features.h>
#include <sys/types.h>
typedef unsigned int socklen_t;
#endif
