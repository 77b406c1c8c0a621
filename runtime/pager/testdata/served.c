/*
 * A process whose memory is served, and that does what it is told.
 *
 *	served KIND PAGES FEATURES MODE
 *
 * maps PAGES pages of KIND (anonymous, shmem, hugetlb, hugetlb-shared), opens a userfaultfd with
 * FEATURES, registers the memory in MODE (numbers), and sends the userfaultfd
 * over socket 3 with "ADDRESS LENGTH PAGESIZE MEMFD".
 *
 * A packet "TAG COMMAND ARGUMENTS" on socket 3 is a command. Each runs in a
 * thread of its own, and answers "TAG RESULT" when it is done:
 *
 *	read I N        what the pages hold: an offset in the source, zero, sigbus
 *	                or corrupt, with blanks between
 *	write I OFFSET  writes the page that the source has at OFFSET
 *	discard I N     madvise(MADV_DONTNEED)
 *	punch I N       madvise(MADV_REMOVE)
 *	unmap I N       munmap
 *	protect I N     mprotect(PROT_READ): the mapping is split
 *	join I N        mprotect(PROT_READ|PROT_WRITE): it is whole again
 *	dontfork I N    madvise(MADV_DONTFORK)
 *	fresh I N       maps new anonymous memory where pages were that are unmapped
 *	move I N        mremap to elsewhere; the pages keep their numbers
 *	moved I N       the same, and reads them
 *	move_keep I N   mremap(MREMAP_DONTUNMAP); the pages keep their old addresses, and
 *	                where they are now is numbered from the last on
 *	twice I N       mremap of no bytes to N pages: the pages of shared memory are
 *	                there once more, numbered from the last on
 *	grow I N MORE   mremap to elsewhere, MORE pages longer: numbered from the last on
 *	shrink I N TO   mremap to where page TO is, one page of them: it is TO then
 *	where I         the page's address
 *	fork COMMAND    forks a child, which does the command and answers
 *	linger COMMAND  the same, and the child stays until its parent has ended
 *	held COMMAND    does the command when release is given, to any of the processes
 *	release         lets those go on
 *	exit            exits
 *	share I         starts a process that has the same memory, and once its parent
 *	                has ended reads page I and answers
 *
 * cflags: -pthread -iquote ../../headers
 */
#include "memory.h"

#define MAX_PAGES 100000

static unsigned char *pages[MAX_PAGES];
static int npages;
static _Atomic int *released; /* of all processes */

static int remap(int i, int n, int more, int flags)
{
	unsigned char *to = mmap(NULL, (n + more + 2) * page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (to == MAP_FAILED)
		DIE("mmap");
	to = (unsigned char *)(((uintptr_t)to + page_size - 1) & ~(page_size - 1));
	if (mremap(pages[i], n * page_size, (n + more) * page_size, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to) != to)
		return -1;
	for (int k = 0; k < n && !flags; k++)
		pages[i + k] = to + k * page_size;
	for (int k = 0; k < n && flags; k++)
		pages[npages++] = to + k * page_size;
	for (int k = 0; k < more; k++)
		pages[npages++] = to + (n + k) * page_size;
	return 0;
}

static int map_twice(int i, int n)
{
	unsigned char *to = mremap(pages[i], 0, n * page_size, MREMAP_MAYMOVE);

	if (to == MAP_FAILED)
		return -1;
	for (int k = 0; k < n; k++)
		pages[npages++] = to + k * page_size;
	return 0;
}

static char sharer_tag[16];
static unsigned char *sharer_page;
static pid_t sharer_parent;

static int share(void *unused)
{
	char text[64];

	(void)unused;
	while (syscall(SYS_getppid) == sharer_parent)
		usleep(1000);
	usleep(200000);
	int n = snprintf(text, sizeof text, "%s %d", sharer_tag, *(volatile uint64_t *)sharer_page != 0);
	send(SOCKET, text, n, 0);
	_exit(0);
}

static void act(char *command, char *result, size_t size)
{
	char verb[32] = "";
	unsigned long long offset = 0;
	int i = 0, n = 0, more = 0;

	if (!strncmp(command, "held ", 5)) {
		while (!*released)
			usleep(1000);
		command += 5;
	}
	sscanf(command, "%31s %d %d %d", verb, &i, &n, &more);
	sscanf(command, "%*s %*d %llu", &offset);
	strcpy(result, "ok");
	if (!strcmp(verb, "read") || (!strcmp(verb, "moved") && !remap(i, n, 0, 0))) {
		size_t used = 0;
		for (int k = 0; k < n && used + 32 < size; k++) {
			long long holds = page_holds(pages[i + k]);
			used += holds == ZEROS ? snprintf(result + used, size - used, "zero ")
				: holds == SIGBUS_RAISED ? snprintf(result + used, size - used, "sigbus ")
				: holds == CORRUPT ? snprintf(result + used, size - used, "corrupt ")
				: snprintf(result + used, size - used, "%lld ", holds);
		}
	} else if (!strcmp(verb, "write")) {
		if (!write_page(pages[i], offset))
			strcpy(result, "sigbus");
	} else if (!strcmp(verb, "discard")) {
		if (madvise(pages[i], n * page_size, MADV_DONTNEED))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "punch")) {
		if (madvise(pages[i], n * page_size, MADV_REMOVE))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "dontfork")) {
		if (madvise(pages[i], n * page_size, MADV_DONTFORK))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "unmap")) {
		if (munmap(pages[i], n * page_size))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "protect")) {
		if (mprotect(pages[i], n * page_size, PROT_READ))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "join")) {
		if (mprotect(pages[i], n * page_size, PROT_READ | PROT_WRITE))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "fresh")) {
		if (mmap(pages[i], n * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != pages[i])
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "move")) {
		if (remap(i, n, 0, 0))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "move_keep")) {
		if (remap(i, n, 0, 4 /* MREMAP_DONTUNMAP */))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "twice")) {
		if (map_twice(i, n))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "grow")) {
		if (remap(i, n, more, 0))
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "shrink")) {
		if (mremap(pages[i], n * page_size, page_size, MREMAP_MAYMOVE | MREMAP_FIXED, pages[more]) != pages[more])
			snprintf(result, size, "%s", strerror(errno));
	} else if (!strcmp(verb, "where")) {
		snprintf(result, size, "%#lx", (unsigned long)pages[i]);
	} else if (!strcmp(verb, "release")) {
		*released = 1;
	} else if (!strcmp(verb, "exit")) {
		_exit(0);
	} else {
		snprintf(result, size, "no command %s", verb);
	}
}

static void *obey(void *packet)
{
	static __thread char answer[65536];
	char tag[16];
	int n;

	if (sscanf(packet, "%15s %n", tag, &n) != 1)
		DIE("a packet without a tag");
	char *command = (char *)packet + n;
	int start = snprintf(answer, sizeof answer, "%s ", tag);
	pid_t parent = getpid();
	int forks = !strncmp(command, "fork ", 5), lingers = !strncmp(command, "linger ", 7);

	if (!strncmp(command, "share ", 6)) {
		strcpy(sharer_tag, tag);
		sharer_page = pages[atoi(command + 6)];
		sharer_parent = parent;
		clone(share, (char *)malloc(1 << 16) + (1 << 16), CLONE_VM | CLONE_FILES, NULL);
		goto out;
	}
	if (forks || lingers) {
		pid_t pid = _Fork(); /* fork keeps the locks of malloc while it waits */
		if (pid < 0)
			DIE("fork");
		if (pid > 0)
			goto out; /* the child answers */
		if (strncmp(command + (forks ? 5 : 7), "none", 4))
			act(command + (forks ? 5 : 7), answer + start, sizeof answer - start);
		else
			strcpy(answer + start, "ok");
	} else {
		act(command, answer + start, sizeof answer - start);
	}
	if (send(SOCKET, answer, strlen(answer), 0) < 0)
		DIE("send");
	while (lingers && getppid() == parent)
		usleep(20000);
	if (forks || lingers)
		_exit(0);
out:
	free(packet);
	return NULL;
}

int main(int argc, char **argv)
{
	char text[128];
	int memfd;

	if (argc != 5)
		return 2;
	signal(SIGCHLD, SIG_IGN);
	released = mmap(NULL, sizeof *released, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (released == MAP_FAILED)
		DIE("mmap");
	page_size = strncmp(argv[1], "hugetlb", 7) ? (unsigned long)sysconf(_SC_PAGESIZE) : huge_page_size();
	npages = atoi(argv[2]);
	unsigned char *memory = map_memory(argv[1], npages * page_size, &memfd);
	for (int i = 0; i < npages; i++)
		pages[i] = memory + i * page_size;
	int fd = open_userfaultfd(strtoull(argv[3], NULL, 0));
	register_memory(fd, memory, npages * page_size, strtoull(argv[4], NULL, 0));
	catch_bus();
	snprintf(text, sizeof text, "%#lx %lu %lu %d", (unsigned long)memory, npages * page_size, page_size, memfd);
	send_descriptor(fd, text);
	close(fd); /* the pager has the last one */
	for (;;) {
		char *packet = calloc(1, 256);
		pthread_t thread;
		ssize_t n = recv(SOCKET, packet, 255, 0);
		if (n <= 0)
			return 0;
		if (pthread_create(&thread, NULL, obey, packet))
			DIE("pthread_create");
		pthread_detach(thread);
	}
}
