// SPDX-License-Identifier: GPL-2.0
/* Processor modes and paging: set by the host, changed by the guest itself. */
#include <linux/kvm_para.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define PTE_P 1ULL
#define PTE_W 2ULL
#define PTE_U 4ULL
#define PTE_A 0x20ULL
#define PTE_D 0x40ULL
#define PTE_NX (1ULL << 63)
#define LOW_PT (PAGE_TABLES + 0x6000)	/* MODE_LONG_4K: maps [0, 2M) and its alias */

VM_FIXTURE

static void set_rbx(struct vm *m, uint64_t value)
{
	struct kvm_regs regs = vm_regs(m);

	regs.rbx = value;
	vm_set_regs(m, &regs);
}

/* --- modes --- */

/* Starts like vm_enter(MODE_REAL), with what the tour needs in memory. */
static void start_tour(struct vm *m)
{
	static uint8_t tables[SCRATCH - PAGE_TABLES];

	vm_enter(m, MODE_LONG, 0);
	memcpy(tables, m->ram + PAGE_TABLES, sizeof(tables));
	vm_start(m, MODE_REAL, mode_tour);
	memcpy(m->ram + PAGE_TABLES, tables, sizeof(tables));
	memset(m->ram + DATA, 0, PAGE);
}

TEST_F(vm, guest_tours_all_modes_and_comes_back)
{
	uint32_t *data = (uint32_t *)(self->m.ram + DATA);
	struct kvm_sregs s;

	vm_set_supported_cpuid(&self->m);
	start_tour(&self->m);
	ASSERT_EXIT(KVM_EXIT_MMIO, &self->m);
	EXPECT_EQ(8, self->m.run->mmio.len);
	memcpy(self->m.run->mmio.data, "12345678", 8);
	s = vm_sregs(&self->m);
	EXPECT_EQ(EFER_LME | EFER_LMA | EFER_NX | EFER_SCE, s.efer);
	vm_set_sregs(&self->m, &s);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0, memcmp(&data[10], "12345678", 8));
	EXPECT_EQ(-KVM_ENOSYS, *(long *)&data[8]);
	EXPECT_EQ(0x16, data[0]);
	EXPECT_EQ(0x32, data[1]);
	EXPECT_EQ(0xc32, data[2]);
	EXPECT_EQ(0x1122334455667788, *(uint64_t *)&data[4]);
	EXPECT_EQ(EFER_LME | EFER_LMA, data[3]);
	EXPECT_EQ(EFER_LME | EFER_NX | EFER_SCE, data[6]);
	EXPECT_EQ(0x61, data[7]);
	s = vm_sregs(&self->m);
	EXPECT_EQ(0, s.cr0 & (CR0_PE | CR0_PG));
	EXPECT_EQ(0, s.efer);
	EXPECT_EQ(0, s.cs.selector);
	EXPECT_EQ(0, s.cs.base);
}

TEST_F(vm, guest_tours_again_and_again)
{
	vm_set_supported_cpuid(&self->m);
	for (int i = 0; i < 20; i++) {
		start_tour(&self->m);
		ASSERT_EXIT(KVM_EXIT_MMIO, &self->m);
		ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
		EXPECT_EQ(0x61, ((uint32_t *)(self->m.ram + DATA))[7]);
	}
}

TEST_F(vm, real_mode_high_base_is_added)
{
	struct kvm_sregs s;
	struct kvm_regs regs;

	vm_start(&self->m, MODE_REAL, where16);
	s = vm_sregs(&self->m);
	s.cs.selector = CODE >> 4;
	s.cs.base = CODE;
	vm_set_sregs(&self->m, &s);
	regs = vm_regs(&self->m);
	regs.rip = 0;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(3, vm_regs(&self->m).rax & 0xffff);
	EXPECT_EQ(CODE >> 4, vm_regs(&self->m).rbx & 0xffff);
}

TEST_F(vm, real_mode_base_above_1m_is_added)
{
	uint8_t *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_sregs s;
	struct kvm_regs regs;

	ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0x40000000, PAGE, page));
	vm_start(&self->m, MODE_REAL, where16);
	memcpy(page, self->m.ram + CODE, 64);
	s = vm_sregs(&self->m);
	s.cs.selector = 0xf000;
	s.cs.base = 0x40000000;
	vm_set_sregs(&self->m, &s);
	regs = vm_regs(&self->m);
	regs.rip = 0;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(3, vm_regs(&self->m).rax & 0xffff);
	EXPECT_EQ(0xf000, vm_regs(&self->m).rbx & 0xffff);
}

TEST_F(vm, syscall_and_sysret_cross_privilege)
{
	struct { struct kvm_msrs head; struct kvm_msr_entry entry[3]; } msrs = {
		.head.nmsrs = 3,
		.entry = {
			{ .index = 0xc0000081, .data = 0x0020000800000000ULL | 3ULL << 48 },
			{ .index = 0xc0000082, .data = CODE + 64 },
			{ .index = 0xc0000084, .data = 0 },
		},
	};
	struct kvm_sregs s;
	struct trap trap;

	vm_start_cpl(&self->m, MODE_LONG, 3, syscall64);
	ASSERT_EQ(3, ioctl(self->m.cpu, KVM_SET_MSRS, &msrs));
	s = vm_sregs(&self->m);
	s.efer |= EFER_SCE;
	vm_set_sregs(&self->m, &s);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	trap = vm_trap(&self->m);
	EXPECT_EQ(6, trap.vector);
	EXPECT_EQ(SEL_UCODE64, trap.cs);
	EXPECT_EQ(108, vm_regs(&self->m).rdi);
	EXPECT_EQ(SEL_CODE64, vm_regs(&self->m).rsi);
	EXPECT_EQ(SEL_UCODE64, vm_regs(&self->m).rax);
}

/* --- paging --- */

TEST_F(vm, alias_is_translated_in_every_paged_mode)
{
	for (int mode = MODE_PAGED; mode <= MODE_COMPAT; mode++) {
		if (mode == MODE_LONG || mode == MODE_LONG_4K) {
			vm_start(&self->m, mode, peek64);
			set_rbx(&self->m, ALIAS + DATA);
		} else {
			vm_start(&self->m, mode, read_alias32);
		}
		*(uint32_t *)(self->m.ram + DATA) = 0x1000 + mode;
		ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
		EXPECT_EQ(0x1000 + mode, vm_regs(&self->m).rax);
	}
}

/* A second set of tables whose alias leads to SCRATCH instead of [0, 2M). */
static uint64_t second_tables(struct vm *m)
{
	const uint32_t pml4 = SCRATCH + 0x10000;

	memcpy(m->ram + pml4, m->ram + PAGE_TABLES, 8 * PAGE);
	*(uint64_t *)(m->ram + pml4) = (pml4 + PAGE) | 7;
	for (int i = 0; i < 4; i++)
		((uint64_t *)(m->ram + pml4 + PAGE))[i] = (pml4 + (2 + i) * PAGE) | 7;
	/* 4K pages for the alias, all of them SCRATCH. */
	*(uint64_t *)(m->ram + pml4 + 3 * PAGE) = (pml4 + 8 * PAGE) | 7;
	for (int i = 0; i < 512; i++)
		((uint64_t *)(m->ram + pml4 + 8 * PAGE))[i] = SCRATCH | 7;
	return pml4;
}

TEST_F(vm, cr3_load_by_guest_switches_translation)
{
	vm_start(&self->m, MODE_LONG, switch_cr3);
	*(uint32_t *)(self->m.ram + DATA) = 1;
	*(uint32_t *)(self->m.ram + SCRATCH) = 2;
	set_rbx(&self->m, second_tables(&self->m));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(1, vm_regs(&self->m).rsi);
	EXPECT_EQ(2, vm_regs(&self->m).rdi);
}

TEST_F(vm, cr3_set_by_host_switches_translation)
{
	struct kvm_sregs s;

	vm_start(&self->m, MODE_LONG, peek64);
	*(uint32_t *)(self->m.ram + DATA) = 1;
	*(uint32_t *)(self->m.ram + SCRATCH) = 2;
	set_rbx(&self->m, ALIAS + DATA);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(1, vm_regs(&self->m).rax);
	s = vm_sregs(&self->m);
	s.cr3 = second_tables(&self->m);
	vm_set_sregs(&self->m, &s);
	vm_set_regs(&self->m, &(struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = ALIAS + DATA });
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(2, vm_regs(&self->m).rax);
}

TEST_F(vm, invlpg_makes_changed_entry_seen)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG_4K, change_pte);
	*(uint32_t *)(self->m.ram + DATA) = 1;
	*(uint32_t *)(self->m.ram + SCRATCH) = 2;
	regs = vm_regs(&self->m);
	regs.rbx = LOW_PT + 8 * (DATA >> 12);
	regs.rcx = SCRATCH | 7;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(1, vm_regs(&self->m).rsi);
	EXPECT_EQ(2, vm_regs(&self->m).rdi);
}

static uint64_t *low_pte(struct vm *m, uint32_t gpa)
{
	return (uint64_t *)(m->ram + LOW_PT) + (gpa >> 12);
}

TEST_F(vm, accessed_and_dirty_are_set_by_use)
{
	vm_start(&self->m, MODE_LONG_4K, touch_read);
	EXPECT_EQ(0, *low_pte(&self->m, SCRATCH) & (PTE_A | PTE_D));
	set_rbx(&self->m, SCRATCH);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(PTE_A, *low_pte(&self->m, SCRATCH) & (PTE_A | PTE_D));
	vm_start(&self->m, MODE_LONG_4K, touch_write);
	set_rbx(&self->m, SCRATCH);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(PTE_A | PTE_D, *low_pte(&self->m, SCRATCH) & (PTE_A | PTE_D));
}

/* The page fault that an access of @payload to SCRATCH must give with this entry. */
#define EXPECT_PAGE_FAULT(m, cpl, payload, pte, code) do {			\
	struct trap trap_;							\
	vm_start_cpl(m, MODE_LONG_4K, cpl, payload);				\
	*low_pte(m, SCRATCH) = (pte) ? SCRATCH | (pte) : 0;			\
	set_rbx(m, SCRATCH + 0x123);						\
	ASSERT_EXIT(KVM_EXIT_IO, m);						\
	ASSERT_EQ(PORT_TRAP, (m)->run->io.port);				\
	trap_ = vm_trap(m);							\
	EXPECT_EQ(14, trap_.vector);						\
	EXPECT_EQ(code, trap_.error);						\
	EXPECT_EQ(SCRATCH + 0x123, vm_sregs(m).cr2);				\
} while (0)

/* CR3 set from outside, where there is no memory: no entry of the old tables stays. */
TEST_F(vm, pae_tables_outside_memory_give_page_faults)
{
	struct kvm_sregs s;

	if (on_kvm())
		SKIP(return, "KVM keeps the entries that it had");
	vm_start(&self->m, MODE_PAE, hlt32);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	vm_start(&self->m, MODE_PAE, hlt32);
	s = vm_sregs(&self->m);
	s.cr3 = RAM_SIZE + 0x10000;
	vm_set_sregs(&self->m, &s);
	/* Nor is there a handler: a triple fault. */
	ASSERT_EXIT(KVM_EXIT_SHUTDOWN, &self->m);
}

TEST_F(vm, page_fault_codes_of_supervisor)
{
	EXPECT_PAGE_FAULT(&self->m, 0, touch_read, 0, 0);
	EXPECT_PAGE_FAULT(&self->m, 0, touch_write, 0, 2);
	EXPECT_PAGE_FAULT(&self->m, 0, touch_write, PTE_P, 3);		/* CR0.WP */
	EXPECT_PAGE_FAULT(&self->m, 0, touch_read, PTE_P | 1ULL << 51, 9);
}

TEST_F(vm, page_fault_codes_of_user)
{
	EXPECT_PAGE_FAULT(&self->m, 3, touch_read, 0, 4);
	EXPECT_PAGE_FAULT(&self->m, 3, touch_write, 0, 6);
	EXPECT_PAGE_FAULT(&self->m, 3, touch_read, PTE_P | PTE_W, 5);
	EXPECT_PAGE_FAULT(&self->m, 3, touch_write, PTE_P | PTE_W, 7);
	EXPECT_PAGE_FAULT(&self->m, 3, touch_write, PTE_P | PTE_U, 7);
	EXPECT_PAGE_FAULT(&self->m, 3, jump_rbx, PTE_P | PTE_W, 5);
}

TEST_F(vm, page_fault_of_no_execute)
{
	struct kvm_sregs s;
	struct trap trap;

	vm_set_supported_cpuid(&self->m);
	vm_start(&self->m, MODE_LONG_4K, jump_rbx);
	s = vm_sregs(&self->m);
	s.efer |= 1 << 11;
	vm_set_sregs(&self->m, &s);
	*low_pte(&self->m, SCRATCH) = SCRATCH | 3 | PTE_NX;
	set_rbx(&self->m, SCRATCH + 0x123);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	trap = vm_trap(&self->m);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(0x11, trap.error);
	EXPECT_EQ(SCRATCH + 0x123, trap.ip);
}

TEST_F(vm, page_fault_is_mended_by_host_and_resumed)
{
	struct trap trap;

	vm_start(&self->m, MODE_LONG_4K, touch_read);
	*low_pte(&self->m, SCRATCH) = 0;
	self->m.ram[SCRATCH] = 0x42;
	set_rbx(&self->m, SCRATCH);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	trap = vm_trap(&self->m);
	ASSERT_EQ(14, trap.vector);
	*low_pte(&self->m, SCRATCH) = SCRATCH | 3;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x42, vm_regs(&self->m).rax);
}

/* In PAE paging MOV to CR3 checks the four PDPTEs it loads. */
TEST_F(vm, pae_bad_pdpte_gives_gp)
{
	vm_start(&self->m, MODE_PAE, load_cr3_32);
	set_rbx(&self->m, PAGE_TABLES);
	*(uint32_t *)(self->m.ram + DATA) = 0x77;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x77, vm_regs(&self->m).rax);

	vm_start(&self->m, MODE_PAE, load_cr3_32);
	memcpy(self->m.ram + SCRATCH, self->m.ram + PAGE_TABLES, 32);
	*(uint64_t *)(self->m.ram + SCRATCH + 24) |= 2;	/* a reserved bit */
	set_rbx(&self->m, SCRATCH);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	ASSERT_EQ(PORT_TRAP, self->m.run->io.port);
	EXPECT_EQ(13, vm_trap(&self->m).vector);
	EXPECT_EQ(PAGE_TABLES, vm_sregs(&self->m).cr3);
}

TEST_F(vm, pae_pdptes_are_loaded_with_cr3)
{
	const uint32_t pdpt = SCRATCH + 0x10000;

	vm_start(&self->m, MODE_PAE, load_cr3_32);
	memcpy(self->m.ram + pdpt, self->m.ram + PAGE_TABLES, 32);
	/* The second gigabyte, where the alias is, through a page directory of its own. */
	((uint64_t *)(self->m.ram + pdpt))[1] = (pdpt + PAGE) | 1;
	*(uint64_t *)(self->m.ram + pdpt + PAGE) = (pdpt + 2 * PAGE) | 7;
	((uint64_t *)(self->m.ram + pdpt + 2 * PAGE))[DATA >> 12] = SCRATCH | 7;
	*(uint32_t *)(self->m.ram + DATA) = 1;
	*(uint32_t *)(self->m.ram + SCRATCH) = 2;
	set_rbx(&self->m, pdpt);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(2, vm_regs(&self->m).rax);
}

TEST_HARNESS_MAIN
