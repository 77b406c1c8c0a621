/* #pragma pack limits alignments from here on, and is a stack. */
#pragma pack(2)
struct two { char a; long long b; int c __attribute__((aligned(8))); };
#pragma pack(push, 1)
struct one { char a; long long b; int c : 7; int d : 30; };
#pragma pack(push)
#pragma pack(4)
struct four { char a; long long b; };
#pragma pack(pop)
struct one_again { char a; int b; };
#pragma pack(pop)
struct two_again { char a; int b; };
#pragma pack()
struct none { char a; int b; };
#pragma pack(push, label, 1)
#pragma pack(push, 2)
#pragma pack(pop, label)
struct none_again { char a; int b; };
