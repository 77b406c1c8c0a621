#ifndef _SYS_TYPES_H
#define _SYS_TYPES_H 1
#include <features.h>
#include <stddef.h>
#include <endian.h>
#include <bits/time.h>
typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT8_TYPE__ u_int8_t;
typedef __UINT16_TYPE__ u_int16_t;
typedef __UINT32_TYPE__ u_int32_t;
typedef __UINT64_TYPE__ u_int64_t;
typedef unsigned char u_char;
typedef unsigned short u_short, ushort;
typedef unsigned int u_int, uint;
typedef unsigned long u_long, ulong;
typedef __INT64_TYPE__ quad_t;
typedef __UINT64_TYPE__ u_quad_t;
typedef struct {
	int __val[2];
} fsid_t;
typedef long off_t, clock_t, blkcnt_t;
typedef __INT64_TYPE__ loff_t;
typedef unsigned long ino_t, fsblkcnt_t, fsfilcnt_t;
typedef __UINT64_TYPE__ dev_t;
typedef unsigned int uid_t, gid_t, mode_t, id_t, useconds_t;
typedef int pid_t, key_t, clockid_t, daddr_t;
#if defined(__x86_64__) || defined(__s390x__) || defined(__powerpc64__) || defined(__mips64)
typedef unsigned long nlink_t;
#else
typedef unsigned int nlink_t;
#endif
#if defined(__aarch64__) || defined(__riscv) || defined(__loongarch__)
typedef int blksize_t;
#else
typedef long blksize_t;
#endif
typedef __PTRDIFF_TYPE__ ssize_t;
typedef char *caddr_t;
typedef void *timer_t;
#endif
