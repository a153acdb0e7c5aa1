// SPDX-License-Identifier: GPL-2.0
/* What populating guest memory costs, and memory that is refused. */
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/race.h"

FIXTURE(populate) {
	struct vm m;
	uint8_t *mem;
};

FIXTURE_SETUP(populate)
{
	vm_create(&self->m);
	self->mem = map_aligned(SIZE);
	madvise(self->mem, SIZE, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, BASE, SIZE, self->mem));
}

FIXTURE_TEARDOWN(populate)
{
	vm_destroy(&self->m);
}

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
		SKIP(return, "no memfd_secret");
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

static uint64_t cycles(void)
{
	return __builtin_ia32_rdtsc();
}

/* 64 MBytes that the process has: what it costs the guest to get them. */
static void touch_twice(struct __test_metadata *_metadata, struct vm *m, int advice,
		     const char *what)
{
	const unsigned long n = 16384;
	uint8_t *mem = map_aligned(n * PAGE);
	uint64_t start, first;

	/* Off by default on a machine as small as the test's. */
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	madvise(mem, n * PAGE, advice);
	memset(mem, 1, n * PAGE);
	ASSERT_EQ(0, vm_set_slot(m, 1, 0, 0, NULL));
	ASSERT_EQ(0, vm_set_slot(m, 1, BASE, n * PAGE, mem));
	for (int turn = 0; turn < 2; turn++) {
		vm_start(m, MODE_LONG, touch_all);
		vm_set_regs(m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = BASE, .r9 = n - 1 });
		start = cycles();
		ASSERT_EXIT(KVM_EXIT_HLT, m);
		if (!turn)
			first = cycles() - start;
	}
	TH_LOG("%s: %lu instructions per 4K page populated, %lu when there", what,
	       (unsigned long)(first / n), (unsigned long)((cycles() - start) / n));
	for (unsigned long i = 0; i < n; i++)
		if (*(uint32_t *)(mem + i * PAGE) != 0x01010103)
			EXPECT_EQ(0x01010103, *(uint32_t *)(mem + i * PAGE));
}

TEST_F(populate, small_pages)
{
	touch_twice(_metadata, &self->m, MADV_NOHUGEPAGE, "4K");
}

TEST_F(populate, large_pages)
{
	touch_twice(_metadata, &self->m, MADV_HUGEPAGE, "2M");
}

/* A number of the device's debugfs file; -1: not from vtx. */
static long counter(const char *name)
{
	FILE *f = fopen("/sys/kernel/debug/vtx/memory", "r");
	char line[64], key[64];
	long n = -1, value;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", key, &value) == 2 && !strcmp(key, name))
			n = value;
	if (f)
		fclose(f);
	return on_kvm() ? -1 : n;
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
	long before = counter("raced"), lost;
	pthread_t thread;
	void *result;

	if (before < 0)
		SKIP(return, "needs debugfs");
	changes = stop_changes = 0;
	ASSERT_EQ(0, pthread_create(&thread, NULL, change_other_memory, NULL));
	while (changes < 2)
		usleep(1000);
	touch_twice(_metadata, &self->m, MADV_NOHUGEPAGE, "4K beside changes");
	stop_changes = true;
	pthread_join(thread, &result);
	ASSERT_EQ(NULL, result);
	lost = counter("raced") - before;
	TH_LOG("%ld faults in vain beside %u changes", lost, changes / 2);
	/* Its own memory changed as well, and one fault can be under way at each end. */
	EXPECT_LT(lost, changes + 50);
}

/* Each 16th page is absent: it comes with the neighbours that are there. */
TEST_F(populate, absent_pages_bring_their_neighbours)
{
	long before = counter("mapped_4k");

	if (before < 0)
		SKIP(return, "needs debugfs");
	for (int i = 0; i < PAGES; i++)
		if (i % 16)
			self->mem[i * PAGE] = 1;
	vm_start(&self->m, MODE_LONG, touch_all);
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = BASE,
						  .r9 = PAGES - 1 });
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	TH_LOG("%ld faults for %d pages", counter("mapped_4k") - before, PAGES);
	EXPECT_GT(before + PAGES / 16 + 16, counter("mapped_4k"));
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
	ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_PAGEOUT));
	for (int i = 0; i < PAGES; i++)
		ASSERT_EQ(0x01010102, *(uint32_t *)(self->mem + i * PAGE));
}

TEST_HARNESS_MAIN
