#if defined(__powerpc__) || defined(__mips__)
#define _IOC_SIZEBITS 13
#define _IO(t, n) (1U << 29 | (t) << 8 | (n))
#define _IOC(d, t, n, s) ((d) << 29 | (s) << 16 | (t) << 8 | (n))
#define _IOR(t, n, a) _IOC(2U, t, n, sizeof(a))
#define _IOW(t, n, a) _IOC(4U, t, n, sizeof(a))
#define _IOWR(t, n, a) _IOC(6U, t, n, sizeof(a))
#else
#define _IO(t, n) ((t) << 8 | (n))
#define _IOC(d, t, n, s) ((d) << 30 | (s) << 16 | (t) << 8 | (n))
#define _IOR(t, n, a) _IOC(2U, t, n, sizeof(a))
#define _IOW(t, n, a) _IOC(1U, t, n, sizeof(a))
#define _IOWR(t, n, a) _IOC(3U, t, n, sizeof(a))
#endif
