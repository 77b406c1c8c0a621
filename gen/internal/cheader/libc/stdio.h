#ifndef _STDIO_H
#define _STDIO_H 1
#include <features.h>
#include <stddef.h>
typedef struct _IO_FILE FILE;
#endif
