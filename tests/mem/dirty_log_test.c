// SPDX-License-Identifier: GPL-2.0
/*
 * Dirty logs against a guest that keeps a bitmap of the pages it wrote to, and
 * a migration: what is copied by the log must be what the guest left.
 */
#include <pthread.h>

#include "uapi/vtx.h"
#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/vtx_test.h"

#define BASE	0x400000UL	/* slot 1 */
#define PAGES	1024
#define SLOT	1
#define WORDS	(PAGES / 64)
#define LARGE	0x200000UL
#define LARGES	2		/* pages of this size */
#define ROM	(BASE + PAGES * PAGE)

FIXTURE(log) {
	struct vm m;
	uint8_t *mem;
	uint64_t *written;	/* the guest's own bitmap */
	uint64_t log[WORDS];
	long large_before;	/* mapped to other guests; -1: nobody counts */
};

static int set_flags(struct vm *vm, uint32_t flags, uint64_t gpa, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = SLOT, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = PAGES * PAGE, .userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static int get_log(struct vm *vm, uint32_t slot, void *bitmap)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log);
}

static int clear_log(struct vm *vm, uint32_t slot, uint64_t first, uint32_t n, void *bitmap)
{
	struct kvm_clear_dirty_log log = {
		.slot = slot, .first_page = first, .num_pages = n, .dirty_bitmap = bitmap,
	};

	return ioctl(vm->fd, KVM_CLEAR_DIRTY_LOG, &log);
}

static int manual(struct vm *vm, uint64_t options)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { options },
	};

	return ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

FIXTURE_SETUP(log)
{
	uint8_t *p = mmap(NULL, PAGES * PAGE + LARGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	vm_create(&self->m);
	self->mem = (uint8_t *)(((uintptr_t)p + LARGE - 1) & ~(LARGE - 1));
	allow_large_pages();
	madvise(self->mem, PAGES * PAGE, MADV_HUGEPAGE);
	self->large_before = vtx_count("now_2m");
	self->written = (uint64_t *)(self->m.ram + SCRATCH);
	ASSERT_EQ(0, set_flags(&self->m, 0, BASE, self->mem));
}

FIXTURE_TEARDOWN(log)
{
	vm_destroy(&self->m);
}

/* The registers of payload scatter. */
static struct kvm_regs scatter_regs(uint64_t seed, uint64_t count, uint64_t bitmap)
{
	return (struct kvm_regs){ .rip = CODE, .rflags = 0x202, .rbx = BASE, .rcx = count,
				  .rsi = bitmap, .r8 = seed, .r9 = PAGES - 1 };
}

#define RUN_SCATTER(seed, count) do {					\
	struct kvm_regs regs = scatter_regs(seed, count, SCRATCH);	\
									\
	memset(self->written, 0, PAGES / 8);				\
	vm_start(&self->m, MODE_LONG, scatter);				\
	vm_set_regs(&self->m, &regs);					\
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);				\
} while (0)

/* Every page is mapped writable after this. */
#define RUN_TOUCH_ALL() do {						\
	vm_start(&self->m, MODE_LONG, touch_all);			\
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = BASE, \
						  .r9 = PAGES - 1 });	\
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);				\
} while (0)

#define EXPECT_LARGE(n) do {						\
	if (self->large_before >= 0)					\
		EXPECT_EQ(self->large_before + (n), vtx_count("now_2m")); \
} while (0)

static unsigned int count_bits(const uint64_t *bits)
{
	unsigned int n = 0;

	for (int i = 0; i < WORDS; i++)
		n += __builtin_popcountll(bits[i]);
	return n;
}

static unsigned int lost(const uint64_t *log, const uint64_t *written)
{
	unsigned int n = 0;

	for (int i = 0; i < WORDS; i++)
		n += __builtin_popcountll(written[i] & ~log[i]);
	return n;
}

static unsigned int too_many(const uint64_t *log, const uint64_t *written)
{
	return lost(written, log);
}

TEST_F(log, log_of_slot_without_gives_enoent)
{
	EXPECT_ERRNO(ENOENT, get_log(&self->m, SLOT, self->log));
	EXPECT_ERRNO(ENOENT, clear_log(&self->m, SLOT, 0, PAGES, self->log));
	EXPECT_ERRNO(ENOENT, get_log(&self->m, 7, self->log));
	EXPECT_ERRNO(EINVAL, get_log(&self->m, 0xffff, self->log));
	EXPECT_ERRNO(EINVAL, get_log(&self->m, 0x7fff0000 + SLOT, self->log));
}

TEST_F(log, log_to_bad_address_gives_efault)
{
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	EXPECT_ERRNO(EFAULT, get_log(&self->m, SLOT, (void *)8));
	EXPECT_ERRNO(EFAULT, clear_log(&self->m, SLOT, 0, PAGES, (void *)8));
}

TEST_F(log, clear_outside_slot_gives_einval)
{
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	EXPECT_ERRNO(EINVAL, clear_log(&self->m, SLOT, 1, 64, self->log));
	EXPECT_ERRNO(EINVAL, clear_log(&self->m, SLOT, 0, 65, self->log));
	EXPECT_ERRNO(EINVAL, clear_log(&self->m, SLOT, 0, PAGES + 64, self->log));
	EXPECT_ERRNO(EINVAL, clear_log(&self->m, SLOT, PAGES + 64, 0, self->log));
	EXPECT_ERRNO(EINVAL, clear_log(&self->m, SLOT, ~63ULL, 64, self->log));
	EXPECT_EQ(0, clear_log(&self->m, SLOT, PAGES - 64, 64, self->log));
	EXPECT_EQ(0, clear_log(&self->m, SLOT, PAGES, 0, self->log));
}

TEST_F(log, manual_protect_options)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { 1 }, .flags = 1,
	};

	EXPECT_EQ(3, vm_cap(&self->m, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_ENABLE_CAP, &cap));
	EXPECT_ERRNO(EINVAL, manual(&self->m, KVM_DIRTY_LOG_INITIALLY_SET));
	EXPECT_ERRNO(EINVAL, manual(&self->m, 4));
	EXPECT_EQ(0, manual(&self->m, 3));
	EXPECT_EQ(0, manual(&self->m, 1));
	EXPECT_EQ(0, manual(&self->m, 0));
}

/* 10 rounds of 2,000 accesses each, half of them reads. */
#define EXACT_LOG() do {						\
	RUN_TOUCH_ALL();						\
	EXPECT_LARGE(LARGES);						\
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem)); \
	RUN_TOUCH_ALL();						\
	EXPECT_LARGE(0);						\
	ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));		\
	EXPECT_EQ(PAGES, count_bits(self->log));			\
	for (int round = 0; round < 10; round++) {			\
		RUN_SCATTER(round + 1, 2000);				\
		ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));	\
		ASSERT_EQ(0, lost(self->log, self->written));		\
		ASSERT_EQ(0, too_many(self->log, self->written));	\
		ASSERT_GT(PAGES, count_bits(self->written));		\
	}								\
	ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));		\
	EXPECT_EQ(0, count_bits(self->log));				\
	/* Large again when nobody asks any more. */			\
	ASSERT_EQ(0, set_flags(&self->m, 0, BASE, self->mem));		\
	RUN_TOUCH_ALL();						\
	EXPECT_LARGE(LARGES);						\
} while (0)

TEST_F(log, log_is_what_the_guest_wrote)
{
	EXACT_LOG();
}

TEST_F(log, log_of_small_pages_is_what_the_guest_wrote)
{
	madvise(self->mem, PAGES * PAGE, MADV_NOHUGEPAGE);
	self->large_before = -1;
	EXACT_LOG();
}

TEST_F(log, log_of_hugetlb_is_what_the_guest_wrote)
{
	write_file("/proc/sys/vm/nr_hugepages", "2");
	if (mmap(self->mem, PAGES * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0) == MAP_FAILED)
		SKIP(return, "no huge pages");
	EXACT_LOG();
	munmap(self->mem, PAGES * PAGE);
	write_file("/proc/sys/vm/nr_hugepages", "0");
}

/* KVM takes a page that is read for the first time for written. */
TEST_F(log, log_from_the_start_misses_nothing)
{
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	for (int round = 0; round < 4; round++) {
		RUN_SCATTER(round + 77, 300);
		ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
		ASSERT_EQ(0, lost(self->log, self->written));
		if (!on_kvm())
			ASSERT_EQ(0, too_many(self->log, self->written));
	}
}

TEST_F(log, log_turned_off_and_on)
{
	RUN_TOUCH_ALL();
	for (int round = 0; round < 3; round++) {
		ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
		RUN_SCATTER(round + 3, 500);
		ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
		EXPECT_EQ(0, lost(self->log, self->written));
		ASSERT_EQ(0, set_flags(&self->m, 0, BASE, self->mem));
		EXPECT_ERRNO(ENOENT, get_log(&self->m, SLOT, self->log));
		RUN_TOUCH_ALL();
	}
}

TEST_F(log, log_survives_a_move_with_its_slot)
{
	RUN_TOUCH_ALL();
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	RUN_SCATTER(5, 500);
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE + 4 * LARGE, self->mem));
	ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
	EXPECT_EQ(0, lost(self->log, self->written));
}

TEST_F(log, readonly_cannot_change_but_log_can)
{
	EXPECT_ERRNO(EINVAL, set_flags(&self->m, KVM_MEM_READONLY, BASE, self->mem));
	EXPECT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	EXPECT_ERRNO(EINVAL, set_flags(&self->m, KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES,
				       BASE, self->mem));
	EXPECT_EQ(0, set_flags(&self->m, 0, BASE, self->mem));
}

TEST_F(log, manual_log_is_cleared_by_hand)
{
	uint64_t again[WORDS], half[WORDS] = { 0 };

	RUN_TOUCH_ALL();
	ASSERT_EQ(0, manual(&self->m, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE));
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	RUN_SCATTER(11, 3000);
	ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
	EXPECT_EQ(0, lost(self->log, self->written));
	EXPECT_EQ(0, too_many(self->log, self->written));
	ASSERT_EQ(0, get_log(&self->m, SLOT, again));
	EXPECT_EQ(0, memcmp(again, self->log, sizeof(again)));

	/* Bits that are cleared without being set have no effect. */
	memset(half, 0xff, sizeof(half) / 2);
	ASSERT_EQ(0, clear_log(&self->m, SLOT, 0, PAGES / 2, half));
	ASSERT_EQ(0, get_log(&self->m, SLOT, again));
	for (int i = 0; i < WORDS; i++)
		EXPECT_EQ(i < WORDS / 2 ? 0 : self->log[i], again[i]);

	ASSERT_EQ(0, clear_log(&self->m, SLOT, 0, PAGES, self->log));
	for (int round = 0; round < 5; round++) {
		RUN_SCATTER(100 + round, 1000);
		ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
		ASSERT_EQ(0, lost(self->log, self->written));
		ASSERT_EQ(0, too_many(self->log, self->written));
		ASSERT_EQ(0, clear_log(&self->m, SLOT, 0, PAGES, self->log));
	}
}

/*
 * A slot that can't be written, with a copy of the guest's page tables and all
 * accessed and dirty flags set in them, as firmware has it.
 */
static void tables_to_rom(struct vm *vm)
{
	struct kvm_userspace_memory_region region = {
		.slot = SLOT + 1, .flags = KVM_MEM_READONLY, .guest_phys_addr = ROM,
		.memory_size = SCRATCH - PAGE_TABLES,
	};
	struct kvm_sregs s = vm_sregs(vm);
	uint64_t *rom = mmap(NULL, region.memory_size, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	memcpy(rom, vm->ram + PAGE_TABLES, region.memory_size);
	for (size_t i = 0; i < region.memory_size / 8; i++) {
		if (rom[i] >= PAGE_TABLES && rom[i] < SCRATCH)
			rom[i] += ROM - PAGE_TABLES;
		if (rom[i] & 1)
			rom[i] |= 0x60;
	}
	region.userspace_addr = (uintptr_t)rom;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		die("read-only memory");
	s.cr3 = ROM;
	vm_set_sregs(vm, &s);
}

/* The CPU's look at page tables is a write where EPT has dirty flags. */
TEST_F(log, log_outlives_page_tables_in_rom)
{
	uint64_t before[WORDS];
	struct kvm_regs regs;

	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	RUN_SCATTER(5, 200);
	memcpy(before, self->written, sizeof(before));
	vm_start(&self->m, MODE_LONG, scatter);
	tables_to_rom(&self->m);
	for (int round = 0; round < 5; round++) {
		memset(self->written, 0, PAGES / 8);
		regs = scatter_regs(200 + round, 100, SCRATCH);
		vm_set_regs(&self->m, &regs);
		ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
		for (int i = 0; !round && i < WORDS; i++)
			self->written[i] |= before[i];
		ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
		EXPECT_EQ(0, lost(self->log, self->written));
		EXPECT_EQ(0, too_many(self->log, self->written));
	}
}

TEST_F(log, log_initially_set)
{
	uint64_t all[WORDS];

	RUN_TOUCH_ALL();
	ASSERT_EQ(0, manual(&self->m, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
				      KVM_DIRTY_LOG_INITIALLY_SET));
	EXPECT_LARGE(LARGES);
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	/* That it costs nothing to turn the log on is what the option is for. */
	EXPECT_LARGE(LARGES);
	ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
	EXPECT_EQ(PAGES, count_bits(self->log));
	memset(all, 0xff, sizeof(all));
	ASSERT_EQ(0, clear_log(&self->m, SLOT, 0, PAGES, all));
	EXPECT_LARGE(0);
	RUN_TOUCH_ALL();
	ASSERT_EQ(0, clear_log(&self->m, SLOT, 0, PAGES, all));
	RUN_SCATTER(21, 1000);
	ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
	EXPECT_EQ(0, lost(self->log, self->written));
	EXPECT_EQ(0, too_many(self->log, self->written));
}

/* 64 pages at a time, each time before the guest writes: large pages come apart. */
TEST_F(log, log_initially_set_is_cleared_in_parts)
{
	uint64_t part = -1ULL;

	RUN_TOUCH_ALL();
	EXPECT_LARGE(LARGES);
	ASSERT_EQ(0, manual(&self->m, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
				      KVM_DIRTY_LOG_INITIALLY_SET));
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	for (int word = 0; word < WORDS; word++) {
		ASSERT_EQ(0, clear_log(&self->m, SLOT, word * 64, 64, &part));
		RUN_SCATTER(word + 300, 60);
		ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
		ASSERT_EQ(0, lost(self->log, self->written));
		EXPECT_EQ(self->written[word], self->log[word]);
		for (int later = word + 1; later < WORDS; later++)
			EXPECT_EQ(-1ULL, self->log[later]);
	}
	EXPECT_LARGE(0);
}

/* What a thread of the race runs: one vCPU until it halts. */
static void *run_cpu(void *arg)
{
	struct vm *vm = arg;
	long r = vm_run(vm);

	return (void *)(r ? r : vm->run->exit_reason == KVM_EXIT_HLT ? 0 : 1000L);
}

static void copy_dirty(uint8_t *to, const uint8_t *from, const uint64_t *log)
{
	for (int i = 0; i < PAGES; i++)
		if (log[i / 64] >> (i % 64) & 1)
			memcpy(to + i * PAGE, from + i * PAGE, PAGE);
}

/*
 * Two vCPUs make 60,000 accesses while their memory is migrated: pages are
 * copied when the log names them. In the end both sides are the same.
 */
static void migrate(struct __test_metadata *_metadata, struct vm *m, uint8_t *mem, bool by_hand)
{
	struct vm cpu[2] = { *m, *m };
	uint8_t *copy = malloc(PAGES * PAGE);
	unsigned int rounds = 0, copied = 0;
	uint64_t log[WORDS];
	pthread_t thread[2];
	void *result;

	if (by_hand)
		ASSERT_EQ(0, manual(m, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE));
	cpu[1].cpu = vm_add_cpu(m, 1, &cpu[1].run);
	for (int i = 0; i < 2; i++) {
		struct kvm_regs regs = scatter_regs(i + 1, 30000, SCRATCH + i * PAGE);

		vm_start(&cpu[i], MODE_LONG, scatter);
		vm_set_regs(&cpu[i], &regs);
	}
	ASSERT_EQ(0, set_flags(m, KVM_MEM_LOG_DIRTY_PAGES, BASE, mem));
	memcpy(copy, mem, PAGES * PAGE);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, run_cpu, &cpu[i]));
	for (int left = 2; left; rounds++) {
		while (left && pthread_tryjoin_np(thread[left - 1], &result) == 0) {
			ASSERT_EQ(NULL, result);
			left--;
		}
		ASSERT_EQ(0, get_log(m, SLOT, log));
		if (by_hand)
			ASSERT_EQ(0, clear_log(m, SLOT, 0, PAGES, log));
		copy_dirty(copy, mem, log);
		copied += count_bits(log);
		usleep(1000);
	}
	ASSERT_EQ(0, memcmp(copy, mem, PAGES * PAGE))
		TH_LOG("%u rounds", rounds);
	TH_LOG("%u rounds, %u pages copied", rounds, copied);
	free(copy);
}

TEST_F(log, migration_of_two_vcpus_copies_everything)
{
	migrate(_metadata, &self->m, self->mem, false);
}

TEST_F(log, migration_by_manual_protect_copies_everything)
{
	migrate(_metadata, &self->m, self->mem, true);
}

static bool has_dirty_flags(void)
{
	int fd = open("/sys/module/vtx/parameters/ept_ad", O_RDONLY);
	char c = 0;

	if (fd >= 0 && read(fd, &c, 1) != 1)
		c = 0;
	close(fd);
	return c == 'Y';
}

/* A guest with page tables where nothing is does not slow its log down. */
TEST_F(log, log_keeps_dirty_flags_of_guest_with_bad_cr3)
{
	struct kvm_sregs s;
	long before;

	if (!has_dirty_flags() || vtx_count("mapped_4k") < 0)
		SKIP(return, "needs dirty flags of EPT, and debugfs");
	ASSERT_EQ(0, set_flags(&self->m, KVM_MEM_LOG_DIRTY_PAGES, BASE, self->mem));
	RUN_TOUCH_ALL();
	s = vm_sregs(&self->m);
	s.cr3 = BASE - PAGE;
	vm_set_sregs(&self->m, &s);
	ASSERT_EXIT(KVM_EXIT_INTERNAL_ERROR, &self->m);

	RUN_TOUCH_ALL();
	ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
	before = vtx_count("mapped_4k");
	RUN_TOUCH_ALL();
	EXPECT_EQ(before, vtx_count("mapped_4k"));
	ASSERT_EQ(0, get_log(&self->m, SLOT, self->log));
	EXPECT_EQ(PAGES, count_bits(self->log));
}

/* How often what CPUs hold of a VM's EPT had to go. */
static long ept_changes(struct vm *vm)
{
	struct vtx_tlb_stats stats;
	struct vtx_report report = { .size = sizeof(stats), .addr = (uintptr_t)&stats };

	if (ioctl(vm->fd, VTX_GET_TLB_STATS, &report))
		die("VTX_GET_TLB_STATS");
	return stats.event[VTX_TLB_EPT_CHANGES];
}

#define BIG	0x10000000UL		/* where 768 MBytes begin, */
#define BIG_PAGES (3 * BIG / PAGE)	/* their log takes six pages */

static void *big_slot(struct vm *vm, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = SLOT + 1, .flags = flags, .guest_phys_addr = BIG,
		.memory_size = BIG_PAGES * PAGE,
	};
	void *p = mmap(NULL, BIG_PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	madvise(p, BIG_PAGES * PAGE, MADV_NOHUGEPAGE);
	region.userspace_addr = (uintptr_t)p;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		die("a slot of 768 MBytes");
	return p;
}

TEST_F(log, large_log_is_read_with_one_flush)
{
	uint64_t *bits = calloc(BIG_PAGES / 64, 8);
	unsigned int dirty = 0;
	long before;

	if (on_kvm())
		SKIP(return, "counters of vtx");
	big_slot(&self->m, KVM_MEM_LOG_DIRTY_PAGES);
	for (int turn = 0; turn < 2; turn++) {
		for (uint64_t at = BIG; at < 4 * BIG; at += BIG) {
			vm_start(&self->m, MODE_LONG, poke64);
			vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2,
								  .rbx = at, .rax = 1 });
			ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
		}
		before = ept_changes(&self->m);
		ASSERT_EQ(0, get_log(&self->m, SLOT + 1, bits));
		EXPECT_EQ(before + 1, ept_changes(&self->m));
		for (unsigned int i = 0; i < BIG_PAGES / 64; i++)
			dirty += __builtin_popcountll(bits[i]);
		EXPECT_EQ(3 * (turn + 1), dirty);
	}
	before = ept_changes(&self->m);
	ASSERT_EQ(0, get_log(&self->m, SLOT + 1, bits));
	EXPECT_EQ(before, ept_changes(&self->m));
	free(bits);
}

/* Half of the user's bitmap is not there: no bit is cleared. */
TEST_F(log, clear_that_fails_clears_nothing)
{
	const size_t size = BIG_PAGES / 8;
	size_t kept = 0;
	uint8_t *bits = calloc(1, size);
	uint8_t *half = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(0, manual(&self->m, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
				      KVM_DIRTY_LOG_INITIALLY_SET));
	big_slot(&self->m, KVM_MEM_LOG_DIRTY_PAGES);
	memset(half, 0xff, size);
	munmap(half + size / 2, size / 2);
	EXPECT_ERRNO(EFAULT, clear_log(&self->m, SLOT + 1, 0, BIG_PAGES, half));
	ASSERT_EQ(0, get_log(&self->m, SLOT + 1, bits));
	for (size_t i = 0; i < size; i++)
		kept += bits[i] == 0xff;
	EXPECT_EQ(size, kept);
	ASSERT_EQ(0, clear_log(&self->m, SLOT + 1, 0, BIG_PAGES, bits));
	ASSERT_EQ(0, get_log(&self->m, SLOT + 1, bits));
	EXPECT_EQ(0, bits[0] | bits[size - 1]);
	free(bits);
	munmap(half, size / 2);
}

TEST_HARNESS_MAIN
