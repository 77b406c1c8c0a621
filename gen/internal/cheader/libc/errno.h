#ifndef _ERRNO_H
#define _ERRNO_H 1
#include <features.h>
#include <linux/errno.h>
#endif
