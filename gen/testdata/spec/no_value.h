/* What has no value is left out, with the reason. */
#ifndef _NO_VALUE_H
#define _NO_VALUE_H
#define EMPTY
#define TYPE struct s
#define TYPE_POINTER unsigned int *
#define CALL(x) ((x) + 1)
#define FLOATING 1.5
#define POINTER ((void *)0)
#define STATEMENT do { } while (0)
#define UNKNOWN some_function(1)
#define DIVIDED (1 / 0)
#define SHIFTED (1 << 32)
#define LIST { 1, 2 }
#define ATTRIBUTE __attribute__((packed))
#define VARIABLE variable
#define OPEN (1
#define CAST ((struct s)0)
#define VALUE CALL(1)
#define FOLDED (0 && unknown_name)
#define VARIES __LINE__
#define VARIES_TOO (VARIES + __COUNTER__)
#if defined(__has_attribute) && __has_attribute(packed)
#define HAS_PACKED 1
#endif
extern int variable;
#endif
