/*
 * A process that knows what every page of its memory holds, and checks that it
 * does, while it discards, unmaps, moves, protects, and forks.
 *
 *	oracle KIND BLOCKS PAGES THREADS MILLISECONDS SEED FEATURES FAILS PATIENCE
 *
 * maps BLOCKS blocks of PAGES pages of KIND, opens a userfaultfd with FEATURES,
 * registers the memory, and sends the userfaultfd over socket 3 with "ADDRESS
 * LENGTH PAGESIZE MEMFD". Page i is to hold the source's page i, and to be
 * poisoned if i % FAILS is FAILS - 1. After a byte on the socket, THREADS threads
 * work for so long; each that is stuck for PATIENCE seconds is a failure. Exits 0
 * if all was right, and says what was done, or 1 and says what was wrong.
 *
 * A page's truth changes under its lock only. Peeks go without, and accept what
 * the page may hold at that moment; they are there to have faults wait while
 * another thread discards. A block's lock is held for writing while it moves.
 *
 * cflags: -pthread -iquote ../../headers
 */
#include "memory.h"

#define MAX_THREADS 64
#define WRITTEN (1ll << 44) /* offsets from here on were written here */

struct page {
	atomic_int locked;
	long long holds;
	unsigned version;
	int seen; /* it was in place once */
};

struct block {
	pthread_rwlock_t lock;
	unsigned char *at;
	int gone; /* unmapped for good */
};

struct thread {
	pthread_t id;
	int number;
	uint64_t random;
	atomic_ulong ops;
	atomic_int page; /* being worked on */
	const char *doing;
	struct { unsigned long touch, peek, write, discard, move, unmap, split, fork; } did;
};

static int nblocks, block_pages, npages, fails, nthreads, patience, userfaultfd;
static struct page *truth;
static struct block *blocks;
static struct thread threads[MAX_THREADS];
static pthread_rwlock_t forking = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static atomic_int stop;

static uint64_t next_random(struct thread *t)
{
	uint64_t x = t->random;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return t->random = x;
}

static int below(struct thread *t, int n) { return next_random(t) >> 11 ? (int)((next_random(t) >> 20) % n) : 0; }

static unsigned char *address(int page)
{
	return blocks[page / block_pages].at + page % block_pages * page_size;
}

static int page_fails(int page) { return page % fails == fails - 1; }

static void wrong(struct thread *t, int page, const char *when, long long holds, long long want)
{
	fprintf(stderr, "oracle: thread %d, pid %d, %s: page %d at %p holds %lld, want %lld (-1 zeros, -2 SIGBUS, -3 corrupt)\n",
		t->number, getpid(), when, page, (void *)address(page), holds, want);
	_exit(1);
}

static int try_lock(int page) { return !atomic_exchange(&truth[page].locked, 1); }
static void unlock(int page) { atomic_store(&truth[page].locked, 0); }

static void check(struct thread *t, int page, const char *when)
{
	atomic_store(&t->page, page);
	t->doing = when;
	long long holds = page_holds(address(page));
	if (holds != truth[page].holds)
		wrong(t, page, when, holds, truth[page].holds);
	truth[page].seen = 1;
}

/* One word, while others may do anything to the page. */
static void peek(struct thread *t, int page)
{
	sigjmp_buf escape;
	volatile uint64_t first = 0;

	atomic_store(&t->page, page);
	t->doing = "peek";
	bus_escape = &escape;
	if (!sigsetjmp(escape, 0))
		first = *(volatile uint64_t *)address(page);
	else if (!page_fails(page))
		wrong(t, page, "peek", SIGBUS_RAISED, 0);
	bus_escape = NULL;
	if (first) {
		uint64_t inverse = MULTIPLIER;
		for (int i = 0; i < 6; i++)
			inverse *= 2 - MULTIPLIER * inverse;
		long long holds = (first * inverse - 1) * 8;
		if (holds != page * (long long)page_size && (holds < WRITTEN || (holds - WRITTEN) / (long long)page_size % npages != page))
			wrong(t, page, "peek", holds, page * (long long)page_size);
	}
	t->did.peek++;
}

static void write_one(struct thread *t, int page)
{
	struct page *p = &truth[page];
	long long offset = WRITTEN + ((long long)++p->version * npages + page) * page_size;

	atomic_store(&t->page, page);
	t->doing = "write";
	if (write_page(address(page), offset)) {
		if (p->holds == SIGBUS_RAISED)
			wrong(t, page, "write", 0, SIGBUS_RAISED);
		p->holds = offset;
		p->seen = 1;
	} else if (p->holds != SIGBUS_RAISED) {
		wrong(t, page, "write", SIGBUS_RAISED, p->holds);
	}
	t->did.write++;
}

/* Discards pages of one block, all of which are locked. */
static void discard(struct thread *t, int first, int n)
{
	int advice = is_shared ? MADV_REMOVE : MADV_DONTNEED;

	atomic_store(&t->page, first);
	t->doing = "discard";
	if (is_shared && below(t, 3) == 0) {
		/* Of shared memory the content stays; a page that was never in
		 * place the pager cannot tell from one that was removed. */
		for (int i = first; i < first + n; i++)
			if (!truth[i].seen || truth[i].holds == SIGBUS_RAISED)
				goto remove;
		if (madvise(address(first), n * page_size, MADV_DONTNEED))
			DIE("MADV_DONTNEED");
		check(t, first + below(t, n), "after MADV_DONTNEED");
		t->did.discard++;
		return;
	}
remove:
	/* Poison is of a process, and a hole does not take it away: another
	 * process would find zeros. */
	for (int i = first; is_shared && i < first + n; i++)
		if (truth[i].holds == SIGBUS_RAISED)
			return;
	while (madvise(address(first), n * page_size, advice))
		if (errno != EAGAIN)
			DIE("madvise of %d pages at %p", n, (void *)address(first));
	for (int i = first; i < first + n; i++)
		truth[i].holds = ZEROS;
	if (below(t, 4))
		check(t, first + below(t, n), "after discarding");
	t->did.discard++;
}

/* Calls f for up to most pages of a block that can be locked. */
static void with_locked(struct thread *t, int page, int most, void (*f)(struct thread *, int, int))
{
	int n = 0, last = (page / block_pages + 1) * block_pages;

	while (n < most && page + n < last && try_lock(page + n))
		n++;
	if (n)
		f(t, page, n);
	while (n)
		unlock(page + --n);
}

static void touch(struct thread *t, int first, int n)
{
	for (int i = 0; i < n; i++)
		check(t, first + i, "touch");
	t->did.touch++;
}

static void write_some(struct thread *t, int first, int n)
{
	for (int i = 0; i < n; i++)
		write_one(t, first + i);
}

/* Checks a page of a block that is at another place, too. */
static void check_at(struct thread *t, int page, unsigned char *at)
{
	long long holds = page_holds(at + page % block_pages * page_size);

	if (holds != truth[page].holds)
		wrong(t, page, "mapped once more", holds, truth[page].holds);
	truth[page].seen = 1;
}

/* Moves a block, whose lock is held for writing. */
static void move(struct thread *t, struct block *b)
{
	size_t size = block_pages * page_size;
	unsigned char *to = mmap(NULL, size + page_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	t->doing = "move";
	if (to == MAP_FAILED)
		DIE("mmap");
	if (is_shared && below(t, 2)) {
		/* By mapping it once more: mremap of no bytes. */
		munmap(to, size + page_size);
		to = mremap(b->at, 0, size, MREMAP_MAYMOVE);
		if (to == MAP_FAILED)
			DIE("mremap of no bytes");
		if (below(t, 2))
			check_at(t, (b - blocks) * block_pages + below(t, block_pages), to);
		if (munmap(b->at, size))
			DIE("munmap");
		b->at = to;
		t->did.move++;
		return;
	}
	unsigned char *aligned = (unsigned char *)(((uintptr_t)to + page_size - 1) & ~(page_size - 1));
	if (mremap(b->at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, aligned) != aligned) {
		if (errno != EFAULT)
			DIE("mremap");
		munmap(to, size + page_size); /* split was not joined */
		return;
	}
	/* What alignment took. */
	if (aligned > to)
		munmap(to, aligned - to);
	if (aligned < to + page_size)
		munmap(aligned + size, to + page_size - aligned);
	b->at = aligned;
	t->did.move++;
}

static void unmap(struct thread *t, struct block *b)
{
	size_t size = block_pages * page_size;
	int first = (b - blocks) * block_pages;

	t->doing = "unmap";
	if (munmap(b->at, size))
		DIE("munmap");
	t->did.unmap++;
	if (is_shared || is_huge) {
		b->gone = 1;
		return;
	}
	/* New memory, of which the pager has not heard. */
	b->at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->at == MAP_FAILED)
		DIE("mmap");
	madvise(b->at, size, MADV_NOHUGEPAGE);
	register_memory(userfaultfd, b->at, size, UFFDIO_REGISTER_MODE_MISSING);
	for (int i = first; i < first + block_pages; i++)
		truth[i].holds = ZEROS;
}

/* Has the kernel split the block's mapping, and join it again. */
static void split(struct thread *t, struct block *b)
{
	size_t part = (1 + below(t, block_pages - 1)) * page_size;

	t->doing = "split";
	if (mprotect(b->at, part, PROT_READ))
		DIE("mprotect");
	check(t, (b - blocks) * block_pages, "read-only");
	if (mprotect(b->at, part, PROT_READ | PROT_WRITE))
		DIE("mprotect");
	t->did.split++;
}

static void peek_somewhere(struct thread *t)
{
	int page = below(t, npages);
	struct block *b = &blocks[page / block_pages];

	if (pthread_rwlock_tryrdlock(&b->lock))
		return;
	if (!b->gone)
		peek(t, page);
	pthread_rwlock_unlock(&b->lock);
}

static void do_something(struct thread *t, int is_child)
{
	int page = below(t, npages);
	struct block *b = &blocks[page / block_pages];
	int what = below(t, 1000);

	if (!is_child && what >= 980) {
		/* Of shared memory another process may have the page's lock. */
		if (pthread_rwlock_trywrlock(&b->lock))
			return;
		int first = page / block_pages * block_pages, n = 0;
		while (n < block_pages && try_lock(first + n))
			n++;
		if (!b->gone && n == block_pages) {
			if (what >= 990)
				move(t, b);
			else if (what == 989)
				unmap(t, b);
			else if (block_pages > 1 && !is_huge) /* those would not be joined */
				split(t, b);
		}
		while (n)
			unlock(first + --n);
		pthread_rwlock_unlock(&b->lock);
		return;
	}
	if (pthread_rwlock_tryrdlock(&b->lock))
		return;
	if (!b->gone) {
		if (what < 500)
			with_locked(t, page, 1 + below(t, 3), touch);
		else if (what < 650)
			with_locked(t, page, 1 + below(t, 3), write_some);
		else
			with_locked(t, page, 1 + below(t, 6), discard);
	}
	pthread_rwlock_unlock(&b->lock);
}

static struct thread *the_child;

/* Says what a child waits for, before its parent's patience ends. */
static void on_alarm(int signal)
{
	(void)signal;
	int page = atomic_load(&the_child->page);
	fprintf(stderr, "oracle: child %d of thread %d is stuck: %s, page %d at %p\n",
		getpid(), the_child->number, the_child->doing, page, (void *)address(page));
	_exit(1);
}

/* What a child of fork does with its memory. */
static void be_child(struct thread *t)
{
	struct page *all = truth;

	the_child = t;
	signal(SIGALRM, on_alarm);
	alarm(patience / 2 + 1);
	for (int i = 0; i < nblocks; i++)
		pthread_rwlock_init(&blocks[i].lock, NULL);
	t->random ^= getpid();
	if (!is_shared)
		for (int i = 0; i < npages; i++)
			atomic_store(&all[i].locked, 0);
	for (int i = 0; i < 200; i++)
		do_something(t, 1);
	_exit(0);
}

static void fork_one(struct thread *t)
{
	int status;

	pthread_rwlock_wrlock(&forking);
	t->doing = "fork";
	pid_t child = fork();
	if (child < 0)
		DIE("fork");
	if (child == 0)
		be_child(t);
	pthread_rwlock_unlock(&forking);
	t->doing = "wait for the child";
	atomic_store(&t->page, child);
	if (waitpid(child, &status, 0) != child)
		DIE("waitpid");
	if (status) {
		fprintf(stderr, "oracle: a child ended with status %#x\n", status);
		_exit(1);
	}
	t->did.fork++;
}

static void *work(void *arg)
{
	struct thread *t = arg;

	while (!atomic_load(&stop)) {
		if (below(t, 3000) == 0 && !is_huge) {
			fork_one(t);
		} else if (below(t, 6) == 0) {
			peek_somewhere(t); /* a fork may come meanwhile */
		} else {
			pthread_rwlock_rdlock(&forking);
			do_something(t, 0);
			pthread_rwlock_unlock(&forking);
		}
		atomic_fetch_add(&t->ops, 1);
	}
	return NULL;
}

static void report(const char *what)
{
	unsigned long sum[8] = { 0 };

	for (int i = 0; i < nthreads; i++)
		for (int k = 0; k < 8; k++)
			sum[k] += ((unsigned long *)&threads[i].did)[k];
	printf("%s: touch %lu peek %lu write %lu discard %lu move %lu unmap %lu split %lu fork %lu\n",
		what, sum[0], sum[1], sum[2], sum[3], sum[4], sum[5], sum[6], sum[7]);
	fflush(stdout);
}

/* Waits, and fails if a thread does not get on. */
static void watch(long milliseconds, int until_end)
{
	unsigned long seen[MAX_THREADS];
	time_t since[MAX_THREADS];
	struct timespec nap = { 0, 20 * 1000 * 1000 };

	for (int i = 0; i < nthreads; i++)
		seen[i] = -1;
	for (long waited = 0; waited < milliseconds; waited += 20) {
		int working = 0;
		nanosleep(&nap, NULL);
		for (int i = 0; i < nthreads; i++) {
			unsigned long ops = atomic_load(&threads[i].ops);
			if (until_end && threads[i].id && pthread_tryjoin_np(threads[i].id, NULL) == 0)
				threads[i].id = 0;
			if (until_end && !threads[i].id)
				continue;
			working++;
			if (ops != seen[i]) {
				seen[i] = ops;
				since[i] = time(NULL);
			} else if (time(NULL) - since[i] > patience) {
				int page = atomic_load(&threads[i].page);
				fprintf(stderr, "oracle: thread %d is stuck: %s, page %d", i, threads[i].doing, page);
				if (page >= 0 && page < npages)
					fprintf(stderr, " at %p", (void *)address(page));
				fprintf(stderr, "\n");
				report("stuck");
				_exit(1);
			}
		}
		if (until_end && !working)
			return;
	}
}

int main(int argc, char **argv)
{
	char text[128];
	int memfd;

	if (argc != 10)
		return 2;
	page_size = strcmp(argv[1], "hugetlb") ? (unsigned long)sysconf(_SC_PAGESIZE) : huge_page_size();
	nblocks = atoi(argv[2]);
	block_pages = atoi(argv[3]);
	npages = nblocks * block_pages;
	nthreads = atoi(argv[4]);
	fails = atoi(argv[8]);
	patience = atoi(argv[9]);
	unsigned char *memory = map_memory(argv[1], npages * page_size, &memfd);
	truth = mmap(NULL, npages * sizeof *truth, PROT_READ | PROT_WRITE, (is_shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
	blocks = calloc(nblocks, sizeof *blocks);
	for (int i = 0; i < nblocks; i++) {
		pthread_rwlock_init(&blocks[i].lock, NULL);
		blocks[i].at = memory + i * block_pages * page_size;
	}
	for (int i = 0; i < npages; i++)
		truth[i].holds = page_fails(i) ? SIGBUS_RAISED : i * (long long)page_size;
	userfaultfd = open_userfaultfd(strtoull(argv[7], NULL, 0));
	register_memory(userfaultfd, memory, npages * page_size, UFFDIO_REGISTER_MODE_MISSING);
	catch_bus();
	snprintf(text, sizeof text, "%#lx %lu %lu %d", (unsigned long)memory, npages * page_size, page_size, memfd);
	send_descriptor(userfaultfd, text);
	if (read(SOCKET, text, 1) != 1)
		return 0;
	for (int i = 0; i < nthreads; i++) {
		threads[i].number = i;
		threads[i].random = strtoull(argv[6], NULL, 0) * 0x9e3779b97f4a7c15ull + i + 1;
		if (pthread_create(&threads[i].id, NULL, work, &threads[i]))
			DIE("pthread_create");
	}
	watch(atol(argv[5]), 0);
	atomic_store(&stop, 1);
	watch(1 << 30, 1);
	for (int i = 0; i < npages; i++)
		if (!blocks[i / block_pages].gone)
			check(&threads[0], i, "at the end");
	report("ok");
	return 0;
}
