// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory follows the process's: two vCPUs verify every page of a region
 * and count in it, while the process unmaps, protects, forks, moves and maps it
 * anew. Each race counts its events; both vCPUs must get through passes while it
 * lasts.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/race.h"

REGION_FIXTURE(mmu)

/* M1, M16 */
TEST_F(mmu, munmap_and_map_again)
{
	RACE(ZERO_OK | FAULT_OK, 20, "munmaps", {
		munmap(self->mem + SIZE / 2, SIZE / 2);
		usleep(2000);
		map_at(self->mem + SIZE / 2, SIZE / 2, MAP_FIXED, -1);
		fill(self->mem, 0);
	});
}

TEST_F(mmu, mapping_over_shows_new_pages)
{
	RACE(ZERO_OK, 20, "mappings", {
		map_at(self->mem + PAGE, SIZE / 2, MAP_FIXED, -1);
		fill(self->mem, 0);
	});
}

/* M2 */
TEST_F(mmu, dontneed)
{
	RACE(ZERO_OK, 30, "MADV_DONTNEED", {
		madvise(self->mem + (i % 8) * (SIZE / 8), SIZE / 8, MADV_DONTNEED);
		fill(self->mem, 0);
	});
}

/* M3 */
TEST_F(mmu, punch_hole_in_memfd)
{
	int fd = memfd_create("mmu_test", 0);

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	map_at(self->mem, SIZE, MAP_FIXED, fd);
	RACE(ZERO_OK, 30, "holes", {
		ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				       (i % 8) * (SIZE / 8), SIZE / 8));
		fill(self->mem, 0);
	});
}

TEST_F(mmu, truncate_memfd)
{
	int fd = memfd_create("mmu_test", 0);

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	map_at(self->mem, SIZE, MAP_FIXED, fd);
	RACE(ZERO_OK | FAULT_OK, 20, "truncations", {
		ASSERT_EQ(0, ftruncate(fd, SIZE / 2));
		usleep(2000);
		ASSERT_EQ(0, ftruncate(fd, SIZE));
		fill(self->mem, 0);
	});
}

TEST_F(mmu, file_pages_count_writes)
{
	int fd = memfd_create("mmu_test", 0);

	ASSERT_EQ(0, ftruncate(fd, SIZE));
	map_at(self->mem, SIZE, MAP_FIXED, fd);
	RACE(WRITES, 20, "msyncs and MADV_DONTNEED", {
		msync(self->mem, SIZE, MS_SYNC);
		/* The pages stay in the file. */
		madvise(self->mem, SIZE, MADV_DONTNEED);
		usleep(1000);
	});
}

/* M4 */
TEST_F(mmu, mprotect_readonly)
{
	RACE(WRITES | FAULT_OK, 20, "mprotects", {
		mprotect(self->mem, SIZE / 2, PROT_READ);
		usleep(2000);
		mprotect(self->mem, SIZE / 2, PROT_READ | PROT_WRITE);
		usleep(2000);
	});
}

TEST_F(mmu, mprotect_none)
{
	RACE(WRITES | FAULT_OK, 20, "mprotects", {
		mprotect(self->mem + SIZE / 4, SIZE / 2, PROT_NONE);
		usleep(2000);
		mprotect(self->mem, SIZE, PROT_READ | PROT_WRITE);
		usleep(2000);
	});
}

/* What is read-only stays so for the guest: nothing changes meanwhile. */
TEST_F(mmu, mprotect_readonly_stops_writes)
{
	struct runner r[RACERS];
	uint64_t before, after;

	fill(self->mem, 0);
	start_race(&self->m, r, WRITES | FAULT_OK);
	for (int i = 0; i < 20; i++) {
		mprotect(self->mem, SIZE, PROT_READ);
		before = after = 0;
		for (int p = 0; p < PAGES; p++)
			before += *(uint64_t *)(self->mem + p * PAGE + 8);
		usleep(2000);
		for (int p = 0; p < PAGES; p++)
			after += *(uint64_t *)(self->mem + p * PAGE + 8);
		EXPECT_EQ(before, after);
		mprotect(self->mem, SIZE, PROT_READ | PROT_WRITE);
		usleep(1000);
	}
	STOP_RACE(&self->m, r, "mprotects", 20);
}

/* M5 */
static int child_of_fork(const uint8_t *mem)
{
	uint64_t sum[2] = { 0 };

	for (int turn = 0; turn < 2; turn++) {
		for (int p = 0; p < PAGES; p++)
			sum[turn] += *(volatile uint64_t *)(mem + p * PAGE + 8) +
				     *(volatile uint64_t *)(mem + p * PAGE + 16);
		usleep(3000);
	}
	return sum[0] != sum[1];
}

TEST_F(mmu, fork_copies_on_write)
{
	int status = 0;
	pid_t pid;

	RACE(WRITES, 12, "forks", {
		pid = fork();
		if (pid == 0)
			_exit(child_of_fork(self->mem));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		/* The child saw no write that the guest made after the fork. */
		ASSERT_EQ(0, status);
	});
}

TEST_F(mmu, thp_fork)
{
	int status = 0;
	pid_t pid;

	madvise(self->mem, SIZE, MADV_HUGEPAGE);
	RACE(WRITES, 6, "forks of a large page", {
		madvise(self->mem, SIZE, MADV_COLLAPSE);
		pid = fork();
		if (pid == 0)
			_exit(child_of_fork(self->mem));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
	});
}

/* M16 */
TEST_F(mmu, mremap_away_and_back)
{
	uint8_t *other = map_aligned(SIZE);

	munmap(other, SIZE);
	RACE(WRITES | FAULT_OK, 20, "mremaps", {
		ASSERT_EQ(other, mremap(self->mem, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, other));
		usleep(1000);
		ASSERT_EQ(self->mem,
			  mremap(other, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, self->mem));
		usleep(2000);
	});
}

/* M10 */
static int open_uffd(uint8_t *mem, uint64_t mode)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = mode & UFFDIO_REGISTER_MODE_WP ?
					      UFFD_FEATURE_PAGEFAULT_FLAG_WP : 0 };
	struct uffdio_register reg = {
		.range = { (uintptr_t)mem, SIZE }, .mode = mode,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		return -1;
	return fd;
}

static int uffd_served;

/* Serves faults until the pipe is closed. */
static void *serve_uffd(void *arg)
{
	static uint8_t page[PAGE] __attribute__((aligned(4096)));
	int *fds = arg;
	struct uffd_msg msg;

	for (;;) {
		struct pollfd p[2] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };

		poll(p, 2, -1);
		if (p[1].revents)
			return NULL;
		if (read(fds[0], &msg, sizeof(msg)) != sizeof(msg))
			continue;
		uint64_t at = msg.arg.pagefault.address & ~(PAGE - 1);

		uffd_served++;
		if (msg.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP) {
			struct uffdio_writeprotect wp = { .range = { at, PAGE }, .mode = 0 };

			ioctl(fds[0], UFFDIO_WRITEPROTECT, &wp);
			continue;
		}
		*(uint64_t *)page = MAGIC + (at - fds[2] * LARGE) / PAGE;
		struct uffdio_copy copy = { .dst = at, .src = (uintptr_t)page, .len = PAGE };

		ioctl(fds[0], UFFDIO_COPY, &copy);
	}
}

#define UFFD_RACE(register_mode, flags, n, what, ...) do {		\
	int _pipe[2], _fds[3];						\
	pthread_t _server;						\
									\
	fill(self->mem, 0);						\
	ASSERT_EQ(0, pipe(_pipe));					\
	_fds[0] = open_uffd(self->mem, register_mode);			\
	ASSERT_LE(0, _fds[0]);						\
	_fds[1] = _pipe[0];						\
	_fds[2] = (uintptr_t)self->mem / LARGE;				\
	uffd_served = 0;						\
	ASSERT_EQ(0, pthread_create(&_server, NULL, serve_uffd, _fds));	\
	RACE(flags, n, what, __VA_ARGS__);				\
	close(_pipe[1]);						\
	pthread_join(_server, NULL);					\
	close(_fds[0]);							\
	EXPECT_LT(0, uffd_served);					\
	TH_LOG("%d faults served", uffd_served);			\
} while (0)

TEST_F(mmu, userfaultfd_missing)
{
	UFFD_RACE(UFFDIO_REGISTER_MODE_MISSING, 0, 10, "rounds of missing pages", {
		madvise(self->mem + SIZE / 2, SIZE / 16, MADV_DONTNEED);
		EXPECT_TRUE(wait_passes(&self->m, _r, 1));
	});
}

TEST_F(mmu, userfaultfd_write_protect)
{
	UFFD_RACE(UFFDIO_REGISTER_MODE_WP, WRITES, 10, "write protections", {
		struct uffdio_writeprotect wp = {
			.range = { (uintptr_t)self->mem, SIZE / 16 },
			.mode = UFFDIO_WRITEPROTECT_MODE_WP,
		};

		ASSERT_EQ(0, ioctl(_fds[0], UFFDIO_WRITEPROTECT, &wp));
		EXPECT_TRUE(wait_passes(&self->m, _r, 1));
	});
}

/* A process of two vCPUs that wait for a page that nobody brings. Does not return. */
static void wait_for_page(struct vm *m, uint8_t *mem, int pipe)
{
	struct pollfd p = { .fd = open_uffd(mem, UFFDIO_REGISTER_MODE_MISSING), .events = POLLIN };
	struct runner r[RACERS];
	struct uffd_msg msg;

	start_race(m, r, 0);
	for (int n = 0; n < RACERS; n++)
		if (poll(&p, 1, 10000) != 1 || read(p.fd, &msg, sizeof(msg)) != sizeof(msg))
			_exit(1);
	if (write(pipe, &msg, 1) == 1)
		pause();
	_exit(1);
}

TEST_F(mmu, userfaultfd_wait_is_killed)
{
	struct timespec from, to;
	int status, ready[2];
	struct vm m;
	char byte;
	pid_t pid;

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		if (!pid) {
			/* A VM belongs to the process that made it. */
			vm_create(&m);
			vm_set_slot(&m, 1, BASE, SIZE, map_at(self->mem, SIZE, MAP_FIXED, -1));
			wait_for_page(&m, self->mem, ready[1]);
		}
		close(ready[1]);
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		clock_gettime(CLOCK_MONOTONIC, &from);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		clock_gettime(CLOCK_MONOTONIC, &to);
		EXPECT_EQ(SIGKILL, WTERMSIG(status));
		EXPECT_GT(1000, (to.tv_sec - from.tv_sec) * 1000 +
				(to.tv_nsec - from.tv_nsec) / 1000000);
		close(ready[0]);
	}
}

/* M11 */
TEST_F(mmu, hugetlb)
{
	uint8_t *p;

	write_file("/proc/sys/vm/nr_hugepages", "3");
	p = mmap(self->mem, SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED)
		SKIP(return, "no huge pages");
	RACE(WRITES, 1, "run on hugetlbfs", EXPECT_TRUE(wait_passes(&self->m, _r, 3)));
	munmap(self->mem, SIZE);
	write_file("/proc/sys/vm/nr_hugepages", "0");
}

TEST_F(mmu, hugetlb_unmapped_and_back)
{
	write_file("/proc/sys/vm/nr_hugepages", "3");
	if (mmap(self->mem, SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0) == MAP_FAILED)
		SKIP(return, "no huge pages");
	RACE(ZERO_OK | FAULT_OK, 10, "munmaps of a huge page", {
		munmap(self->mem, SIZE);
		usleep(2000);
		ASSERT_EQ(self->mem, mmap(self->mem, SIZE, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED,
					  -1, 0));
		fill(self->mem, 0);
	});
	munmap(self->mem, SIZE);
	write_file("/proc/sys/vm/nr_hugepages", "0");
}

/* M12: what has no struct page behind it is not seen, nor what was there before. */
TEST_F(mmu, pfnmap_and_back)
{
	int fd = open("/dev/mem", O_RDONLY | O_SYNC);
	uint8_t *p = self->mem + SIZE / 4;

	if (on_kvm())
		SKIP(return, "KVM follows PFN mappings");
	if (fd < 0 || mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0xf0000) == MAP_FAILED)
		SKIP(return, "no /dev/mem");
	RACE(ZERO_OK | FAULT_OK, 10, "mappings of device memory", {
		unsigned long from[RACERS] = { _r[0].faults, _r[1].faults };

		ASSERT_EQ(p, mmap(p, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0xf0000));
		for (int t = 0; t < 1000; t++) {
			if (_r[0].faults > from[0] && _r[1].faults > from[1])
				break;
			usleep(1000);
		}
		EXPECT_LT(from[0], _r[0].faults);
		EXPECT_LT(from[1], _r[1].faults);
		map_at(p, PAGE, MAP_FIXED, -1);
		fill(self->mem, 0);
	});
	close(fd);
}

/*
 * Slots go and come, and move, under running vCPUs: what they find no slot for
 * the test does for them, elsewhere.
 */
#define SPLIT_REGION() do {						\
	hole.mem = self->mem + SIZE / 2;				\
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0, 0, NULL));		\
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, BASE, SIZE / 2, self->mem)); \
	ASSERT_EQ(0, vm_set_slot(&self->m, 2, BASE + SIZE / 2, SIZE / 2, hole.mem)); \
} while (0)

TEST_F(mmu, slot_deleted_and_made_anew)
{
	uint8_t *half[2] = { self->mem + SIZE / 2, map_aligned(SIZE / 2) };

	SPLIT_REGION();
	RACE(WRITES | HOLES, 30, "slots deleted and made", {
		ASSERT_EQ(0, vm_set_slot(&self->m, 2, 0, 0, NULL));
		move_hole(half[(i + 1) % 2]);
		usleep(1000);
		ASSERT_EQ(0, vm_set_slot(&self->m, 2, BASE + SIZE / 2, SIZE / 2,
					 half[(i + 1) % 2]));
		usleep(1000);
		EXPECT_TRUE(is_poison(half[i % 2]));
	});
}

struct counter {
	struct vm *m;
	volatile bool stop;
	bool failed;
};

/* What is written where no slot is goes nowhere. */
static void *run_counter(void *arg)
{
	struct counter *c = arg;

	while (!c->stop && !c->failed)
		c->failed = vm_run(c->m) || c->m->run->exit_reason != KVM_EXIT_MMIO;
	return NULL;
}

/*
 * A slot so large that the vCPU comes to its first page again and again while the rest
 * of it is looked through: that page does not come back.
 */
TEST_F(mmu, slot_gives_no_page_while_it_goes)
{
	const uint64_t at = 2UL << 30, size = 256UL << 30;
	volatile uint64_t *word = (void *)map_at(NULL, size, MAP_NORESERVE, -1);
	struct counter c = { .m = &self->m };
	struct kvm_regs regs = { .rip = CODE, .rflags = 0x202, .rbx = at };
	pthread_t thread;

	madvise((void *)word, size, MADV_NOHUGEPAGE);
	vm_start(&self->m, MODE_LONG, count);
	vm_set_regs(&self->m, &regs);
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_counter, &c));
	for (int i = 0; i < 20; i++) {
		uint64_t before = *word;

		ASSERT_EQ(0, vm_set_slot(&self->m, 2, at, size, (void *)word));
		for (int ms = 0; *word == before && ms < 1000; ms++)
			usleep(1000);
		EXPECT_LT(before, *word);
		ASSERT_EQ(0, vm_set_slot(&self->m, 2, 0, 0, NULL));
		before = *word;
		usleep(2000);
		ASSERT_EQ(before, *word);
	}
	c.stop = true;
	pthread_join(thread, NULL);
	EXPECT_FALSE(c.failed);
}

TEST_F(mmu, slot_moved_there_and_back)
{
	uint8_t *half = self->mem + SIZE / 2, *other = map_aligned(SIZE / 2);

	SPLIT_REGION();
	RACE(WRITES | HOLES, 20, "moves there and back", {
		ASSERT_EQ(0, vm_set_slot(&self->m, 2, BASE + 4 * SIZE, SIZE / 2, half));
		move_hole(other);
		usleep(1000);
		EXPECT_TRUE(is_poison(half));
		move_hole(half);
		ASSERT_EQ(0, vm_set_slot(&self->m, 2, BASE + SIZE / 2, SIZE / 2, half));
		usleep(1000);
	});
}

TEST_F(mmu, log_on_and_off)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = BASE, .memory_size = SIZE,
		.userspace_addr = (uintptr_t)self->mem,
	};

	madvise(self->mem, SIZE, MADV_HUGEPAGE);
	RACE(WRITES, 20, "changes of flags", {
		madvise(self->mem, SIZE, MADV_COLLAPSE);
		region.flags = i % 2 ? 0 : KVM_MEM_LOG_DIRTY_PAGES;
		ASSERT_EQ(0, ioctl(self->m.fd, KVM_SET_USER_MEMORY_REGION, &region));
		usleep(1000);
	});
}

/* M17, B35: all vCPUs fault on the same pages at the same time. */
TEST_F(mmu, parallel_faults)
{
	RACE(WRITES, 30, "re-populations", {
		/* The file's pages stay, the guest's mappings go. */
		mprotect(self->mem, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
		mprotect(self->mem, SIZE, PROT_READ | PROT_WRITE);
	});
}

TEST_HARNESS_MAIN
