/*
 * What an operation takes in C: the same work as the benchmark in Go that runs
 * this, on memory of the same kind and size, with the same resets.
 *
 *	ioctls OPERATION PAGES UNIT THREADS
 *
 * has PAGES pages of memory and 1 or 2 threads. For each line "N" on socket 3 it does OPERATION N
 * times, on UNIT pages each and never the same twice, answers with the
 * nanoseconds that it took, and puts the memory back as it was.
 *
 * cflags: -pthread -iquote ../headers
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "linux/userfaultfd.h"

#define SOCKET 3

#define DIE(what) (fprintf(stderr, "ioctls: %s: %s\n", what, strerror(errno)), exit(1))

static int fd;
static uintptr_t memory, other; /* registered; the source, or an alias */
static unsigned long size, unit;

/* ROUND defines a function that issues an ioctl n times, on unit bytes each. */
#define ROUND(name, request, type, ...)                                 \
	static void name(long n)                                        \
	{                                                               \
		for (long i = 0; i < n; i++) {                          \
			uintptr_t at = i * unit;                        \
			struct type arg = { __VA_ARGS__ };              \
			if (ioctl(fd, request, &arg))                   \
				DIE(#request);                          \
		}                                                       \
	}

ROUND(copy, UFFDIO_COPY, uffdio_copy, .dst = memory + at, .src = other, .len = unit)
ROUND(zeropage, UFFDIO_ZEROPAGE, uffdio_zeropage, .range = { memory + at, unit })
ROUND(cont, UFFDIO_CONTINUE, uffdio_continue, .range = { memory + at, unit })
ROUND(poison, UFFDIO_POISON, uffdio_poison, .range = { memory + at, unit })
ROUND(wake, UFFDIO_WAKE, uffdio_range, memory + at, unit)
ROUND(writeprotect, UFFDIO_WRITEPROTECT, uffdio_writeprotect, .range = { memory + at, unit }, .mode = UFFDIO_WRITEPROTECT_MODE_WP)
ROUND(rwprotect, UFFDIO_RWPROTECT, uffdio_rwprotect, .range = { memory + at, unit }, .mode = UFFDIO_RWPROTECT_MODE_RWP)
ROUND(move, UFFDIO_MOVE, uffdio_move, .dst = memory + at, .src = other + at, .len = unit)

static void nothing(long n) { (void)n; }

static void discard(long n)
{
	(void)n;
	if (madvise((void *)memory, size, MADV_DONTNEED))
		DIE("madvise");
}

/* Other pages each round: which ones a process happens to have decides how well
 * the caches hold what the kernel keeps of them. */
static void refill(long n)
{
	discard(n);
	memset((void *)memory, 1, size);
}

static void move_back(long n)
{
	struct uffdio_move arg = { .dst = other, .src = memory, .len = n * unit };
	if (ioctl(fd, UFFDIO_MOVE, &arg))
		DIE("UFFDIO_MOVE");
}

static const struct operation {
	const char *name;
	void (*round)(long n), (*reset)(long n);
	unsigned long long features, mode;
	enum { EMPTY, FILLED, SHARED } memory;
} operations[] = {
	{ "copy", copy, discard, 0, UFFDIO_REGISTER_MODE_MISSING, EMPTY },
	{ "zeropage", zeropage, discard, 0, UFFDIO_REGISTER_MODE_MISSING, EMPTY },
	{ "continue", cont, discard, UFFD_FEATURE_MINOR_SHMEM, UFFDIO_REGISTER_MODE_MINOR, SHARED },
	{ "poison", poison, discard, UFFD_FEATURE_POISON, UFFDIO_REGISTER_MODE_MISSING, EMPTY },
	{ "wake", wake, nothing, 0, UFFDIO_REGISTER_MODE_MISSING, EMPTY },
	{ "writeprotect", writeprotect, refill, UFFD_FEATURE_PAGEFAULT_FLAG_WP, UFFDIO_REGISTER_MODE_WP, FILLED },
	{ "rwprotect", rwprotect, refill, UFFD_FEATURE_RWP, UFFDIO_REGISTER_MODE_RWP, FILLED },
	{ "move", move, move_back, UFFD_FEATURE_MOVE, UFFDIO_REGISTER_MODE_MISSING, EMPTY },
};

static uintptr_t map(int flags, int file)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file, 0);
	if (p == MAP_FAILED)
		DIE("mmap");
	madvise(p, size, MADV_NOHUGEPAGE);
	return (uintptr_t)p;
}

static void register_memory(uintptr_t start, unsigned long long mode)
{
	struct uffdio_register arg = { .range = { start, size }, .mode = mode };
	if (ioctl(fd, UFFDIO_REGISTER, &arg))
		DIE("UFFDIO_REGISTER");
}

static void prepare(const struct operation *o)
{
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = o->features };
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		DIE("userfaultfd");
	if (o->memory == SHARED) {
		int file = memfd_create("ioctls", MFD_CLOEXEC);
		if (file < 0 || ftruncate(file, size))
			DIE("memfd_create");
		memory = map(MAP_SHARED, file);
		other = map(MAP_SHARED, file);
	} else {
		memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
		other = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	}
	memset((void *)other, 1, size);
	if (o->memory == FILLED)
		memset((void *)memory, 1, size);
	register_memory(memory, o->mode);
	if (o->round == move)
		register_memory(other, o->mode);
}

static long nanoseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *sleep_on(void *unused)
{
	for (;;)
		pause();
	return unused;
}

int main(int argc, char **argv)
{
	const struct operation *o = operations, *end = o + sizeof operations / sizeof *o;
	pthread_t thread;
	char line[32];
	ssize_t n;

	if (argc != 5)
		return 2;
	alarm(600);
	while (o < end && strcmp(o->name, argv[1]))
		o++;
	if (o == end)
		return 2;
	unit = atol(argv[3]) * sysconf(_SC_PAGESIZE);
	size = atol(argv[2]) * sysconf(_SC_PAGESIZE);
	prepare(o);
	if (atoi(argv[4]) > 1 && pthread_create(&thread, NULL, sleep_on, NULL))
		DIE("pthread_create");
	while ((n = read(SOCKET, line, sizeof line - 1)) > 0) {
		line[n] = 0;
		long count = atol(line);
		if (count * unit > size)
			return 2;
		long start = nanoseconds();
		o->round(count);
		long took = nanoseconds() - start;
		o->reset(count);
		dprintf(SOCKET, "%ld\n", took);
	}
	return 0;
}
