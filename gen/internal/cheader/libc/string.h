#ifndef _STRING_H
#define _STRING_H 1
#include <features.h>
#include <stddef.h>
#endif
