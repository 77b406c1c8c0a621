/*
 * Both ends of a page fault, and a handler in C to hold ours against.
 *
 *	faults touch CPU [blocking]
 *
 * opens a userfaultfd, sends it over socket 3 with "ADDRESS PAGES", and for
 * each line "N" on socket 4 touches N of its pages, one by one, answers with
 * "MEDIAN MEAN" of what a touch took, in nanoseconds, and discards them, for
 * ten minutes at most.
 *
 *	faults serve CPU
 *
 * receives a userfaultfd over socket 3 and resolves its faults with a page,
 * until it is killed, or for ten minutes. It waits in read(2) where the
 * descriptor blocks, and in poll(2) where it does not.
 *
 * cflags: -pthread -iquote ../headers
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "linux/userfaultfd.h"
#include "descriptor.h"

#define HANDLER 3
#define DRIVER 4
#define PAGES 256
#define BATCH 16

#define DIE(what) (fprintf(stderr, "faults: %s: %s\n", what, strerror(errno)), exit(1))

static unsigned long page_size;

static void send_descriptor(int fd, const char *text)
{
	if (send_descriptor_over(HANDLER, fd, text))
		DIE("sendmsg");
}

static int receive_descriptor(void)
{
	char text[64];
	struct iovec iov = { text, sizeof text };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof control.buf,
	};
	int fd;

	if (recvmsg(HANDLER, &msg, 0) <= 0 || !CMSG_FIRSTHDR(&msg))
		DIE("recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
	return fd;
}

static long nanoseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return x < y ? -1 : x > y;
}

static void touch(int blocking)
{
	static long took[PAGES];
	char line[64], *memory = mmap(NULL, PAGES * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | (blocking ? 0 : O_NONBLOCK));
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)memory, PAGES * page_size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	ssize_t n;

	madvise(memory, PAGES * page_size, MADV_NOHUGEPAGE);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		DIE("userfaultfd");
	snprintf(line, sizeof line, "%#lx %d", (unsigned long)memory, PAGES);
	send_descriptor(fd, line);
	while ((n = read(DRIVER, line, sizeof line - 1)) > 0) {
		line[n] = 0;
		long count = atol(line), sum = 0;
		if (count < 1 || count > PAGES)
			exit(2);
		for (long i = 0; i < count; i++) {
			long start = nanoseconds();
			*(volatile char *)(memory + i * page_size);
			took[i] = nanoseconds() - start;
			sum += took[i];
		}
		madvise(memory, PAGES * page_size, MADV_DONTNEED);
		qsort(took, count, sizeof *took, ascending);
		dprintf(DRIVER, "%ld %ld\n", took[count / 2], sum / count);
	}
}

static void serve(void)
{
	int fd = receive_descriptor();
	int blocking = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
	char *source = aligned_alloc(page_size, page_size);
	struct uffd_msg msgs[BATCH];

	memset(source, 1, page_size);
	for (;;) {
		ssize_t n = read(fd, msgs, sizeof msgs);
		if (n < 0 && errno == EAGAIN && !blocking) {
			struct pollfd p = { fd, POLLIN, 0 };
			poll(&p, 1, -1);
			continue;
		}
		if (n <= 0)
			DIE("read");
		for (ssize_t i = 0; i < n / (ssize_t)sizeof *msgs; i++) {
			struct uffdio_copy arg = {
				.dst = msgs[i].arg.pagefault.address,
				.src = (uintptr_t)source,
				.len = page_size,
			};
			if (ioctl(fd, UFFDIO_COPY, &arg) && errno != EEXIST && errno != ESRCH)
				DIE("UFFDIO_COPY");
		}
	}
}

static void *sleep_on(void *unused)
{
	for (;;)
		pause();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	cpu_set_t cpu;

	if (argc < 3)
		return 2;
	alarm(600); /* a userfaultfd does not tell that its process is gone */
	page_size = sysconf(_SC_PAGESIZE);
	CPU_ZERO(&cpu);
	CPU_SET(atoi(argv[2]), &cpu);
	if (sched_setaffinity(0, sizeof cpu, &cpu))
		DIE("sched_setaffinity");
	/* As programs in Go, and handlers in C, have more threads than one. */
	if (pthread_create(&thread, NULL, sleep_on, NULL))
		DIE("pthread_create");
	if (!strcmp(argv[1], "serve"))
		serve();
	else if (!strcmp(argv[1], "touch"))
		touch(argc > 3);
	return 0;
}
