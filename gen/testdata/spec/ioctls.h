/* An ioctl is one by whichever macros it comes. */
#define DRIVER_BASE 'd'
#define DRIVER_IO(nr) _IO(DRIVER_BASE, nr)
#define DRIVER_IOWR(nr, type) _IOWR(DRIVER_BASE, nr, type)
struct packed_arg { char a; long long b; } __attribute__((packed));
typedef struct { int a[3]; } arg_t;
#define NOTHING DRIVER_IO(0x00)
#define EXCHANGE DRIVER_IOWR(0x01, struct packed_arg)
#define READ (_IOR(DRIVER_BASE, 0x02, arg_t))
#define WRITE _IOW('d', 3, unsigned long[2])
#define ALIAS EXCHANGE
#define RAW _IOC(_IOC_READ | _IOC_WRITE, 'd', 5, 100)
#define NO_IOCTL (READ + 1)
#define SIZE_OF _IOC_SIZE(EXCHANGE)
