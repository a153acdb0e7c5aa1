// SPDX-License-Identifier: GPL-2.0
/* Control and debug registers written by the guest: what is taken, what faults, what reads back. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

VM_FIXTURE

enum { TO_CR0, TO_CR3, TO_CR4, TO_CR8, TO_CR2, TO_EFER, SMSW, LMSW, TO_XCR0, TO_DR7, TO_DR4, TO_DR6 };

struct control {
	int cell;
	uint64_t value;
	int vector;
	uint64_t reads;
};

static void expect_control(struct __test_metadata *_metadata, struct vm *m, uint64_t cr4,
			   const struct control *c)
{
	struct kvm_regs regs;
	struct kvm_sregs s;
	struct trap trap;
	int vector;

	vm_start(m, MODE_LONG, control64);
	s = vm_sregs(m);
	s.cr4 |= cr4;
	vm_set_sregs(m, &s);
	regs = vm_regs(m);
	regs.rbx = c->value;
	vm_set_regs(m, &regs);
	vector = run_cell(m, c->cell, &trap);
	EXPECT_EQ(c->vector, vector)
		TH_LOG("cell %d value %#llx", c->cell, (unsigned long long)c->value);
	EXPECT_EQ(0, trap.error);
	if (vector == DONE) {
		EXPECT_EQ(c->reads, vm_regs(m).rax)
			TH_LOG("cell %d value %#llx", c->cell, (unsigned long long)c->value);
	}
}

#define EXPECT_CONTROLS(m, cr4, ...) do {					\
	static const struct control c_[] = { __VA_ARGS__ };			\
	for (unsigned int i_ = 0; i_ < sizeof(c_) / sizeof(c_[0]); i_++)	\
		expect_control(_metadata, m, cr4, &c_[i_]);			\
} while (0)

#define BASE_CR0 (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE)

TEST_F(vm, cr0_good_values_are_taken)
{
	EXPECT_CONTROLS(&self->m, 0,
		{ TO_CR0, BASE_CR0, DONE, BASE_CR0 },
		{ TO_CR0, BASE_CR0 | CR0_TS, DONE, BASE_CR0 | CR0_TS },
		{ TO_CR0, BASE_CR0 | CR0_AM, DONE, BASE_CR0 | CR0_AM },
		{ TO_CR0, BASE_CR0 & ~CR0_WP, DONE, BASE_CR0 & ~CR0_WP },
		{ TO_CR0, BASE_CR0 | CR0_CD, DONE, BASE_CR0 | CR0_CD },
		{ TO_CR0, BASE_CR0 | CR0_CD | CR0_NW, DONE, BASE_CR0 | CR0_CD | CR0_NW },
		{ TO_CR0, BASE_CR0 & ~CR0_ET, DONE, BASE_CR0 },
		{ TO_CR0, BASE_CR0 | 1 << 28, DONE, BASE_CR0 });
}

/* VMX operation fixes NE to 1 for the processor; the guest still owns its view. */
TEST_F(vm, cr0_ne_can_be_cleared)
{
	EXPECT_CONTROLS(&self->m, 0, { TO_CR0, BASE_CR0 & ~CR0_NE, DONE, BASE_CR0 & ~CR0_NE });
}

TEST_F(vm, cr0_bad_values_give_gp)
{
	EXPECT_CONTROLS(&self->m, 0,
		{ TO_CR0, BASE_CR0 & ~CR0_PG, 13 },		/* in 64-bit mode */
		{ TO_CR0, BASE_CR0 & ~CR0_PE, 13 },
		{ TO_CR0, BASE_CR0 | CR0_NW, 13 },
		{ TO_CR0, BASE_CR0 | 1ULL << 32, 13 },
		{ TO_CR0, BASE_CR0 | 1ULL << 63, 13 });
}

TEST_F(vm, cr3_values)
{
	EXPECT_CONTROLS(&self->m, 0,
		{ TO_CR3, PAGE_TABLES, DONE, PAGE_TABLES },
		{ TO_CR3, PAGE_TABLES | 0x18, DONE, PAGE_TABLES | 0x18 },
		{ TO_CR3, PAGE_TABLES | 1ULL << 51, 13 },
		{ TO_CR3, PAGE_TABLES | 1ULL << 62, 13 },
		{ TO_CR3, PAGE_TABLES | 1ULL << 63, 13 });
}

TEST_F(vm, cr4_values)
{
	EXPECT_CONTROLS(&self->m, 0,
		{ TO_CR4, CR4_PAE, DONE, CR4_PAE },
		{ TO_CR4, CR4_PAE | CR4_PSE | CR4_DE, DONE, CR4_PAE | CR4_PSE | CR4_DE },
		{ TO_CR4, CR4_PAE | 1 << 7, DONE, CR4_PAE | 1 << 7 },	/* PGE */
		{ TO_CR4, CR4_PAE | CR4_OSFXSR, DONE, CR4_PAE | CR4_OSFXSR },
		{ TO_CR4, 0, 13 },					/* PAE off in long mode */
		{ TO_CR4, CR4_PAE | 1 << 14, 13 },			/* SMXE */
		{ TO_CR4, CR4_PAE | 1 << 15, 13 },
		{ TO_CR4, CR4_PAE | 1ULL << 31, 13 },
		{ TO_CR4, CR4_PAE | 1ULL << 63, 13 });
	if (!on_kvm())
		EXPECT_CONTROLS(&self->m, 0, { TO_CR4, CR4_PAE | CR4_VMXE, 13 });
}

TEST_F(vm, cr8_values)
{
	EXPECT_CONTROLS(&self->m, 0,
		{ TO_CR8, 0, DONE, 0 }, { TO_CR8, 5, DONE, 5 }, { TO_CR8, 15, DONE, 15 },
		{ TO_CR8, 16, 13 });
	/* KVM 6.1 looks at the low byte only. */
	if (!on_kvm())
		EXPECT_CONTROLS(&self->m, 0, { TO_CR8, 1ULL << 63, 13 });
}

TEST_F(vm, cr8_shows_in_run_page_and_sregs)
{
	struct trap trap;
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, control64);
	regs = vm_regs(&self->m);
	regs.rbx = 9;
	vm_set_regs(&self->m, &regs);
	ASSERT_EQ(DONE, run_cell(&self->m, TO_CR8, &trap));
	EXPECT_EQ(9, self->m.run->cr8);
	EXPECT_EQ(9, vm_sregs(&self->m).cr8);
}

TEST_F(vm, cr2_takes_anything)
{
	EXPECT_CONTROLS(&self->m, 0,
		{ TO_CR2, 0x123456789abcdef0, DONE, 0x123456789abcdef0 }, { TO_CR2, 0, DONE, 0 });
}

TEST_F(vm, efer_values)
{
	vm_set_supported_cpuid(&self->m);
	EXPECT_CONTROLS(&self->m, 0,
		{ TO_EFER, EFER_LME | EFER_LMA, DONE, EFER_LME | EFER_LMA },
		{ TO_EFER, EFER_LME | EFER_LMA | EFER_SCE, DONE, EFER_LME | EFER_LMA | EFER_SCE },
		{ TO_EFER, EFER_LME | EFER_LMA | 1 << 11, DONE, EFER_LME | EFER_LMA | 1 << 11 },
		{ TO_EFER, EFER_LME, DONE, EFER_LME | EFER_LMA },	/* LMA is not written */
		{ TO_EFER, EFER_LMA, 13 },				/* LME while paging */
		{ TO_EFER, 0, 13 },
		{ TO_EFER, EFER_LME | EFER_LMA | 1 << 1, 13 },
		{ TO_EFER, EFER_LME | EFER_LMA | 1 << 12, 13 },		/* SVME */
		{ TO_EFER, EFER_LME | EFER_LMA | 1ULL << 63, 13 });
}

TEST_F(vm, smsw_and_lmsw_see_the_guests_cr0)
{
	EXPECT_CONTROLS(&self->m, 0,
		{ SMSW, 0, DONE, BASE_CR0 },
		{ LMSW, 0xa, DONE, BASE_CR0 | 0xa },
		{ LMSW, 0, DONE, BASE_CR0 });			/* PE cannot be cleared so */
}

TEST_F(vm, xcr0_without_osxsave_gives_ud)
{
	EXPECT_CONTROLS(&self->m, 0, { TO_XCR0, 1, 6 });
}

TEST_F(vm, xcr0_values)
{
	if (!(find_cpuid(supported_cpuid(&self->m), 1, 0)->ecx & 1 << 26))
		SKIP(return, "no XSAVE");
	vm_set_supported_cpuid(&self->m);
	EXPECT_CONTROLS(&self->m, 1 << 18,
		{ TO_XCR0, 1, DONE, 1 }, { TO_XCR0, 3, DONE, 3 }, { TO_XCR0, 0, 13 },
		{ TO_XCR0, 2, 13 }, { TO_XCR0, 5, 13 }, { TO_XCR0, 9, 13 }, { TO_XCR0, 0x21, 13 },
		{ TO_XCR0, 0x80000001, 13 });
}

/* Leaf DH says what there is besides x87. */
TEST_F(vm, xcr0_without_its_cpuid_leaf_is_x87)
{
	if (!(find_cpuid(supported_cpuid(&self->m), 1, 0)->ecx & 1 << 26))
		SKIP(return, "no XSAVE");
	EXPECT_CONTROLS(&self->m, 1 << 18, { TO_XCR0, 1, DONE, 1 }, { TO_XCR0, 3, 13 });
}

TEST_F(vm, debug_register_values)
{
	EXPECT_CONTROLS(&self->m, 0,
		{ TO_DR7, 0x400, DONE, 0x400 },
		{ TO_DR7, 0, DONE, 0x400 },
		{ TO_DR7, 0x0fff0755, DONE, 0x0fff0755 },
		{ TO_DR7, 1ULL << 32, 13 },
		{ TO_DR6, 1ULL << 32, 13 },
		{ TO_DR6, 0, DONE, 0xffff0ff0 },
		{ TO_DR4, 0, DONE, 0xffff0ff0 });
	EXPECT_CONTROLS(&self->m, CR4_DE, { TO_DR4, 0, 6 });
}

TEST_HARNESS_MAIN
