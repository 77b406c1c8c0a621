/* Ioctls of every direction. */

#include <linux/ioctl.h>

struct argument { int a, b; };

#define MAGIC 'x'
#define IOC_NONE _IO(MAGIC, 1)
#define IOC_READ _IOR(MAGIC, 2, struct argument)
#define IOC_WRITE _IOW(MAGIC, 3, int)
#define IOC_BOTH _IOWR(MAGIC, 4, struct argument)
#define IOC_SAME IOC_BOTH
#define IOC_ARRAY _IOR(MAGIC, 5, char[256])
