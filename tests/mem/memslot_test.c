// SPDX-License-Identifier: GPL-2.0
/* Memory regions: what is refused, and what a guest sees when they change. */
#include <cpuid.h>

#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/vtx_test.h"

#define NEW	0x100000UL	/* where these tests add memory: above slot 0 */

VM_FIXTURE

static void *pages(size_t n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap of %zu pages", n);
	return p;
}

TEST_F(vm, region_unaligned_gives_einval)
{
	char *p = pages(4);

	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW + 1, PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW + PAGE / 2, PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, PAGE + 1, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, 1, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, PAGE, p + 1));
}

TEST_F(vm, region_overlap_gives_eexist)
{
	char *p = pages(8);

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, 4 * PAGE, p));
	EXPECT_ERRNO(EEXIST, vm_set_slot(&self->m, 2, NEW, 4 * PAGE, p + 4 * PAGE));
	EXPECT_ERRNO(EEXIST, vm_set_slot(&self->m, 2, NEW + 3 * PAGE, PAGE, p + 4 * PAGE));
	EXPECT_ERRNO(EEXIST, vm_set_slot(&self->m, 2, NEW - PAGE, 2 * PAGE, p + 4 * PAGE));
	EXPECT_ERRNO(EEXIST, vm_set_slot(&self->m, 2, NEW - PAGE, 8 * PAGE, p));
	EXPECT_EQ(0, vm_set_slot(&self->m, 2, NEW - PAGE, PAGE, p + 4 * PAGE));
	EXPECT_EQ(0, vm_set_slot(&self->m, 3, NEW + 4 * PAGE, PAGE, p + 5 * PAGE));
}

TEST_F(vm, region_same_memory_in_two_slots_works)
{
	char *p = pages(1);

	EXPECT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_EQ(0, vm_set_slot(&self->m, 2, NEW + PAGE, PAGE, p));
}

TEST_F(vm, region_wrapping_gives_einval)
{
	char *p = pages(2);

	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, -PAGE, 2 * PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, -PAGE, PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, -PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, 2 * PAGE, (void *)-PAGE));
}

TEST_F(vm, region_too_large_gives_einval)
{
	char *p = pages(1);

	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, 1UL << 43, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, 1UL << 62, p));
}

TEST_F(vm, region_kernel_address_gives_einval)
{
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, PAGE, (void *)0xffff888000000000UL));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, PAGE, (void *)0xffffffff81000000UL));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, PAGE, (void *)0x8000000000000000UL));
}

TEST_F(vm, region_slot_id_out_of_range_gives_einval)
{
	int nr = vm_cap(&self->m, KVM_CAP_NR_MEMSLOTS);
	char *p = pages(1);

	if (nr < 0x10000)
		EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, nr, NEW, PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 0xffff, NEW, PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 0x7fff0000, NEW, PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, -1, NEW, PAGE, p));
}

TEST_F(vm, region_last_slot_id_works)
{
	int nr = vm_cap(&self->m, KVM_CAP_NR_MEMSLOTS);

	ASSERT_LT(0, nr);
	EXPECT_EQ(0, vm_set_slot(&self->m, nr - 1, NEW, PAGE, pages(1)));
}

TEST_F(vm, region_unknown_flags_give_einval)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = NEW, .memory_size = PAGE,
		.userspace_addr = (uintptr_t)pages(1),
	};

	for (int bit = 2; bit < 32; bit++) {
		region.flags = 1U << bit;
		EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_SET_USER_MEMORY_REGION, &region));
	}
}

/* Read-only memory is a capability; without it the flag is refused. */
TEST_F(vm, region_readonly_needs_its_capability)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .guest_phys_addr = NEW, .memory_size = PAGE,
		.userspace_addr = (uintptr_t)pages(1), .flags = KVM_MEM_READONLY,
	};
	int ret = ioctl(self->m.fd, KVM_SET_USER_MEMORY_REGION, &region);

	EXPECT_EQ(vm_cap(&self->m, KVM_CAP_READONLY_MEM) ? 0 : -1, ret);
}

/* KVM looks at what EPT can reach last, and only where memory comes. */
TEST_F(vm, region_out_of_reach_gives_einval)
{
	unsigned int eax, ebx, ecx, edx, bits;
	char *p = pages(2);
	uint64_t end;

	/* The CPU's physical addresses, of which four levels of EPT reach 48 bits. */
	ASSERT_NE(0, __get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx));
	bits = eax & 0xff;
	end = 1ULL << (bits < 48 ? bits : 48);
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, end, PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, end - PAGE, 2 * PAGE, p));
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, end - PAGE, PAGE, p));
	EXPECT_ERRNO(EEXIST, vm_set_slot(&self->m, 2, end - PAGE, 2 * PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, end, PAGE, p));
	EXPECT_EQ(0, vm_set_slot(&self->m, 1, end + PAGE, 0, NULL));
}

TEST_F(vm, region_delete_absent_gives_einval)
{
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, 0, NULL));
}

TEST_F(vm, region_resize_gives_einval)
{
	char *p = pages(4);

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, 2 * PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, 3 * PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, PAGE, p));
}

TEST_F(vm, region_change_of_backing_gives_einval)
{
	char *p = pages(4);

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, PAGE, p + PAGE));
}

TEST_F(vm, region_set_again_unchanged_works)
{
	char *p = pages(1);

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
}

TEST_F(vm, region_move_onto_another_gives_eexist)
{
	char *p = pages(2);

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	ASSERT_EQ(0, vm_set_slot(&self->m, 2, NEW + PAGE, PAGE, p + PAGE));
	EXPECT_ERRNO(EEXIST, vm_set_slot(&self->m, 2, NEW, PAGE, p + PAGE));
}

/* A failed call leaves the map as it was. */
TEST_F(vm, region_refused_change_keeps_old)
{
	char *p = pages(2);

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_ERRNO(EINVAL, vm_set_slot(&self->m, 1, NEW, 2 * PAGE, p));
	EXPECT_ERRNO(EEXIST, vm_set_slot(&self->m, 1, 0, PAGE, p));
	EXPECT_ERRNO(EEXIST, vm_set_slot(&self->m, 2, NEW, PAGE, p + PAGE));
}

TEST_F(vm, region_509_slots_work_and_hold_their_own)
{
	const int n = 509;
	char *p = pages(n);
	struct kvm_regs regs;

	for (int i = 1; i < n; i++) {
		*(uint32_t *)(p + i * PAGE) = 0x1000 + i;
		/* From the top down and apart, so that order and merging are tried. */
		ASSERT_EQ(0, vm_set_slot(&self->m, i, NEW + (n - i) * 2 * PAGE, PAGE, p + i * PAGE))
			TH_LOG("slot %d", i);
	}
	vm_start(&self->m, MODE_PROT, sum_pages);
	regs = vm_regs(&self->m);
	regs.rbx = NEW + 2 * PAGE;
	regs.rcx = n - 1;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ((n - 1) * 0x1000 + (n - 1) * n / 2, vm_regs(&self->m).rax);
}

#define EXPECT_HOLE(m, gpa) do {					\
	vm_start_peek((m), (gpa));						\
	ASSERT_EXIT(KVM_EXIT_MMIO, (m));				\
	EXPECT_EQ((gpa), (m)->run->mmio.phys_addr);			\
	vm_finish_io(m);						\
} while (0)

TEST_F(vm, memory_added_is_seen)
{
	uint32_t *p = pages(1);

	EXPECT_HOLE(&self->m, NEW);
	p[0] = 0x12345678;
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_PEEK(0x12345678, &self->m, NEW);
	EXPECT_HOLE(&self->m, NEW + PAGE);
	EXPECT_HOLE(&self->m, NEW - 4);
}

TEST_F(vm, memory_deleted_becomes_hole)
{
	uint32_t *p = pages(2);

	p[0] = 1;
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, 2 * PAGE, p));
	EXPECT_PEEK(1, &self->m, NEW);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0, 0, NULL));
	EXPECT_HOLE(&self->m, NEW);
	EXPECT_HOLE(&self->m, NEW + PAGE);
}

TEST_F(vm, memory_moved_is_seen_at_new_place_only)
{
	uint32_t *p = pages(1);

	p[0] = 0x77;
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_PEEK(0x77, &self->m, NEW);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW + 16 * PAGE, PAGE, p));
	EXPECT_PEEK(0x77, &self->m, NEW + 16 * PAGE);
	EXPECT_HOLE(&self->m, NEW);
}

TEST_F(vm, memory_replaced_shows_new_backing)
{
	uint32_t *p = pages(1), *q = pages(1);

	p[0] = 1;
	q[0] = 2;
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_PEEK(1, &self->m, NEW);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, 0, p));
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, q));
	EXPECT_PEEK(2, &self->m, NEW);
}

TEST_F(vm, memory_is_shared_both_ways)
{
	uint32_t *p = pages(1);

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_PEEK(0, &self->m, NEW);
	p[0] = 0xabcd;
	EXPECT_PEEK(0xabcd, &self->m, NEW);
	vm_start(&self->m, MODE_PROT, poke);
	vm_set_regs(&self->m, &(struct kvm_regs){
		.rip = CODE, .rflags = 2, .rbx = NEW, .rax = 0x5a5a5a5a });
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x5a5a5a5a, p[0]);
}

TEST_F(vm, memory_shared_with_another_process_is_seen)
{
	uint32_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_PEEK(0, &self->m, NEW);
	pid = fork();
	if (pid == 0) {
		p[0] = 99;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	EXPECT_PEEK(99, &self->m, NEW);
}

/* fork makes the pages copy-on-write: the guest must follow its own process. */
TEST_F(vm, memory_after_fork_follows_the_vmm)
{
	uint32_t *p = pages(1);
	int status;
	pid_t pid;

	p[0] = 1;
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_PEEK(1, &self->m, NEW);
	pid = fork();
	if (pid == 0) {
		usleep(20000);
		_exit(p[0]);
	}
	p[0] = 2;
	EXPECT_PEEK(2, &self->m, NEW);
	waitpid(pid, &status, 0);
	EXPECT_EQ(1, WEXITSTATUS(status));
}

TEST_F(vm, memory_written_by_guest_after_fork_is_not_seen_by_child)
{
	uint32_t *p = pages(1);
	int status, go[2];
	char c = 0;
	pid_t pid;

	p[0] = 1;
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	vm_start(&self->m, MODE_PROT, poke);
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = NEW, .rax = 1 });
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	pid = fork();
	if (pid == 0) {
		if (read(go[0], &c, 1) != 1)
			_exit(9);
		_exit(p[0]);
	}
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = NEW, .rax = 7 });
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	ASSERT_EQ(1, write(go[1], &c, 1));
	waitpid(pid, &status, 0);
	EXPECT_EQ(1, WEXITSTATUS(status));
	EXPECT_EQ(7, p[0]);
}

TEST_F(vm, memory_never_mapped_gives_efault)
{
	char *p = pages(1);

	munmap(p, PAGE);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	vm_start_peek(&self->m, NEW);
	EXPECT_EQ(-EFAULT, vm_run(&self->m));
	/* The access is still to be made when the page has come. */
	ASSERT_EQ(p, mmap(p, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	*(uint32_t *)p = 5;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(5, vm_regs(&self->m).rax);
}

TEST_F(vm, memory_unmapped_while_in_use_gives_efault)
{
	char *p = pages(1);

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_PEEK(0, &self->m, NEW);
	munmap(p, PAGE);
	vm_start_peek(&self->m, NEW);
	EXPECT_EQ(-EFAULT, vm_run(&self->m));
}

TEST_F(vm, memory_write_to_readonly_mapping_gives_efault)
{
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_PEEK(0, &self->m, NEW);
	vm_start(&self->m, MODE_PROT, poke);
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = NEW, .rax = 1 });
	EXPECT_EQ(-EFAULT, vm_run(&self->m));
}

TEST_F(vm, memory_is_faulted_in_page_by_page)
{
	const int n = 64;
	char *p = pages(n);
	unsigned char present[64];
	int count = 0;

	madvise(p, n * PAGE, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, n * PAGE, p));
	EXPECT_PEEK(0, &self->m, NEW + 5 * PAGE);
	ASSERT_EQ(0, mincore(p, n * PAGE, present));
	for (int i = 0; i < n; i++)
		count += present[i] & 1;
	EXPECT_GE(1, count);
}

TEST_F(vm, memory_of_one_vm_is_not_in_another)
{
	uint32_t *p = pages(1);
	struct vm other;

	vm_create(&other);
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, NEW, PAGE, p));
	EXPECT_PEEK(0, &self->m, NEW);
	EXPECT_HOLE(&other, NEW);
}

TEST_F(vm, no_memory_at_all_exits_with_error)
{
	ASSERT_EQ(0, vm_set_slot(&self->m, 0, 0, 0, NULL));
	ASSERT_EQ(0, vm_run(&self->m));
	EXPECT_TRUE(self->m.run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
		    self->m.run->exit_reason == KVM_EXIT_SHUTDOWN);
}

TEST_F(vm, memory_high_above_4g_works)
{
	uint32_t *p = pages(1);
	struct kvm_regs regs;

	p[0] = 0x600d;
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0x100000000, PAGE, p));
	vm_start(&self->m, MODE_LONG, peek64);
	/* The first entry of the first page directory: 2M at 4G instead of at ALIAS. */
	((uint64_t *)(self->m.ram + PAGE_TABLES + 0x3000))[0] = 0x100000000 | 0x87;
	regs = vm_regs(&self->m);
	regs.rbx = ALIAS;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x600d, vm_regs(&self->m).rax);
}

/* One slot at 96 places one after the other, deleted or moved in between. */
TEST_F(vm, memory_of_ept_comes_back_with_the_slot)
{
	const uint64_t step = 32 << 20;
	uint32_t *p = pages(1);
	long before;

	if (vtx_count("tables") < 0)
		SKIP(return, "needs debugfs");
	EXPECT_PEEK(0, &self->m, 0);
	before = vtx_count("tables");
	for (uint64_t i = 1; i <= 96; i++) {
		p[0] = i;
		ASSERT_EQ(0, vm_set_slot(&self->m, 1, i * step, PAGE, p));
		EXPECT_PEEK(i, &self->m, i * step);
		if (i % 2)
			ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0, 0, NULL));
	}
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0, 0, NULL));
	/* A vCPU has up to 8 in reserve. */
	TH_LOG("%ld tables, %ld after 96 slots", before, vtx_count("tables"));
	EXPECT_GE(before + 8, vtx_count("tables"));
}

TEST_HARNESS_MAIN
