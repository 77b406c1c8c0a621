#if defined(__powerpc__) || defined(__mips__)
#define _IOC_SIZEBITS 13
#define _IOC_DIRSHIFT 29
#define _IOC_NONE 1U
#define _IOC_READ 2U
#define _IOC_WRITE 4U
#else
#define _IOC_SIZEBITS 14
#define _IOC_DIRSHIFT 30
#define _IOC_NONE 0U
#define _IOC_READ 2U
#define _IOC_WRITE 1U
#endif
#define _IOC(d, t, n, s) ((d) << _IOC_DIRSHIFT | (s) << 16 | (t) << 8 | (n))
#define _IO(t, n) _IOC(_IOC_NONE, t, n, 0)
#define _IOR(t, n, a) _IOC(_IOC_READ, t, n, sizeof(a))
#define _IOW(t, n, a) _IOC(_IOC_WRITE, t, n, sizeof(a))
#define _IOWR(t, n, a) _IOC(_IOC_READ | _IOC_WRITE, t, n, sizeof(a))
