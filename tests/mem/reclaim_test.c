// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel does with pages by itself, or when it is asked to: it frees,
 * merges, moves, collapses, splits, swaps and gives them up. Two vCPUs verify and
 * count meanwhile, as in mmu_test.
 */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

#include "kselftest_harness.h"
#include "lib/race.h"

REGION_FIXTURE(pages)

/* M2; what stays and what goes then is populate_test's. */
TEST_F(pages, madv_free)
{
	RACE(ZERO_OK, 16, "MADV_FREE", {
		madvise(self->mem + (i % 8) * (SIZE / 8), SIZE / 8, MADV_FREE);
		usleep(1000);
		/* Without swap only what is free and was not written to since can go. */
		madvise(self->mem, SIZE, MADV_PAGEOUT);
		fill(self->mem, 0);
	});
}

/* M6 */
static bool merging(bool on, uint8_t *mem)
{
	if (!on)
		return write_file("/sys/kernel/mm/ksm/run", "2");
	return write_file("/sys/kernel/mm/ksm/pages_to_scan", "10000") &&
	       write_file("/sys/kernel/mm/ksm/sleep_millisecs", "1") &&
	       !madvise(mem, SIZE, MADV_MERGEABLE) && write_file("/sys/kernel/mm/ksm/run", "1");
}

/* Return: how many pages share another's, after at most 2 s. */
static long merged(long enough)
{
	long n;

	for (int t = 0; t < 1000; t++) {
		n = read_number("/sys/kernel/mm/ksm/pages_sharing");
		if (n >= enough)
			break;
		usleep(2000);
	}
	return n;
}

TEST_F(pages, ksm_merge_and_break)
{
	long sharing = 0;

	if (!merging(true, self->mem))
		SKIP(return, "no KSM");
	RACE(ALL_SAME, 6, "merges and breaks", {
		sharing += merged(64);
		/* Writing the same again breaks the sharing. */
		fill(self->mem, ALL_SAME);
	});
	merging(false, NULL);
	EXPECT_LT(0, sharing);
}

/* The guest breaks the sharing; who shares the page with it sees no write. */
TEST_F(pages, ksm_pages_written_by_the_guest)
{
	uint8_t *others = map_aligned(SIZE);

	madvise(others, SIZE, MADV_NOHUGEPAGE);
	fill(others, ALL_SAME);
	if (!merging(true, self->mem) || !merging(true, others))
		SKIP(return, "no KSM");
	RACE(ALL_SAME | REWRITES, 4, "merges", EXPECT_LE(64, merged(64)));
	EXPECT_LE(2 * PAGES - 8, merged(2 * PAGES - 8));
	for (int turn = 0; turn < 2; turn++) {
		/* First a look, then a write to what the look has mapped. */
		if (!turn)
			vm_start(&self->m, MODE_LONG, sum_all);
		else
			vm_start(&self->m, MODE_LONG, touch_all);
		vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = BASE,
							  .r9 = PAGES - 1 });
		ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	}
	for (uint64_t p = 0; p < PAGES; p++) {
		EXPECT_EQ(MAGIC + 1, *(uint64_t *)(self->mem + p * PAGE));
		EXPECT_EQ(MAGIC, *(uint64_t *)(others + p * PAGE));
	}
	merging(false, NULL);
}

/* M7 */
TEST_F(pages, compaction_moves_pages)
{
	static const char cpu_lists[] = "/proc/sys/vm/percpu_pagelist_high_fraction";
	long before = vmstat("pgmigrate_success");
	uint8_t *holes = map_aligned(8 * SIZE);
	char kept[32];

	if (access("/proc/sys/vm/compact_memory", W_OK))
		SKIP(return, "no compaction");
	/*
	 * Every other page is free: something to move, and where to. The CPUs' own
	 * lists of free pages are none to it, and take thousands on Linux 6.12.
	 */
	snprintf(kept, sizeof(kept), "%ld", read_number(cpu_lists));
	write_file(cpu_lists, "1000");
	madvise(holes, 8 * SIZE, MADV_NOHUGEPAGE);
	memset(holes, 1, 8 * SIZE);
	for (size_t at = 0; at < 8 * SIZE; at += 2 * PAGE)
		madvise(holes + at, PAGE, MADV_DONTNEED);
	RACE(WRITES, 8, "compactions", {
		write_file("/proc/sys/vm/compact_memory", "1");
		usleep(1000);
	});
	write_file(cpu_lists, kept);
	EXPECT_LT(before, vmstat("pgmigrate_success"));
	TH_LOG("%ld pages moved", vmstat("pgmigrate_success") - before);
}

/* Of all that makes the kernel move a page, the one that says which. */
TEST_F(pages, soft_offline_moves_pages)
{
	long before = vmstat("pgmigrate_success");

	if (madvise(map_at(NULL, PAGE, MAP_POPULATE, -1), PAGE, MADV_SOFT_OFFLINE))
		SKIP(return, "no MADV_SOFT_OFFLINE: %s", strerror(errno));
	RACE(WRITES, 24, "pages moved", {
		ASSERT_EQ(0, madvise(self->mem + i * 21 * PAGE, PAGE, MADV_SOFT_OFFLINE));
		usleep(1000);
	});
	EXPECT_LE(before + 24, vmstat("pgmigrate_success"));
}

/* M8 */
TEST_F(pages, thp_collapse_and_split)
{
	long mapped = vtx_count("mapped_2m");
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
	if (mapped >= 0)
		EXPECT_LE(mapped + collapsed, vtx_count("mapped_2m"));
}

TEST_F(pages, thp_partial_dontneed)
{
	long mapped = vtx_count("mapped_2m"), split = vtx_count("split_2m");
	unsigned int collapsed = 0;

	madvise(self->mem, SIZE, MADV_HUGEPAGE);
	RACE(ZERO_OK, 20, "partial MADV_DONTNEED", {
		collapsed += madvise(self->mem, SIZE, MADV_COLLAPSE) == 0;
		EXPECT_TRUE(wait_passes(&self->m, _r, 1));
		madvise(self->mem + 100 * PAGE, 3 * PAGE, MADV_DONTNEED);
		usleep(2000);
		fill(self->mem, 0);
	});
	EXPECT_LT(0, collapsed);
	if (mapped >= 0) {
		EXPECT_LE(mapped + collapsed, vtx_count("mapped_2m"));
		TH_LOG("%u collapses, %ld mapped, %ld split", collapsed,
		       vtx_count("mapped_2m") - mapped, vtx_count("split_2m") - split);
	}
}

/* M9. Without swap there is no place for them. */
TEST_F(pages, pageout)
{
	RACE(WRITES, 10, "MADV_PAGEOUT", {
		madvise(self->mem, SIZE, MADV_COLD);
		madvise(self->mem, SIZE, MADV_PAGEOUT);
		usleep(2000);
	});
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

/* Return: all is back from it. */
static bool swap_off(void)
{
	return !swapoff("/dev/zram0") && write_file("/sys/block/zram0/reset", "1\n");
}

TEST_F(pages, swap)
{
	long before = vmstat("pswpout");

	if (!swap_on())
		SKIP(return, "needs root and an unused /dev/zram0");
	RACE(WRITES, 4 * PAGES, "times a page out to swap", {
		/* Who was young is not any more, if the guest was not quick. */
		madvise(self->mem + i % PAGES * PAGE, PAGE, MADV_PAGEOUT);
		madvise(self->mem + i % PAGES * PAGE, PAGE, MADV_PAGEOUT);
	});
	EXPECT_LT(before + PAGES, vmstat("pswpout"));
	TH_LOG("%ld pages out", vmstat("pswpout") - before);
	EXPECT_TRUE(swap_off());
}

#define CGROUPS	"/tmp/vtx-cgroups"
#define GROUP	CGROUPS "/vtx-tests"

/* What this process touches first from now on is in a group, to be told to shrink. */
static bool enter_group(void)
{
	mkdir(CGROUPS, 0700);
	return !mount("none", CGROUPS, "cgroup2", 0, NULL) &&
	       write_file(CGROUPS "/cgroup.subtree_control", "+memory") &&
	       !mkdir(GROUP, 0700) && write_file(GROUP "/cgroup.procs", "0") &&
	       !access(GROUP "/memory.reclaim", W_OK);
}

static void leave_group(void)
{
	write_file(CGROUPS "/cgroup.procs", "0");
	rmdir(GROUP);
	umount(CGROUPS);
	rmdir(CGROUPS);
}

/* Who makes room by itself asks first which pages are in use. */
TEST_F(pages, group_shrinks)
{
	long before = vmstat("pswpout"), aged = vtx_count("aged");

	if (!enter_group() || !swap_on()) {
		leave_group();
		SKIP(return, "needs root, cgroup2 with memory.reclaim, an unused /dev/zram0");
	}
	madvise(self->mem, SIZE, MADV_DONTNEED);
	fill(self->mem, 0);
	RACE(WRITES, 3, "times the group shrinks", {
		/* Less than asked for is EAGAIN: the rest is in use. */
		write_file(GROUP "/memory.reclaim", "64K");
		usleep(1000);
	});
	TH_LOG("%ld pages out, %ld asked for", vmstat("pswpout") - before,
	       vtx_count("aged") - aged);
	EXPECT_LT(before, vmstat("pswpout"));
	if (aged >= 0)
		EXPECT_LT(aged + PAGES, vtx_count("aged"));
	EXPECT_TRUE(swap_off());
	leave_group();
}

/* M14 */
static volatile unsigned int bus_errors;

static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	if (info->si_code == BUS_MCEERR_AR)
		bus_errors++;
}

TEST_F(pages, poisoned_and_replaced)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };
	unsigned int before;
	uint8_t *p;

	sigaction(SIGBUS, &action, NULL);
	if (madvise(map_at(NULL, PAGE, MAP_POPULATE, -1), PAGE, MADV_HWPOISON))
		SKIP(return, "no MADV_HWPOISON: %s", strerror(errno));
	RACE(ZERO_OK, 8, "pages poisoned", {
		p = self->mem + (i * 61 + 1) * PAGE;
		before = bus_errors;
		/* Refused while somebody else holds the page, as the fault path does. */
		while (madvise(p, PAGE, MADV_HWPOISON) && errno == EBUSY)
			usleep(100);
		for (int t = 0; t < 1000 && bus_errors == before; t++)
			usleep(1000);
		EXPECT_LT(before, bus_errors);
		map_at(p, PAGE, MAP_FIXED, -1);
		fill(self->mem, 0);
	});
}

TEST_HARNESS_MAIN
