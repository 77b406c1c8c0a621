#ifndef _STDARG_H
#define _STDARG_H
typedef __builtin_va_list va_list;
#endif
