/*
 * Both ends of a page fault, and a handler in C to hold the pager against.
 *
 *	bench touch CPU THREADS PAGES KIND FEATURES MODE [blocking]
 *
 * opens a userfaultfd, sends it over socket 3 with "ADDRESS LENGTH PAGESIZE
 * MEMFD", and for each line "N" on socket 4 has each of THREADS threads touch N
 * of its PAGES pages, one by one, answers with "P50 P99 TOTAL" in nanoseconds
 * (TOTAL is from the first touch to the last), and discards them (MADV_DONTNEED).
 * "scatter N" touches N pages here and there, always the same. CPU -1 is any.
 *
 *	bench serve CPU STRATEGY PAGES
 *
 * receives a userfaultfd over socket 3 and resolves each fault with PAGES pages
 * around it, until the other end of the socket is closed. STRATEGY is blocking,
 * poll or spin (for 20 us, then poll).
 *
 *	bench populate OPERATION
 *
 * for each line "N" on socket 4 has the kernel put N MiB of another process's
 * memory in place, 2 MiB at a time, by copy, zeropage or continue, and answers
 * with the nanoseconds. None of these lives longer than ten minutes.
 *
 * cflags: -pthread -iquote ../../headers
 */
#include "memory.h"
#include <poll.h>

#define DRIVER 4
#define BATCH 64

static long nanoseconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

static void on_cpu(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		DIE("sched_setaffinity");
}

static unsigned char *memory;
static int nthreads, npages;
static long todo, stride = 1;
static unsigned *took;
static pthread_barrier_t before, after;

static void *touch_pages(void *arg)
{
	long thread = (long)arg;

	for (;;) {
		pthread_barrier_wait(&before);
		unsigned char *mine = memory + thread * npages * page_size;
		for (long i = 0; i < todo; i++) {
			long start = nanoseconds();
			*(volatile unsigned char *)(mine + i * stride % npages * page_size);
			took[thread * todo + i] = nanoseconds() - start;
		}
		pthread_barrier_wait(&after);
	}
	return arg;
}

static void touch(int argc, char **argv)
{
	char line[128];
	int memfd, fd;
	size_t size;
	ssize_t n;

	nthreads = atoi(argv[3]);
	npages = atoi(argv[4]);
	size = (size_t)nthreads * npages * page_size;
	memory = map_memory(argv[5], size, &memfd);
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | (argc > 8 ? 0 : O_NONBLOCK));
	struct uffdio_api api = { .api = UFFD_API, .features = strtoull(argv[6], NULL, 0) };
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		DIE("userfaultfd");
	register_memory(fd, memory, size, strtoull(argv[7], NULL, 0));
	snprintf(line, sizeof line, "%#lx %zu %lu %d", (unsigned long)memory, size, page_size, memfd);
	send_descriptor(fd, line);
	took = calloc(nthreads * npages, sizeof *took);
	memset(took, 1, nthreads * npages * sizeof *took);
	pthread_barrier_init(&before, NULL, nthreads + 1);
	pthread_barrier_init(&after, NULL, nthreads + 1);
	for (long i = 0; i < nthreads; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, touch_pages, (void *)i))
			DIE("pthread_create");
	}
	while ((n = read(DRIVER, line, sizeof line - 1)) > 0) {
		line[n] = 0;
		int scatter = !strncmp(line, "scatter ", 8);
		stride = scatter ? 7919 : 1;
		todo = atol(line + (scatter ? 8 : 0));
		if (todo < 1 || todo > npages)
			exit(2);
		long start = nanoseconds();
		pthread_barrier_wait(&before);
		pthread_barrier_wait(&after);
		long total = nanoseconds() - start;
		madvise(memory, size, MADV_DONTNEED);
		long all = todo * nthreads;
		qsort(took, all, sizeof *took, ascending);
		dprintf(DRIVER, "%u %u %ld\n", took[all / 2], took[all * 99 / 100], total);
	}
}

static int receive_descriptor(char *text, size_t size)
{
	struct iovec iov = { text, size - 1 };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf, .msg_controllen = sizeof control.buf,
	};
	int fd;
	ssize_t n = recvmsg(SOCKET, &msg, 0);

	if (n <= 0 || !CMSG_FIRSTHDR(&msg))
		DIE("recvmsg");
	text[n] = 0;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof fd);
	return fd;
}

static void *sleep_on(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void *end_with_socket(void *unused)
{
	char byte;
	while (read(SOCKET, &byte, 1) > 0)
		;
	_exit(0);
	return unused;
}

static void serve(char **argv)
{
	char text[128];
	unsigned long start, size, around = atol(argv[4]) * page_size;
	struct uffd_msg msgs[BATCH];
	int fd = receive_descriptor(text, sizeof text);
	int spins = !strcmp(argv[3], "spin"), polls = spins || !strcmp(argv[3], "poll");
	struct pollfd p = { fd, POLLIN, 0 };
	pthread_t thread;

	if (sscanf(text, "%lx %lu", &start, &size) != 2)
		DIE("no range");
	unsigned char *source = malloc(size);
	memset(source, 1, size);
	/* As programs in Go, and handlers in C, have more threads than one. */
	if (pthread_create(&thread, NULL, sleep_on, NULL) || pthread_create(&thread, NULL, end_with_socket, NULL))
		DIE("pthread_create");
	for (long seen = 0;;) {
		ssize_t n;
		if (polls && !spins)
			poll(&p, 1, -1);
		n = read(fd, msgs, sizeof msgs);
		if (n < 0 && errno == EAGAIN) {
			if (spins && nanoseconds() - seen > 20000)
				poll(&p, 1, -1);
			continue;
		}
		if (n <= 0)
			DIE("read");
		if (spins)
			seen = nanoseconds();
		for (ssize_t i = 0; i < n / (ssize_t)sizeof *msgs; i++) {
			unsigned long at = msgs[i].arg.pagefault.address & ~(around - 1);
			struct uffdio_copy arg = { .dst = at, .src = (uintptr_t)source + (at - start), .len = around };
			if (ioctl(fd, UFFDIO_COPY, &arg)) {
				if (errno == ESRCH)
					return;
				if (errno != EEXIST)
					DIE("UFFDIO_COPY");
				struct uffdio_range wake = { at, around };
				ioctl(fd, UFFDIO_WAKE, &wake);
			}
		}
	}
}

static void populate(char **argv)
{
	const size_t piece = 2 << 20, most = 1ul << 30;
	char line[64];
	int memfd, is_copy = !strcmp(argv[2], "copy"), is_continue = !strcmp(argv[2], "continue");
	unsigned char *to = map_memory(is_continue ? "shmem" : "anonymous", most, &memfd), *from = NULL;
	int fd = open_userfaultfd(is_continue ? UFFD_FEATURE_MINOR_SHMEM : 0);
	int discard[2], discarded[2];
	ssize_t n;

	register_memory(fd, to, most, is_continue ? UFFDIO_REGISTER_MODE_MINOR : UFFDIO_REGISTER_MODE_MISSING);
	if (is_copy || is_continue)
		from = mmap(NULL, most, PROT_READ | PROT_WRITE, is_continue ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, memfd, 0);
	if (from)
		memset(from, 1, most);
	/* The memory is the parent's, and the work the child's. */
	if (pipe(discard) || pipe(discarded))
		DIE("pipe");
	pid_t installer = fork();
	if (installer < 0)
		DIE("fork");
	if (installer) {
		close(DRIVER);
		close(discard[1]);
		close(discarded[0]);
		for (; read(discard[0], line, 1) == 1; write(discarded[1], line, 1))
			madvise(to, most, MADV_DONTNEED);
		exit(0);
	}
	close(discard[0]);
	close(discarded[1]);
	while ((n = read(DRIVER, line, sizeof line - 1)) > 0) {
		line[n] = 0;
		size_t size = atol(line) << 20;
		if (size > most)
			exit(2);
		long start = nanoseconds();
		for (size_t at = 0; at < size; at += piece) {
			struct uffdio_copy copy = { .dst = (uintptr_t)to + at, .src = (uintptr_t)from + at, .len = piece };
			struct uffdio_zeropage zero = { .range = { (uintptr_t)to + at, piece } };
			struct uffdio_continue cont = { .range = { (uintptr_t)to + at, piece } };
			if (is_copy ? ioctl(fd, UFFDIO_COPY, &copy) : is_continue ? ioctl(fd, UFFDIO_CONTINUE, &cont) : ioctl(fd, UFFDIO_ZEROPAGE, &zero))
				DIE("%s", argv[2]);
		}
		long total = nanoseconds() - start;
		if (write(discard[1], line, 1) != 1 || read(discarded[0], line, 1) != 1)
			DIE("discard");
		dprintf(DRIVER, "%ld\n", total);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	alarm(600);
	page_size = sysconf(_SC_PAGESIZE);
	if (!strcmp(argv[1], "populate"))
		populate(argv);
	else if (!strcmp(argv[1], "serve") && argc == 5) {
		on_cpu(atoi(argv[2]));
		serve(argv);
	} else if (!strcmp(argv[1], "touch") && argc >= 8) {
		on_cpu(atoi(argv[2]));
		touch(argc, argv);
	} else
		return 2;
	return 0;
}
