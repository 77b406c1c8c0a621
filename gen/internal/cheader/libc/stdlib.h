#ifndef _STDLIB_H
#define _STDLIB_H 1
#include <features.h>
#include <stddef.h>
#include <sys/types.h>
#endif
