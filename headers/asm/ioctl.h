#ifndef _ASM_IOCTL_H
#define _ASM_IOCTL_H

/*
 * An ioctl request is 32 bits: from the lowest, 8 of number, 8 of type, then
 * the size of the argument in bytes, then the direction in which the data
 * goes, as seen from user space. powerpc and mips keep one bit more for the
 * direction.
 */

#if defined(__powerpc__) || defined(__mips__)
#define _IOC_SIZEBITS 13
#define _IOC_NONE 1U
#define _IOC_READ 2U
#define _IOC_WRITE 4U
#else
#define _IOC_SIZEBITS 14
#define _IOC_NONE 0U
#define _IOC_WRITE 1U
#define _IOC_READ 2U
#endif

#define _IOC_NRSHIFT 0
#define _IOC_TYPESHIFT 8
#define _IOC_SIZESHIFT 16
#define _IOC_DIRSHIFT (_IOC_SIZESHIFT + _IOC_SIZEBITS)

#define _IOC(dir, type, nr, size) \
	((dir) << _IOC_DIRSHIFT | (type) << _IOC_TYPESHIFT | (nr) << _IOC_NRSHIFT | (size) << _IOC_SIZESHIFT)

#define _IO(type, nr) _IOC(_IOC_NONE, type, nr, 0)
#define _IOR(type, nr, argument) _IOC(_IOC_READ, type, nr, sizeof(argument))
#define _IOW(type, nr, argument) _IOC(_IOC_WRITE, type, nr, sizeof(argument))
#define _IOWR(type, nr, argument) _IOC(_IOC_READ | _IOC_WRITE, type, nr, sizeof(argument))

#endif
