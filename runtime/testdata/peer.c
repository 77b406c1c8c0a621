/*
 * The other side of a userfaultfd that is handed over, on the kernel's own
 * header: what this package is held against knows nothing of it.
 *
 *	peer open MODE FDS PAYLOAD   opens and registers, sends the descriptor
 *	                             over socket 3, touches, checks what it reads
 *	peer hang MODE               the same, but touches a page and waits to die
 *	peer serve N                 receives a descriptor, resolves N pages of it
 *	peer take                    receives a descriptor and a fault, and dies
 *	peer bare                    sends a message without a descriptor
 *
 * MODE is "blocking" or "nonblocking", FDS how many descriptors the message
 * carries, PAYLOAD how many bytes. Every run ends within ten seconds.
 *
 * cflags: -pthread
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#define SOCKET 3
#define PAGES 8
#define MAX_FDS 8
#define MAX_PAYLOAD 65536

#define DIE(...) (fprintf(stderr, "peer: " __VA_ARGS__), fprintf(stderr, " (errno %d)\n", errno), exit(1))

static unsigned long page_size;

/* The byte that page i has at offset j; odd pages are the kernel's zeros. */
static unsigned char pattern(unsigned long i, unsigned long j)
{
	return i % 2 ? 0 : (unsigned char)(i * 31 + j * 7 + j / 256 + 5);
}

static void send_message(const char *text, size_t length, const int *fds, int nfds)
{
	struct iovec iov = { (void *)text, length };
	union {
		char buf[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&control, 0, sizeof control);
	if (nfds) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	if (sendmsg(SOCKET, &msg, MSG_NOSIGNAL) != (ssize_t)length)
		DIE("sendmsg");
}

/* Receives one descriptor and the first bytes of a message, as a string. */
static int receive_message(char *text, size_t size, ssize_t *n)
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

	*n = recvmsg(SOCKET, &msg, MSG_CMSG_CLOEXEC);
	if (*n <= 0)
		DIE("recvmsg: %zd bytes", *n);
	text[*n] = 0;
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)) || msg.msg_flags & MSG_CTRUNC)
		DIE("the message brought not one descriptor");
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

static int open_userfaultfd(const char *mode, char **memory)
{
	int flags = O_CLOEXEC | (strcmp(mode, "blocking") ? O_NONBLOCK : 0);
	int fd = syscall(SYS_userfaultfd, flags);
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_THREAD_ID };

	if (fd < 0)
		DIE("userfaultfd");
	if (ioctl(fd, UFFDIO_API, &api))
		DIE("UFFDIO_API");
	*memory = mmap(NULL, PAGES * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (*memory == MAP_FAILED)
		DIE("mmap");
	madvise(*memory, PAGES * page_size, MADV_NOHUGEPAGE);
	struct uffdio_register reg = {
		.range = { (uintptr_t)*memory, PAGES * page_size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	if (ioctl(fd, UFFDIO_REGISTER, &reg))
		DIE("UFFDIO_REGISTER");
	return fd;
}

/* Says where the memory is and who will touch it, in a message of size bytes. */
static void describe(char *text, size_t size, const char *memory)
{
	memset(text, '.', size);
	int n = snprintf(text, size, "%#lx %lu %ld ", (unsigned long)memory, PAGES * page_size, (long)syscall(SYS_gettid));

	if (n < 0 || (size_t)n >= size)
		DIE("a payload of %zu bytes is too short", size);
	text[n] = '.';
}

/* Fails unless the other side has closed its copy of the pipe's end. */
static void check_closed(int read_end)
{
	struct pollfd p = { read_end, POLLIN, 0 };
	char byte;

	if (poll(&p, 1, 5000) != 1 || read(read_end, &byte, 1) != 0)
		DIE("a descriptor that came beside the userfaultfd was not closed");
}

static void open_and_touch(const char *mode, int nfds, size_t payload)
{
	static char text[MAX_PAYLOAD];
	int fds[MAX_FDS], ends[2];
	char *memory;

	if (nfds < 1 || nfds > MAX_FDS || payload > MAX_PAYLOAD)
		DIE("bad arguments");
	if (pipe2(ends, O_CLOEXEC))
		DIE("pipe2");
	for (int i = 0; i < nfds; i++)
		fds[i] = ends[1];
	/* The userfaultfd comes in the midst of the others. */
	fds[nfds / 2] = open_userfaultfd(mode, &memory);
	describe(text, payload, memory);
	send_message(text, payload, fds, nfds);
	close(fds[nfds / 2]); /* the receiver has the last one */
	close(ends[1]);
	for (unsigned long i = 0; i < PAGES; i++) {
		volatile unsigned char *page = (unsigned char *)memory + i * page_size;
		/* Two pages read and two written, in turn: a store is a write
		 * fault, and stays when the page comes. */
		unsigned long stored = i / 2 % 2 ? page_size - 1 : page_size;
		if (stored < page_size)
			page[stored] = 0xee;
		for (unsigned long j = 0; j < page_size; j++) {
			unsigned char want = j == stored ? 0xee : pattern(i, j);
			if (page[j] != want)
				DIE("page %lu, byte %lu is %#x, want %#x", i, j, page[j], want);
		}
	}
	check_closed(ends[0]);
}

static void open_and_hang(const char *mode)
{
	char text[64], *memory;
	int fd = open_userfaultfd(mode, &memory);

	describe(text, sizeof text, memory);
	send_message(text, sizeof text, &fd, 1);
	*(volatile char *)memory;
	DIE("the touch came back");
}

/* Waits for a fault, whether the descriptor blocks or not. */
static unsigned long next_fault(int fd)
{
	for (;;) {
		struct uffd_msg msg;
		ssize_t n = read(fd, &msg, sizeof msg);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { fd, POLLIN, 0 };
			if (poll(&p, 1, -1) < 0)
				DIE("poll");
			continue;
		}
		if (n != sizeof msg)
			DIE("read: %zd bytes", n);
		if (msg.event != UFFD_EVENT_PAGEFAULT)
			DIE("event %#x", msg.event);
		return msg.arg.pagefault.address;
	}
}

static void serve(int n)
{
	static char text[MAX_PAYLOAD];
	unsigned long start, length;
	ssize_t payload, came;
	int fd = receive_message(text, sizeof text, &came);
	unsigned char *source = malloc(page_size);

	if (sscanf(text, "%lx %lu %zd", &start, &length, &payload) != 3)
		DIE("cannot read the message %.40s", text);
	while (came < payload) {
		ssize_t more = read(SOCKET, text, sizeof text);
		if (more <= 0)
			DIE("%zd of %zd bytes came", came, payload);
		came += more;
	}
	if (came > payload)
		DIE("%zd bytes came, want %zd", came, payload);
	while (n > 0) {
		unsigned long address = next_fault(fd) & ~(page_size - 1), i = (address - start) / page_size;
		int failed;

		if (address - start >= length)
			DIE("a fault at %#lx, outside the range", address);
		if (i % 2) {
			struct uffdio_zeropage arg = { .range = { address, page_size } };
			failed = ioctl(fd, UFFDIO_ZEROPAGE, &arg);
		} else {
			for (unsigned long j = 0; j < page_size; j++)
				source[j] = pattern(i, j);
			struct uffdio_copy arg = { .dst = address, .src = (uintptr_t)source, .len = page_size };
			failed = ioctl(fd, UFFDIO_COPY, &arg);
		}
		if (!failed) {
			n--;
			continue;
		}
		if (errno != EEXIST) /* a signal made the thread fault twice */
			DIE("resolving page %lu", i);
		struct uffdio_range wake = { address, page_size };
		if (ioctl(fd, UFFDIO_WAKE, &wake))
			DIE("UFFDIO_WAKE");
	}
}

int main(int argc, char **argv)
{
	char text[64];
	ssize_t n;
	const char *role = argc > 1 ? argv[1] : "";

	alarm(10);
	page_size = sysconf(_SC_PAGESIZE);
	if (!strcmp(role, "open") && argc == 5)
		open_and_touch(argv[2], atoi(argv[3]), atoi(argv[4]));
	else if (!strcmp(role, "hang") && argc == 3)
		open_and_hang(argv[2]);
	else if (!strcmp(role, "serve") && argc == 3)
		serve(atoi(argv[2]));
	else if (!strcmp(role, "take"))
		next_fault(receive_message(text, sizeof text, &n));
	else if (!strcmp(role, "bare"))
		send_message("no descriptor", 13, NULL, 0);
	else
		DIE("no role %s", role);
	return 0;
}
