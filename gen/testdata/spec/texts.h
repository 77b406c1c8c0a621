/* Strings and characters are constants, too. */
#define GREETING "hello"
#define JOINED "a" "b" GREETING
#define ESCAPES "tab\t, quote\", octal\101, hex\x42, null\0."
#define BRACKETS ("in brackets")
#define CHARACTER 'A'
#define ESCAPED '\n'
#define HIGH '\xff'
#define FOUR 'ABCD'
#define LENGTH sizeof(GREETING)
#define TO_TEXT(x) #x
#define MADE TO_TEXT(a-b)
