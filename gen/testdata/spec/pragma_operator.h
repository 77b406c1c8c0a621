/* _Pragma says what #pragma says, from inside macros. */
#define BEGIN _Pragma("pack(push, 1)")
#define END _Pragma("pack(pop)")
BEGIN
struct packed { char a; int b; };
END
struct natural { char a; int b; };
