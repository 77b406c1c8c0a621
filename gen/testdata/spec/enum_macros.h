/* An enumerator that a macro of its own name stands for is one constant. */
enum socket { SOCKET_A = 1,
#define SOCKET_A SOCKET_A
	SOCKET_B = 2,
#define SOCKET_B SOCKET_B
};
enum hidden { HIDDEN = 1 };
#define HIDDEN 5
#define ALIAS SOCKET_B
