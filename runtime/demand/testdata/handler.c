/*
 * A file as memory, paged by a thread of the same process: what a C program
 * does in place of package demand.
 *
 *	handler FILE CHUNK STEP
 *
 * maps as many bytes as the file has. For each line "N" on socket 3 it touches
 * a byte of each of N chunks that are not there, STEP chunks apart and around
 * the end, and answers with the nanoseconds that took. Another thread reads
 * each chunk of the file (pread) and puts it in place (UFFDIO_COPY). Then it
 * discards all.
 *
 * cflags: -pthread -iquote ../../headers
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "linux/userfaultfd.h"

#define SOCKET 3

#define DIE(what) (fprintf(stderr, "handler: %s: %s\n", what, strerror(errno)), exit(1))

static int fd, file;
static uintptr_t memory;
static unsigned long size, chunk;

static void *serve(void *unused)
{
	struct uffd_msg msg;
	char *buf = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buf == MAP_FAILED)
		DIE("mmap");
	while (read(fd, &msg, sizeof msg) == sizeof msg) {
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			continue;
		unsigned long at = (msg.arg.pagefault.address - memory) & ~(chunk - 1);
		if (pread(file, buf, chunk, at) != (ssize_t)chunk)
			DIE("pread");
		struct uffdio_copy arg = { .dst = memory + at, .src = (uintptr_t)buf, .len = chunk };
		if (ioctl(fd, UFFDIO_COPY, &arg) && errno != EEXIST)
			DIE("UFFDIO_COPY");
	}
	return unused;
}

static long nanoseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct stat st;
	pthread_t thread;
	char line[32];
	ssize_t n;

	if (argc != 4 || (file = open(argv[1], O_RDONLY)) < 0 || fstat(file, &st))
		DIE("open");
	alarm(600);
	size = st.st_size;
	chunk = atol(argv[2]);
	unsigned long step = atol(argv[3]) * chunk;
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	struct uffdio_api api = { .api = UFFD_API };
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		DIE("userfaultfd");
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		DIE("mmap");
	memory = (uintptr_t)p;
	struct uffdio_register reg = { .range = { memory, size }, .mode = UFFDIO_REGISTER_MODE_MISSING };
	if (ioctl(fd, UFFDIO_REGISTER, &reg))
		DIE("UFFDIO_REGISTER");
	if (pthread_create(&thread, NULL, serve, NULL))
		DIE("pthread_create");
	while ((n = read(SOCKET, line, sizeof line - 1)) > 0) {
		line[n] = 0;
		unsigned long at = 0;
		long start = nanoseconds();
		for (long i = atol(line); i > 0; i--) {
			*(volatile char *)(memory + at);
			at = (at + step) % size;
		}
		long took = nanoseconds() - start;
		if (madvise(p, size, MADV_DONTNEED))
			DIE("madvise");
		dprintf(SOCKET, "%ld\n", took);
	}
	return 0;
}
