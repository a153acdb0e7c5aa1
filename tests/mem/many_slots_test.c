// SPDX-License-Identifier: GPL-2.0
/* As many memory slots as there can be: all work, and the last costs what the first does. */
#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/vtx_test.h"

#define NEW	0x100000UL	/* where the first of them is; they leave a page between them */
#define WINDOW	1000		/* slots whose costs are compared */

FIXTURE(many) {
	struct vm m;
	uint32_t *page;		/* all slots have this one */
	int n;			/* slots 1 to n - 1 */
};

static uint64_t place(int slot)
{
	return NEW + slot * 2 * PAGE;
}

/* Instructions in Bochs, where the counter counts them. */
static uint64_t now(void)
{
	return __builtin_ia32_rdtsc();
}

FIXTURE_SETUP(many)
{
	vm_create(&self->m);
	self->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	self->page[0] = 0x600d;
	self->n = vm_cap(&self->m, KVM_CAP_NR_MEMSLOTS);
}

FIXTURE_TEARDOWN(many)
{
	vm_destroy(&self->m);
}

/* Highest first. Return: cycles for each of the last @WINDOW. */
static uint64_t fill(struct __test_metadata *_metadata, struct _test_data_many *self)
{
	uint64_t start = now(), first = 0;

	for (int i = 1; i < self->n; i++) {
		ASSERT_EQ(0, vm_set_slot(&self->m, i, place(self->n - i), PAGE, self->page))
			TH_LOG("slot %d: %s", i, strerror(errno));
		if (i == WINDOW)
			first = now() - start;
		if (i == self->n - 1 - WINDOW)
			start = now();
	}
	start = now() - start;
	TH_LOG("a slot: %lu of the first, %lu of the last",
	       (unsigned long)first / WINDOW, (unsigned long)start / WINDOW);
	/* Trees: the last ones cost some steps more. A copy of the map: 30 times. */
	EXPECT_GE(3 * first, start);
	return start / WINDOW;
}

TEST_F_TIMEOUT(many, all_slots_that_are_offered_can_be_had, 300)
{
	EXPECT_EQ(32764, self->n);
	fill(_metadata, self);
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, self->n, place(self->n), PAGE, self->page));
	EXPECT_ERRNO(EEXIST, vm_set_slot(&self->m, 1, place(1), PAGE, self->page));
	for (int i = 1; i < self->n; i += 1000)
		EXPECT_PEEK(0x600d, &self->m, place(i));
	EXPECT_PEEK(0x600d, &self->m, place(self->n - 1));
}

TEST_F_TIMEOUT(many, changes_cost_what_they_do_with_few, 300)
{
	uint64_t one = fill(_metadata, self), start;

	/* The same slot at a place of its own, and back. */
	start = now();
	for (int i = 0; i < WINDOW; i++)
		ASSERT_EQ(0, vm_set_slot(&self->m, 7, place(self->n + i), PAGE, self->page));
	ASSERT_EQ(0, vm_set_slot(&self->m, 7, place(self->n - 7), PAGE, self->page));
	start = now() - start;
	TH_LOG("a move: %lu", (unsigned long)start / WINDOW);
	EXPECT_GE(10 * one * WINDOW, start);

	start = now();
	for (int i = 1; i < self->n; i++)
		ASSERT_EQ(0, vm_set_slot(&self->m, i, 0, 0, NULL));
	start = now() - start;
	TH_LOG("a deletion: %lu", (unsigned long)start / self->n);
	EXPECT_GE(10 * one * self->n, start);
	EXPECT_PEEK(0, &self->m, 0);
}

TEST_F_TIMEOUT(many, the_end_of_a_vm_costs_less_than_its_slots, 300)
{
	uint64_t one = fill(_metadata, self), start;

	munmap(self->m.run, self->m.run_size);
	close(self->m.cpu);
	start = now();
	close(self->m.fd);
	start = now() - start;
	TH_LOG("end of the VM: %lu", (unsigned long)start);
	EXPECT_GE(one * self->n, start);
	vm_create(&self->m);
}

/* All slots have the page, a few hundred show it to the guest. */
TEST_F_TIMEOUT(many, memory_in_all_slots_leaves_all_of_them, 300)
{
	uint64_t start;

	fill(_metadata, self);
	for (int i = 1; i < self->n; i += 100)
		EXPECT_PEEK(0x600d, &self->m, place(i));
	start = now();
	ASSERT_EQ(0, madvise(self->page, PAGE, MADV_REMOVE));
	TH_LOG("a page in %d slots taken away: %lu", self->n, (unsigned long)(now() - start));
	for (int i = 1; i < self->n; i += 100)
		EXPECT_PEEK(0, &self->m, place(i));
	self->page[0] = 0xbeef;
	for (int i = 1; i < self->n; i += 1000)
		EXPECT_PEEK(0xbeef, &self->m, place(i));
}

/* Two megabytes in as many slots of two: what is taken away goes in pieces. */
TEST_F_TIMEOUT(many, ranges_in_many_slots_leave_all_of_them, 300)
{
	const int slots = 400, pages = 512;
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	uint64_t high = 1UL << 30;

	for (int i = 0; i < slots; i++)
		ASSERT_EQ(0, vm_set_slot(&self->m, 1 + i, high + i * pages * PAGE, pages * PAGE, p));
	for (int at = 0; at < pages; at += 100) {
		memset(p + at * PAGE, 1, 4);
		for (int i = 0; i < slots; i += 13)
			EXPECT_PEEK(0x01010101, &self->m, high + (i * pages + at) * PAGE);
	}
	ASSERT_EQ(0, madvise(p, pages * PAGE, MADV_DONTNEED));
	for (int at = 0; at < pages; at += 100)
		for (int i = 0; i < slots; i += 13)
			EXPECT_PEEK(0, &self->m, high + (i * pages + at) * PAGE);
}

TEST_HARNESS_MAIN
