// SPDX-License-Identifier: GPL-2.0
/* What populating guest memory costs, and memory that is refused. */
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/race.h"

REGION_FIXTURE(populate)

/* The guest's only access to a page at BASE. */
#define PEEK(error) do {						\
	vm_start(&self->m, MODE_LONG, peek64);				\
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = BASE }); \
	EXPECT_EQ((error), vm_run(&self->m));				\
} while (0)

/* M11: its pages are nobody else's. */
TEST_F(populate, memfd_secret_is_refused)
{
	int fd = syscall(447, 0);

	if (fd < 0)
		SKIP(return, "no memfd_secret, which wants secretmem.enable=1 of the kernel");
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	map_at(self->mem, SIZE, MAP_FIXED, fd);
	*(uint64_t *)self->mem = 1;
	PEEK(-EFAULT);
}

/* M12: device memory and pages of the kernel have no page to follow. */
TEST_F(populate, pfnmap_is_refused)
{
	int fd = open("/dev/mem", O_RDONLY | O_SYNC);

	if (on_kvm())
		SKIP(return, "KVM follows PFN mappings");
	if (fd < 0 || mmap(self->mem, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0xf0000) ==
	    MAP_FAILED)
		SKIP(return, "no /dev/mem");
	PEEK(-EFAULT);
}

/* Who counts instructions and not time takes a chain of multiplications for so many of them. */
static bool counts_instructions(void)
{
	uint64_t start = __builtin_ia32_rdtsc(), n;

	asm volatile("1: .rept 100; imul %%rax, %%rax; .endr; dec %%ecx; jnz 1b"
		     : : "a" (1), "c" (10) : "cc");
	n = __builtin_ia32_rdtsc() - start;
	return n >= 1000 && n < 1050;
}

/* What touching 64 MBytes that the process has took. */
struct cost {
	uint64_t first, again;	/* cycles for a page of 4 KBytes */
	long small, around, large, large_now;
};

#define TOUCHED	16384UL		/* pages */

static struct cost count_all(void)
{
	return (struct cost){
		.small = vtx_count("mapped_4k"), .around = vtx_count("mapped_around"),
		.large = vtx_count("mapped_2m"), .large_now = vtx_count("now_2m"),
	};
}

static uint8_t *memory_to_touch(int advice)
{
	uint8_t *mem = map_aligned(TOUCHED * PAGE);

	allow_large_pages();
	madvise(mem, TOUCHED * PAGE, advice);
	memset(mem, 1, TOUCHED * PAGE);
	return mem;
}

static struct cost touch_twice(struct vm *m, uint8_t *mem)
{
	struct cost before, cost;
	uint64_t cycles[2];

	if (vm_set_slot(m, 1, 0, 0, NULL) || vm_set_slot(m, 1, BASE, TOUCHED * PAGE, mem))
		die("KVM_SET_USER_MEMORY_REGION");
	before = count_all();
	for (int turn = 0; turn < 2; turn++) {
		vm_start(m, MODE_LONG, touch_all);
		vm_set_regs(m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = BASE,
						   .r9 = TOUCHED - 1 });
		cycles[turn] = __builtin_ia32_rdtsc();
		if (vm_run(m) || m->run->exit_reason != KVM_EXIT_HLT)
			die("exit %u", m->run->exit_reason);
		cycles[turn] = __builtin_ia32_rdtsc() - cycles[turn];
	}
	for (unsigned long i = 0; i < TOUCHED; i++)
		if (*(uint32_t *)(mem + i * PAGE) != 0x01010103)
			die("page %lu has %#x", i, *(uint32_t *)(mem + i * PAGE));
	cost = count_all();
	cost.small -= before.small;
	cost.around -= before.around;
	cost.large -= before.large;
	cost.large_now -= before.large_now;
	cost.first = cycles[0] / TOUCHED;
	cost.again = cycles[1] / TOUCHED;
	return cost;
}

#define LOG_COST(what, c)						\
	TH_LOG("%s: %lu cycles per 4K page populated, %lu when there; %ld pages of 4K, "	\
	       "%ld around, %ld of 2M", what, (unsigned long)(c).first,	\
	       (unsigned long)(c).again, (c).small, (c).around, (c).large)

static void *free_again_and_again(void *arg)
{
	volatile bool *stop = arg;
	uint8_t *mem = map_aligned(PAGE);

	while (!*stop) {
		*(volatile uint8_t *)mem = 1;
		madvise(mem, PAGE, MADV_DONTNEED);
	}
	return NULL;
}

/* What the process does with memory that no slot has is nothing to its guests. */
TEST_F(populate, other_memory_goes)
{
	uint8_t *mem = memory_to_touch(MADV_NOHUGEPAGE);
	volatile bool stop = false;
	pthread_t thread[3];
	long raced;

	if (vtx_count("raced") < 0)
		SKIP(return, "no counters: not vtx, or no debugfs");
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, free_again_and_again, (void *)&stop));
	raced = vtx_count("raced");
	for (int i = 0; i < 4; i++)
		touch_twice(&self->m, memset(mem, 1, TOUCHED * PAGE));
	raced = vtx_count("raced") - raced;
	stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	TH_LOG("%ld faults came again", raced);
	/* A thread that is held up while others free memory may have to look twice. */
	EXPECT_GT(16, raced);
}

/* Most small pages come with a neighbour that was asked for. */
TEST_F(populate, small_pages)
{
	struct cost c = touch_twice(&self->m, memory_to_touch(MADV_NOHUGEPAGE));

	LOG_COST("4K", c);
	if (vtx_count("now_2m") < 0)
		SKIP(return, "no counters: not vtx, or no debugfs");
	EXPECT_LE(TOUCHED, c.small + c.around);
	EXPECT_LE(TOUCHED * 7 / 8, c.around);
	EXPECT_EQ(0, c.large);
	EXPECT_EQ(0, c.large_now);
}

TEST_F(populate, large_pages)
{
	struct cost c = touch_twice(&self->m, memory_to_touch(MADV_HUGEPAGE));

	LOG_COST("2M", c);
	if (vtx_count("now_2m") < 0)
		SKIP(return, "no counters: not vtx, or no debugfs");
	EXPECT_EQ(TOUCHED * PAGE / LARGE, c.large);
	EXPECT_EQ(TOUCHED * PAGE / LARGE, c.large_now);
	/* The guest's code and page tables. */
	EXPECT_GT(64, c.small + c.around);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0, 0, NULL));
	EXPECT_EQ(0, vtx_count("now_2m"));
}

/* A quarter of KVM's 3,482, where that can be counted. */
TEST_F(populate, small_pages_are_cheap)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1 || !counts_instructions())
		SKIP(return, "needs one CPU whose TSC counts instructions");
	EXPECT_GE(870, touch_twice(&self->m, memory_to_touch(MADV_NOHUGEPAGE)).first);
}

static bool has_itlb_multihit(void)
{
	char text[64] = "Not";
	int fd = open("/sys/devices/system/cpu/vulnerabilities/itlb_multihit", O_RDONLY);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strncmp(text, "Not", 3);
}

/* CVE-2018-12207 */
#define SKIP_UNLESS_SPLIT() do {					\
	if (!has_itlb_multihit())					\
		SKIP(return, "the CPU can have code in large pages");	\
	if (vtx_count("now_2m") < 0)					\
		SKIP(return, "no counters: not vtx, or no debugfs");	\
} while (0)

/* Touches the first @n pages of the region, by code at @rip. */
#define TOUCH(at, n) do {						\
	vm_start(&self->m, MODE_LONG, touch_all);			\
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = (at), .rflags = 2, .rbx = BASE, \
						  .r9 = (n) - 1 });	\
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);				\
} while (0)

/* One that is executed is taken apart once, and stays so while both vCPUs use it. */
TEST_F(populate, large_pages_have_no_code)
{
	extern const uint8_t guest_touch_all[], guest_touch_all_end[];
	extern const uint8_t guest_verify[], guest_verify_end[];
	uint8_t *inside = self->mem + INSIDE_AT - BASE;
	long splits, large, mapped;

	SKIP_UNLESS_SPLIT();
	allow_large_pages();
	madvise(self->mem, SIZE, MADV_HUGEPAGE);
	memcpy(inside, guest_touch_all, guest_touch_all_end - guest_touch_all);
	large = vtx_count("now_2m");
	mapped = vtx_count("mapped_2m");
	TOUCH(CODE, 1);
	ASSERT_EQ(large + 1, vtx_count("now_2m"));
	splits = vtx_count("split_2m");
	TOUCH(INSIDE_AT, PAGES);
	EXPECT_EQ(splits + 1, vtx_count("split_2m"));
	EXPECT_EQ(large, vtx_count("now_2m"));

	memcpy(inside, guest_verify, guest_verify_end - guest_verify);
	RACE(WRITES | INSIDE, 1, "run", EXPECT_TRUE(wait_passes(&self->m, _r, 2)));
	EXPECT_EQ(splits + 1, vtx_count("split_2m"));
	EXPECT_EQ(mapped + 1, vtx_count("mapped_2m"));
	EXPECT_EQ(large, vtx_count("now_2m"));
}

static volatile unsigned int changes;
static volatile bool stop_changes;

/* Memory that no guest has is changed nearly all the time. */
static void *change_other_memory(void *arg)
{
	const size_t size = 16UL << 20;
	uint8_t *mem = map_aligned(size);

	madvise(mem, size, MADV_NOHUGEPAGE);
	memset(mem, 1, size);
	while (!stop_changes) {
		changes++;
		mprotect(mem, size, changes / 2 % 2 ? PROT_READ : PROT_READ | PROT_WRITE);
		changes++;
	}
	return munmap(mem, size) ? mem : NULL;
}

TEST_F(populate, goes_on_while_other_memory_changes)
{
	long before = vtx_count("raced"), lost;
	/* Before the changes begin: each fault of the process would wait for one. */
	uint8_t *mem = memory_to_touch(MADV_NOHUGEPAGE);
	struct cost c;
	pthread_t thread;
	void *result;

	if (before < 0)
		SKIP(return, "needs debugfs");
	changes = stop_changes = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, change_other_memory, NULL));
	while (changes < 2)
		usleep(1000);
	c = touch_twice(&self->m, mem);
	LOG_COST("4K beside changes", c);
	stop_changes = true;
	pthread_join(thread, &result);
	ASSERT_EQ(NULL, result);
	lost = vtx_count("raced") - before;
	TH_LOG("%ld faults in vain beside %u changes", lost, changes / 2);
	/* Its own memory changed as well, and one fault can be under way at each end. */
	EXPECT_LT(lost, changes + 50);
}

/* Each 16th page is absent: it comes with the neighbours that are there. */
TEST_F(populate, absent_pages_bring_their_neighbours)
{
	long before = vtx_count("mapped_4k");

	if (before < 0)
		SKIP(return, "needs debugfs");
	for (int i = 0; i < PAGES; i++)
		if (i % 16)
			self->mem[i * PAGE] = 1;
	vm_start(&self->m, MODE_LONG, touch_all);
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = BASE,
						  .r9 = PAGES - 1 });
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	TH_LOG("%ld faults for %d pages", vtx_count("mapped_4k") - before, PAGES);
	EXPECT_GT(before + PAGES / 16 + 16, vtx_count("mapped_4k"));
}

/* What MADV_FREE has given up goes, though the guest has read some of it. */
TEST_F(populate, freed_pages_that_are_read_go)
{
	unsigned int kept = 0;

	if (on_kvm())
		SKIP(return, "KVM marks what it maps as dirty");
	memset(self->mem, 1, SIZE);
	ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_FREE));
	vm_start(&self->m, MODE_LONG, peek64);
	for (int i = 0; i < 64; i += 8) {
		vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2,
							  .rbx = BASE + i * PAGE });
		ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	}
	/* Who was young is not any more. */
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_PAGEOUT));
	for (int i = 0; i < PAGES; i++)
		kept += self->mem[i * PAGE] != 0;
	TH_LOG("%u of %d pages are still there", kept, PAGES);
	EXPECT_GT(16, kept);
}

/* Unless it has written: that makes the page the process's again. */
TEST_F(populate, freed_pages_that_are_written_stay)
{
	memset(self->mem, 1, SIZE);
	ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_FREE));
	vm_start(&self->m, MODE_LONG, touch_all);
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = BASE,
						  .r9 = PAGES - 1 });
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_PAGEOUT));
	for (int i = 0; i < PAGES; i++)
		ASSERT_EQ(0x01010102, *(uint32_t *)(self->mem + i * PAGE));
}

/* From the first access on, one vCPU executes what the other writes to. */
TEST_F(populate, large_page_executed_and_written_comes_apart_once)
{
	extern const uint8_t guest_verify[], guest_verify_end[];
	long splits;

	SKIP_UNLESS_SPLIT();
	allow_large_pages();
	madvise(self->mem, SIZE, MADV_HUGEPAGE);
	memcpy(self->mem + INSIDE_AT - BASE, guest_verify, guest_verify_end - guest_verify);
	splits = vtx_count("split_2m");
	RACE(WRITES | INSIDE, 1, "run", EXPECT_TRUE(wait_passes(&self->m, _r, 2)));
	/* Each vCPU may come to it once without having seen what the other did. */
	EXPECT_GE(splits + RACERS, vtx_count("split_2m"));
}

TEST_HARNESS_MAIN
