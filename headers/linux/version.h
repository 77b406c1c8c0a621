/* The Linux release that this edition of the headers describes. */

#define LINUX_VERSION_CODE 459520 /* 7.3.0: 7 << 16 | 3 << 8 */
