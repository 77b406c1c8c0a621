#ifndef _FEATURES_H
#define _FEATURES_H
/* What glibc says of itself, and what of it is visible by default. */
#define __GLIBC__ 2
#define __GLIBC_MINOR__ 36
#define __USE_MISC 1
#define __USE_POSIX 1
#define __USE_POSIX199309 1
#define __USE_XOPEN2K8 1
#endif
