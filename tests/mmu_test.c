// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory follows the process's: two vCPUs verify every page of a region
 * and count in it, while the process unmaps, protects, forks, moves, merges and
 * splits it. Each race counts its events; both vCPUs must get through passes
 * while it lasts.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/race.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

FIXTURE(mmu) {
	struct vm m;
	uint8_t *mem;
};

FIXTURE_SETUP(mmu)
{
	vm_create(&self->m);
	self->mem = map_aligned(SIZE);
	madvise(self->mem, SIZE, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, BASE, SIZE, self->mem));
}

FIXTURE_TEARDOWN(mmu)
{
	vm_destroy(&self->m);
}

static long read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	return atol(text);
}

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

/* M6 */
TEST_F(mmu, ksm_merge_and_break)
{
	long sharing = 0;

	if (!write_file("/sys/kernel/mm/ksm/pages_to_scan", "10000") ||
	    !write_file("/sys/kernel/mm/ksm/sleep_millisecs", "1"))
		SKIP(return, "no KSM");
	madvise(self->mem, SIZE, MADV_MERGEABLE);
	write_file("/sys/kernel/mm/ksm/run", "1");
	RACE(ALL_SAME, 6, "merges and breaks", {
		for (int t = 0; t < 1000 && read_number("/sys/kernel/mm/ksm/pages_sharing") < 64; t++)
			usleep(2000);
		sharing += read_number("/sys/kernel/mm/ksm/pages_sharing");
		/* Writing the same again breaks the sharing. */
		fill(self->mem, ALL_SAME);
	});
	write_file("/sys/kernel/mm/ksm/run", "2");
	EXPECT_LT(0, sharing);
}

/* M7 */
TEST_F(mmu, compaction_moves_pages)
{
	if (access("/proc/sys/vm/compact_memory", W_OK))
		SKIP(return, "no compaction");
	RACE(WRITES, 8, "compactions", {
		write_file("/proc/sys/vm/compact_memory", "1");
		usleep(1000);
	});
}

/* M8 */
TEST_F(mmu, thp_collapse_and_split)
{
	unsigned int collapsed = 0;

	madvise(self->mem, SIZE, MADV_HUGEPAGE);
	RACE(WRITES, 20, "collapses and splits", {
		collapsed += madvise(self->mem, SIZE, MADV_COLLAPSE) == 0;
		EXPECT_TRUE(wait_passes(&self->m, _r, 1));
		/* A protection of its own for one page splits the mapping. */
		mprotect(self->mem + 17 * PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
		usleep(2000);
		mprotect(self->mem + 17 * PAGE, PAGE, PROT_READ | PROT_WRITE);
	});
	EXPECT_LT(0, collapsed);
}

TEST_F(mmu, thp_partial_dontneed)
{
	madvise(self->mem, SIZE, MADV_HUGEPAGE);
	RACE(ZERO_OK, 20, "partial MADV_DONTNEED", {
		madvise(self->mem, SIZE, MADV_COLLAPSE);
		madvise(self->mem + 100 * PAGE, 3 * PAGE, MADV_DONTNEED);
		usleep(2000);
		fill(self->mem, 0);
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

/* How often the kernel has heard that a guest uses a page; -1: not from vtx. */
static long aged(void)
{
	FILE *f = fopen("/sys/kernel/debug/vtx/memory", "r");
	char line[64];
	long n = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "aged %ld", &n);
	if (f)
		fclose(f);
	return getenv("VTX_DEV") ? -1 : n;
}

/* M9. Without swap there is no place for them, but the kernel asks who uses them. */
TEST_F(mmu, pageout)
{
	long before = aged();

	RACE(WRITES, 10, "MADV_PAGEOUT", {
		madvise(self->mem, SIZE, MADV_COLD);
		madvise(self->mem, SIZE, MADV_PAGEOUT);
		usleep(2000);
	});
	if (before >= 0)
		EXPECT_LT(before + PAGES, aged());
}

/* A compressed block device in memory, as a swap device. Return: it can be had. */
static bool swap_on(void)
{
	/* struct swap_header */
	struct {
		char boot[1024];
		uint32_t version, last_page, nr_bad;
		char pad[PAGE - 1024 - 3 * 4 - 10], magic[10];
	} header = { .version = 1, .last_page = 4 * PAGES - 1 };
	int fd = open("/sys/block/zram0/disksize", O_WRONLY);
	bool done;

	done = fd >= 0 && dprintf(fd, "%lu\n", 4 * SIZE) > 0;
	close(fd);
	if (!done)
		return false;
	memcpy(header.magic, "SWAPSPACE2", 10);
	mknod("/dev/zram0", S_IFBLK | 0600, makedev(read_number("/sys/block/zram0/dev"), 0));
	fd = open("/dev/zram0", O_WRONLY);
	done = fd >= 0 && write(fd, &header, PAGE) == PAGE;
	close(fd);
	return done && !swapon("/dev/zram0", 0);
}

static long swapped_out(void)
{
	FILE *f = fopen("/proc/vmstat", "r");
	char line[64];
	long n = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "pswpout %ld", &n);
	fclose(f);
	return n;
}

TEST_F(mmu, swap)
{
	long before = swapped_out();
	int fd;

	if (!swap_on())
		SKIP(return, "needs root and an unused /dev/zram0");
	RACE(WRITES, 4 * PAGES, "times a page out to swap", {
		/* Who was young is not any more, if the guest was not quick. */
		madvise(self->mem + i % PAGES * PAGE, PAGE, MADV_PAGEOUT);
		madvise(self->mem + i % PAGES * PAGE, PAGE, MADV_PAGEOUT);
	});
	EXPECT_LT(before + PAGES, swapped_out());
	TH_LOG("%ld pages out", swapped_out() - before);
	EXPECT_EQ(0, swapoff("/dev/zram0"));
	fd = open("/sys/block/zram0/reset", O_WRONLY);
	EXPECT_LT(0, dprintf(fd, "1\n"));
	close(fd);
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

/* Slots go and come, and move, under running vCPUs. */
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
