/* A macro that names itself is not expanded again. */
#define LOOP LOOP
#define PING PONG
#define PONG PING
enum e { REAL = 4 };
#define REAL REAL
#define REAL_TWICE (REAL * 2)
