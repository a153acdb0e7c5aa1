// SPDX-License-Identifier: GPL-2.0
/* What a guest may execute: exceptions, privileged and VMX instructions, control registers. */
#include <sys/time.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define CELL_SIZE 32
#define DONE -1			/* the cell ran to its end */

VM_FIXTURE

/* What one cell is expected to do. */
struct row {
	const char *name;
	int vector;		/* or DONE */
	uint64_t error;
};

/* Runs cell @index: the vector it trapped with, or DONE. */
static int run_cell(struct vm *m, int index, struct trap *trap)
{
	struct kvm_regs regs = vm_regs(m);
	int ret;

	regs.rip = CODE + index * CELL_SIZE;
	vm_set_regs(m, &regs);
	memset(trap, 0, sizeof(*trap));
	ret = vm_run(m);
	if (ret)
		die("cell %d: KVM_RUN %d", index, ret);
	if (m->run->exit_reason != KVM_EXIT_IO) {
		vm_dump(m);
		die("cell %d: exit %u", index, m->run->exit_reason);
	}
	if (m->run->io.port == PORT_SYNC)
		return DONE;
	*trap = vm_trap(m);
	return trap->vector;
}

/* Runs all cells of a payload from a fresh start each. */
#define EXPECT_ROWS(m, mode, cpl, payload, prepare, rows) do {			\
	for (unsigned int i_ = 0; i_ < sizeof(rows) / sizeof((rows)[0]); i_++) {	\
		struct trap trap_;						\
		vm_start_cpl(m, mode, cpl, payload);				\
		prepare(m);							\
		EXPECT_EQ((rows)[i_].vector, run_cell(m, i_, &trap_))		\
			TH_LOG("%s", (rows)[i_].name);				\
		EXPECT_EQ((rows)[i_].error, trap_.error)			\
			TH_LOG("%s", (rows)[i_].name);				\
	}									\
} while (0)

static void nothing(struct vm *m)
{
}

static void sse_on(struct vm *m)
{
	struct kvm_sregs s = vm_sregs(m);

	s.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
	vm_set_sregs(m, &s);
}

/* Lets the cells' own OUT work at CPL 3. */
static void iopl_3(struct vm *m)
{
	struct kvm_regs regs = vm_regs(m);

	regs.rflags |= 0x3000;
	vm_set_regs(m, &regs);
}

static bool has_cpuid(struct vm *m, uint32_t leaf, int reg, int bit)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
	bool has = false;

	c->nent = 256;
	if (ioctl(m->dev, KVM_GET_SUPPORTED_CPUID, c))
		die("KVM_GET_SUPPORTED_CPUID");
	for (unsigned int i = 0; i < c->nent; i++)
		if (c->entries[i].function == leaf && c->entries[i].index == 0)
			has = (&c->entries[i].eax)[reg] >> bit & 1;
	free(c);
	return has;
}

/* --- exceptions --- */

TEST_F(vm, exceptions_64bit_arrive_with_error_codes)
{
	static const struct row rows[] = {
		{ "divide by zero", 0 },
		{ "int3", 3 },
		{ "ud2", 6 },
		{ "selector beyond GDT", 13, 0x100 },
		{ "not canonical", 13 },
		{ "stack not canonical", 12 },
		{ "write to unmapped", 14, 2 },
		{ "read of unmapped", 14, 0 },
		{ "fetch from unmapped", 14, 0 },
		{ "int 0x80", 0x80 },
		{ "ltr of busy TSS", 13, SEL_TSS },
		{ "misaligned movaps", 13 },
	};

	EXPECT_ROWS(&self->m, MODE_LONG, 0, faults64, sse_on, rows);
	EXPECT_ROWS(&self->m, MODE_LONG_4K, 0, faults64, sse_on, rows);
}

TEST_F(vm, exceptions_32bit_arrive_with_error_codes)
{
	static const struct row rows[] = {
		{ "divide by zero", 0 },
		{ "int3", 3 },
		{ "into", 4 },
		{ "bound", 5 },
		{ "ud2", 6 },
		{ "selector beyond GDT", 13, 0x100 },
		{ "syscall", 6 },
	};

	for (int mode = MODE_PROT; mode <= MODE_PAE; mode++)
		EXPECT_ROWS(&self->m, mode, 0, faults32, nothing, rows);
}

TEST_F(vm, exceptions_real_mode_arrive)
{
	static const struct row rows[] = {
		{ "divide by zero", 0 },
		{ "int3", 3 },
		{ "into", 4 },
		{ "ud2", 6 },
		{ "int 0x21", 0x21 },
		{ "word across segment end", 13 },
	};

	EXPECT_ROWS(&self->m, MODE_REAL, 0, faults16, nothing, rows);
}

TEST_F(vm, page_fault_sets_cr2)
{
	struct trap trap;

	vm_start(&self->m, MODE_LONG, faults64);
	ASSERT_EQ(14, run_cell(&self->m, 6, &trap));
	EXPECT_EQ(0x8000000000, vm_sregs(&self->m).cr2);
	EXPECT_EQ(CODE + 6 * CELL_SIZE + 10, trap.ip);
}

TEST_F(vm, trap_and_fault_save_the_right_ip)
{
	struct trap trap;

	vm_start(&self->m, MODE_LONG, faults64);
	ASSERT_EQ(3, run_cell(&self->m, 1, &trap));
	EXPECT_EQ(CODE + CELL_SIZE + 1, trap.ip);
	ASSERT_EQ(6, run_cell(&self->m, 2, &trap));
	EXPECT_EQ(CODE + 2 * CELL_SIZE, trap.ip);
}

TEST_F(vm, exception_handler_returns_where_host_says)
{
	struct trap trap;

	vm_start(&self->m, MODE_LONG, faults64);
	ASSERT_EQ(6, run_cell(&self->m, 2, &trap));
	vm_trap_return(&self->m, trap.ip + 2);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(PORT_SYNC, self->m.run->io.port);
}

TEST_F(vm, exception_from_cpl3_switches_stack)
{
	struct trap trap;

	vm_start_cpl(&self->m, MODE_LONG, 3, faults64);
	ASSERT_EQ(6, run_cell(&self->m, 2, &trap));
	EXPECT_EQ(SEL_UCODE64, trap.cs);
	EXPECT_EQ(SEL_UDATA, trap.ss);
	EXPECT_EQ(USER_STACK, trap.sp);
	EXPECT_GT(STACK, vm_regs(&self->m).rsp);
}

TEST_F(vm, single_step_traps_after_one_instruction)
{
	struct trap trap;

	vm_start(&self->m, MODE_LONG, single_step64);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	trap = vm_trap(&self->m);
	EXPECT_EQ(1, trap.vector);
	EXPECT_EQ(CODE + 7, trap.ip);
}

TEST_F(vm, fpu_error_arrives_as_mf)
{
	vm_start(&self->m, MODE_LONG, fpu_error64);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(16, vm_trap(&self->m).vector);
}

TEST_F(vm, sse_error_arrives_as_xm)
{
	vm_start(&self->m, MODE_LONG, sse_error64);
	sse_on(&self->m);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(19, vm_trap(&self->m).vector);
}

TEST_F(vm, fpu_with_ts_set_gives_nm)
{
	struct kvm_sregs s;

	vm_start(&self->m, MODE_LONG, fpu_error64);
	s = vm_sregs(&self->m);
	s.cr0 |= CR0_TS;
	vm_set_sregs(&self->m, &s);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(7, vm_trap(&self->m).vector);
	EXPECT_EQ(CODE, vm_trap(&self->m).ip);
}

/* --- nested exceptions --- */

static void remove_gate64(struct vm *m, int vector)
{
	memset(m->ram + IDT + 16 * vector, 0, 16);
}

TEST_F(vm, fault_without_gate_gives_np_or_gp)
{
	struct trap trap;

	vm_start(&self->m, MODE_LONG, ud64);
	remove_gate64(&self->m, 6);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	trap = vm_trap(&self->m);
	EXPECT_EQ(13, trap.vector);
	EXPECT_EQ(6 * 8 + 3, trap.error);	/* IDT, and an event of the processor's own */
}

TEST_F(vm, fault_while_delivering_contributory_fault_is_double)
{
	struct trap trap;

	vm_start(&self->m, MODE_LONG, ud64);
	/* #UD has no gate: #GP, which has none either: #DF. */
	remove_gate64(&self->m, 6);
	remove_gate64(&self->m, 13);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	trap = vm_trap(&self->m);
	EXPECT_EQ(8, trap.vector);
	EXPECT_EQ(0, trap.error);
}

TEST_F(vm, fault_while_delivering_double_fault_is_shutdown)
{
	vm_start(&self->m, MODE_LONG, ud64);
	remove_gate64(&self->m, 6);
	remove_gate64(&self->m, 13);
	remove_gate64(&self->m, 8);
	ASSERT_EXIT(KVM_EXIT_SHUTDOWN, &self->m);
}

/* The frame of #UD goes to a page that is not there: #PF and not #DF. */
TEST_F(vm, page_fault_while_delivering_benign_fault_is_page_fault)
{
	struct kvm_regs regs;
	struct trap trap;

	vm_start(&self->m, MODE_LONG_4K, ud64);
	/* #PF gets a good stack by IST 1. */
	*(uint64_t *)(self->m.ram + TSS + 0x24) = STACK;
	self->m.ram[IDT + 14 * 16 + 4] = 1;
	regs = vm_regs(&self->m);
	regs.rsp = 0x8000000100;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	trap = vm_trap(&self->m);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(2, trap.error);
	EXPECT_EQ(0x80000000f8, vm_sregs(&self->m).cr2);
	EXPECT_EQ(CODE, trap.ip);
}

TEST_F(vm, idt_too_short_in_32bit_is_shutdown)
{
	struct kvm_sregs s;

	vm_start(&self->m, MODE_PROT, ud32);
	s = vm_sregs(&self->m);
	s.idt.limit = 0;
	vm_set_sregs(&self->m, &s);
	ASSERT_EXIT(KVM_EXIT_SHUTDOWN, &self->m);
}

static void ignore(int sig)
{
}

/* The processor could be kept in its own microcode by these two (CVE-2015-5307, -8104). */
static void expect_stoppable(struct __test_metadata *_metadata, struct vm *m)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval timer = { .it_value.tv_usec = 50000, .it_interval.tv_usec = 50000 };
	int ret, runs = 0;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	do {
		ret = vm_run(m);
		runs++;
	} while (ret == 0 && m->run->exit_reason == KVM_EXIT_IO && runs < 100);
	/* KVM gives up on a fault while the same fault is delivered. */
	EXPECT_TRUE(ret == -EINTR ||
		    (ret == 0 && (m->run->exit_reason == KVM_EXIT_SHUTDOWN ||
				  m->run->exit_reason == KVM_EXIT_IO ||
				  (on_kvm() && m->run->exit_reason == KVM_EXIT_INTERNAL_ERROR))))
		vm_dump(m);
}

TEST_F(vm, ac_storm_can_be_stopped)
{
	struct kvm_sregs s;
	uint64_t *gate;

	vm_start_cpl(&self->m, MODE_PROT, 3, ac_storm);
	s = vm_sregs(&self->m);
	s.cr0 |= CR0_AM;
	vm_set_sregs(&self->m, &s);
	vm_set_interruptible(&self->m);
	/* The handler runs at CPL 3, on the stack that is misaligned. */
	gate = (uint64_t *)(self->m.ram + IDT + 17 * 8);
	*gate = (*gate & ~0xffff0000ULL) | SEL_UCODE32 << 16;
	expect_stoppable(_metadata, &self->m);
}

TEST_F(vm, db_storm_can_be_stopped)
{
	vm_start(&self->m, MODE_LONG, db_storm);
	vm_set_interruptible(&self->m);
	expect_stoppable(_metadata, &self->m);
}

TEST_F(vm, misaligned_access_at_cpl3_gives_ac)
{
	struct kvm_sregs s;
	struct trap trap;

	vm_start_cpl(&self->m, MODE_PROT, 3, ac_storm);
	s = vm_sregs(&self->m);
	s.cr0 |= CR0_AM;
	vm_set_sregs(&self->m, &s);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	trap = vm_trap(&self->m);
	EXPECT_EQ(17, trap.vector);
	EXPECT_EQ(0, trap.error);
	EXPECT_EQ(USER_STACK + 1, trap.sp);
}

/* --- VMX and other privileged instructions --- */

static const struct row vmx_rows[] = {
	{ "vmcall", DONE }, { "vmclear", 6 }, { "vmlaunch", 6 }, { "vmptrld", 6 }, { "vmptrst", 6 },
	{ "vmread", 6 }, { "vmresume", 6 }, { "vmwrite", 6 }, { "vmxoff", 6 }, { "vmxon", 6 },
	{ "invept", 6 }, { "invvpid", 6 }, { "vmfunc", 6 },
};

TEST_F(vm, vmx_instructions_at_cpl0_give_ud)
{
	EXPECT_ROWS(&self->m, MODE_LONG, 0, vmx64, nothing, vmx_rows);
}

TEST_F(vm, vmx_instructions_at_cpl3_give_ud)
{
	EXPECT_ROWS(&self->m, MODE_LONG, 3, vmx64, iopl_3, vmx_rows);
}

/* No hypercall exists, which is said as KVM says it. */
TEST_F(vm, vmcall_returns_enosys_and_eperm)
{
	struct trap trap;

	vm_start(&self->m, MODE_LONG, vmx64);
	ASSERT_EQ(DONE, run_cell(&self->m, 0, &trap));
	EXPECT_EQ(-1000UL, vm_regs(&self->m).rax);
	vm_start_cpl(&self->m, MODE_LONG, 3, vmx64);
	iopl_3(&self->m);
	ASSERT_EQ(DONE, run_cell(&self->m, 0, &trap));
	EXPECT_EQ(-EPERM, (int)vm_regs(&self->m).rax);
}

TEST_F(vm, privileged_instructions_at_cpl3_fault)
{
	static const struct row rows[] = {
		{ "hlt", 13 }, { "cli", 13 }, { "sti", 13 }, { "in", 13 }, { "out", 13 },
		{ "mov from cr0", 13 }, { "mov to cr3", 13 }, { "mov from cr8", 13 },
		{ "mov from dr7", 13 }, { "rdmsr", 13 }, { "wrmsr", 13 }, { "lgdt", 13 },
		{ "lidt", 13 }, { "lldt", 13 }, { "ltr", 13 }, { "clts", 13 }, { "lmsw", 13 },
		{ "invlpg", 13 }, { "wbinvd", 13 }, { "invd", 13 }, { "swapgs", 13 },
		{ "sysret without SCE", 6 }, { "rdpmc", 13 }, { "xsetbv without OSXSAVE", 6 },
	};

	EXPECT_ROWS(&self->m, MODE_LONG, 3, privileged64, nothing, rows);
}

TEST_F(vm, system_instructions_at_cpl0_follow_cpuid)
{
	struct vm *m = &self->m;
	/* KVM lets MONITOR and MWAIT pass as no-operations. */
	const int idle = on_kvm() ? DONE : 6;
	const struct row rows[] = {
		{ "wbinvd", DONE }, { "invd", DONE }, { "invlpg", DONE }, { "rdpmc", 13 },
		{ "monitor", idle }, { "mwait", idle },
		{ "rdtscp", has_cpuid(m, 0x80000001, 3, 27) ? DONE : 6 },
		{ "invpcid", has_cpuid(m, 7, 1, 10) ? DONE : 6 },
		{ "xsetbv without OSXSAVE", 6 }, { "pause", DONE }, { "rdtsc", DONE },
		{ "getsec", 6 }, { "rsm", 6 }, { "clts", DONE }, { "sgdt", DONE }, { "str", DONE },
		{ "lldt null", DONE }, { "encls", 6 },
	};

	vm_set_supported_cpuid(m);
	EXPECT_ROWS(m, MODE_LONG, 0, system64, nothing, rows);
}

/* --- control registers: value written, what happens, value read back --- */

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
	if (!has_cpuid(&self->m, 1, 2, 26))
		SKIP(return, "no XSAVE");
	vm_set_supported_cpuid(&self->m);
	EXPECT_CONTROLS(&self->m, 1 << 18,
		{ TO_XCR0, 1, DONE, 1 }, { TO_XCR0, 3, DONE, 3 }, { TO_XCR0, 0, 13 },
		{ TO_XCR0, 2, 13 }, { TO_XCR0, 5, 13 }, { TO_XCR0, 9, 13 }, { TO_XCR0, 0x21, 13 },
		{ TO_XCR0, 0x80000001, 13 });
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
