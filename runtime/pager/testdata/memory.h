/*
 * What the served processes share: memory of a kind, its registration, the
 * sending of the userfaultfd, and what a page may hold.
 *
 * A page of the source's byte offset o holds, in its 8-byte word k,
 * (o / 8 + k + 1) * MULTIPLIER. A page that a process writes holds the same of
 * an offset that no source reaches.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "linux/userfaultfd.h"
#include "../../testdata/descriptor.h"

#ifndef MADV_REMOVE
#define MADV_REMOVE 9
#endif

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4
#endif

#define SOCKET 3
#define MULTIPLIER 0x9e3779b97f4a7c15ull

/* What page_holds returns beside an offset in the source. */
#define ZEROS (-1ll)
#define SIGBUS_RAISED (-2ll)
#define CORRUPT (-3ll)

#define DIE(...) (fprintf(stderr, "%s: ", __FILE__), fprintf(stderr, __VA_ARGS__), fprintf(stderr, ": %s\n", strerror(errno)), _exit(1))

static unsigned long page_size; /* of the memory */
static int is_shared, is_huge;

static __thread sigjmp_buf *bus_escape;

static void on_bus(int signal, siginfo_t *info, void *context)
{
	(void)context;
	if (bus_escape)
		siglongjmp(*bus_escape, 1);
	fprintf(stderr, "signal %d at %p\n", signal, info->si_addr);
	_exit(3);
}

static void catch_bus(void)
{
	struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

/* Reads all of a page. */
static long long page_holds(const volatile unsigned char *page)
{
	sigjmp_buf escape, *outer = bus_escape;
	long long holds;

	bus_escape = &escape;
	if (sigsetjmp(escape, 0)) {
		holds = SIGBUS_RAISED;
	} else {
		const volatile uint64_t *words = (const volatile uint64_t *)page;
		/* The inverse of MULTIPLIER, by Newton's iteration. */
		uint64_t inverse = MULTIPLIER, first = words[0];
		for (int i = 0; i < 6; i++)
			inverse *= 2 - MULTIPLIER * inverse;
		holds = first ? (long long)((first * inverse - 1) * 8) : ZEROS;
		for (unsigned long k = 0; k < page_size / 8; k++) {
			uint64_t want = first ? first + k * MULTIPLIER : 0;
			if (words[k] != want) {
				holds = CORRUPT;
				break;
			}
		}
	}
	bus_escape = outer;
	return holds;
}

/* Writes a page that looks like the source's of that offset. */
static int write_page(volatile unsigned char *page, unsigned long long offset)
{
	sigjmp_buf escape, *outer = bus_escape;
	int ok = 0;

	bus_escape = &escape;
	if (!sigsetjmp(escape, 0)) {
		volatile uint64_t *words = (volatile uint64_t *)page;
		for (unsigned long k = 0; k < page_size / 8; k++)
			words[k] = (offset / 8 + k + 1) * MULTIPLIER;
		ok = 1;
	}
	bus_escape = outer;
	return ok;
}

/* Maps size bytes of a kind of memory. */
static unsigned char *map_memory(const char *kind, size_t size, int *memfd)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	unsigned char *memory;

	*memfd = -1;
	if (!strcmp(kind, "shmem")) {
		*memfd = memfd_create("served", MFD_CLOEXEC);
		if (*memfd < 0 || ftruncate(*memfd, size))
			DIE("memfd");
		flags = MAP_SHARED;
		is_shared = 1;
	} else if (!strcmp(kind, "hugetlb-shared")) {
		*memfd = memfd_create("served", MFD_CLOEXEC | MFD_HUGETLB);
		if (*memfd < 0 || ftruncate(*memfd, size))
			DIE("memfd of huge pages");
		flags = MAP_SHARED | MAP_NORESERVE;
		is_shared = is_huge = 1;
	} else if (!strcmp(kind, "hugetlb")) {
		/* The kernel loses the reservations of huge pages that are moved. */
		flags |= MAP_HUGETLB | MAP_NORESERVE;
		is_huge = 1;
	} else if (strcmp(kind, "anonymous")) {
		DIE("no memory of kind %s", kind);
	}
	/* Where a huge page could begin, so that it is known what is aligned. */
	memory = NULL;
	if (!is_huge) {
		memory = mmap(NULL, size + (4 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		memory = (unsigned char *)(((uintptr_t)memory + (2 << 20)) & ~((2ul << 20) - 1));
		flags |= MAP_FIXED;
	}
	memory = mmap(memory, size, PROT_READ | PROT_WRITE, flags, *memfd, 0);
	if (memory == MAP_FAILED)
		DIE("mmap of %zu bytes of %s", size, kind);
	if (!is_huge)
		madvise(memory, size, MADV_NOHUGEPAGE);
	return memory;
}

static unsigned long huge_page_size(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "Hugepagesize: %lu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib << 10;
}

static int open_userfaultfd(unsigned long long features)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	if (fd < 0)
		DIE("userfaultfd");
	if (ioctl(fd, UFFDIO_API, &api))
		DIE("UFFDIO_API");
	return fd;
}

static void register_memory(int fd, void *memory, size_t size, unsigned long long mode)
{
	struct uffdio_register reg = { .range = { (uintptr_t)memory, size }, .mode = mode };

	if (ioctl(fd, UFFDIO_REGISTER, &reg))
		DIE("UFFDIO_REGISTER");
}

/* Sends a descriptor, and text beside it. */
static void send_descriptor(int fd, const char *text)
{
	if (send_descriptor_over(SOCKET, fd, text))
		DIE("sendmsg");
}
