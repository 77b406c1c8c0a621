/*
 * Dirty tracking in C: what a scan takes that finds the pages written since
 * the last one, and protects them again.
 *
 *	scan PAGES STRIDE REGIONS
 *
 * has PAGES pages in asynchronous write-protect mode. For each line "N" on
 * socket 3 it writes to every STRIDE-th page (none if 0) and then scans all of
 * them, REGIONS regions a call at most, N times, and answers with the
 * nanoseconds that the scans took.
 *
 * cflags: -pthread -iquote ../../headers
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
#include "linux/fs.h"

#define SOCKET 3

#define DIE(what) (fprintf(stderr, "scan: %s: %s\n", what, strerror(errno)), exit(1))

static unsigned long pages, stride, regions, page_size, size;
static char *memory;
static int pagemap;

static void track(void)
{
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC };

	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		DIE("mmap");
	madvise(memory, size, MADV_NOHUGEPAGE);
	memset(memory, 1, size);
	struct uffdio_register reg = { .range = { (uintptr_t)memory, size }, .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect wp = { .range = { (uintptr_t)memory, size }, .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg) || ioctl(fd, UFFDIO_WRITEPROTECT, &wp))
		DIE("userfaultfd");
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		DIE("/proc/self/pagemap");
}

/* Returns how many pages were written. */
static unsigned long scan(struct page_region *found)
{
	unsigned long written = 0;
	struct pm_scan_arg arg = {
		.size = sizeof arg,
		.flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC,
		.start = (uintptr_t)memory,
		.end = (uintptr_t)memory + size,
		.vec = (uintptr_t)found,
		.vec_len = regions,
		.category_mask = PAGE_IS_WRITTEN,
		.return_mask = PAGE_IS_WRITTEN,
	};

	while (arg.start < arg.end) {
		int n = ioctl(pagemap, PAGEMAP_SCAN, &arg);
		if (n < 0)
			DIE("PAGEMAP_SCAN");
		for (int i = 0; i < n; i++)
			written += (found[i].end - found[i].start) / page_size;
		arg.start = arg.walk_end;
	}
	return written;
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
	pthread_t thread;
	char line[32];
	ssize_t n;

	if (argc != 4)
		return 2;
	alarm(600);
	page_size = sysconf(_SC_PAGESIZE);
	pages = atol(argv[1]);
	stride = atol(argv[2]);
	regions = atol(argv[3]);
	size = pages * page_size;
	struct page_region *found = calloc(regions, sizeof *found);
	track();
	/* As programs in Go, this one has more threads than one. */
	if (pthread_create(&thread, NULL, sleep_on, NULL))
		DIE("pthread_create");
	while ((n = read(SOCKET, line, sizeof line - 1)) > 0) {
		line[n] = 0;
		long took = 0;
		for (long count = atol(line); count > 0; count--) {
			unsigned long want = 0;
			for (unsigned long i = 0; stride && i < pages; i += stride, want++)
				memory[i * page_size]++;
			long start = nanoseconds();
			unsigned long written = scan(found);
			took += nanoseconds() - start;
			if (written != want)
				return 3;
		}
		dprintf(SOCKET, "%ld\n", took);
	}
	return 0;
}
