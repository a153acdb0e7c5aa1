// SPDX-License-Identifier: GPL-2.0
/* What a guest may execute: exceptions, privileged and VMX instructions. */
#include <sys/time.h>

#include <cpuid.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define CELL_SIZE 32

VM_FIXTURE

/* What one cell is expected to do. */
struct row {
	const char *name;
	int vector;		/* or DONE */
	uint64_t error;
};

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
	struct kvm_cpuid_entry2 *e = find_cpuid(supported_cpuid(m), leaf, 0);

	return e && (&e->eax)[reg] >> bit & 1;
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

/* --- hardware task switches, which vtx does not do --- */

/* In place of a descriptor that no 32-bit guest uses: a TSS that anyone may switch to. */
static void put_tss(struct vm *m)
{
	const uint64_t tss = 0x0000e90000000067ULL | (uint64_t)DATA << 16;

	memcpy(m->ram + GDT + SEL_DATA16, &tss, sizeof(tss));
}

TEST_F(vm, task_switch_of_kernel_is_an_internal_error)
{
	if (on_kvm())
		SKIP(return, "KVM does hardware task switches");
	vm_start(&self->m, MODE_PROT, task_switch);
	put_tss(&self->m);
	ASSERT_EXIT(KVM_EXIT_INTERNAL_ERROR, &self->m);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, self->m.run->internal.suberror);
	EXPECT_EQ(0, self->m.run->internal.ndata);
	/* Nothing has happened: a VMM may do it in vtx's place. */
	EXPECT_EQ(CODE, vm_regs(&self->m).rip);
	EXPECT_EQ(SEL_TSS, vm_sregs(&self->m).tr.selector);
}

TEST_F(vm, task_switch_of_user_gives_ud)
{
	struct trap trap;

	if (on_kvm())
		SKIP(return, "KVM does hardware task switches");
	vm_start_cpl(&self->m, MODE_PROT, 3, task_switch);
	put_tss(&self->m);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	trap = vm_trap(&self->m);
	EXPECT_EQ(6, trap.vector);
	EXPECT_EQ(CODE, trap.ip);
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

static bool has_tsc_aux(struct vm *m)
{
	return has_cpuid(m, 0x80000001, 3, 27) || has_cpuid(m, 7, 2, 22);
}

TEST_F(vm, system_instructions_at_cpl0_follow_cpuid)
{
	struct vm *m = &self->m;
	const struct row rows[] = {
		{ "wbinvd", DONE }, { "invd", DONE }, { "invlpg", DONE }, { "rdpmc", 13 },
		{ "monitor", DONE }, { "mwait", DONE },
		{ "rdtscp", has_cpuid(m, 0x80000001, 3, 27) ? DONE : 6 },
		{ "invpcid", has_cpuid(m, 7, 1, 10) ? DONE : 6 },
		{ "rdpid", has_cpuid(m, 7, 2, 22) ? DONE : 6 },
		{ "rdrand", has_cpuid(m, 1, 2, 30) ? DONE : 6 },
		{ "rdseed", has_cpuid(m, 7, 1, 18) ? DONE : 6 },
		{ "xsaves without OSXSAVE", 6 }, { "umwait", 6 }, { "tpause", 6 },
		{ "rdmsr tsc_aux", has_tsc_aux(m) ? DONE : 13 },
		{ "xsetbv without OSXSAVE", 6 }, { "pause", DONE }, { "rdtsc", DONE },
		{ "getsec", 6 }, { "rsm", 6 }, { "clts", DONE }, { "sgdt", DONE }, { "str", DONE },
		{ "lldt null", DONE }, { "encls", 6 },
	};

	vm_set_supported_cpuid(m);
	EXPECT_ROWS(m, MODE_LONG, 0, system64, nothing, rows);
}

/* What the CPU has, and the guest's CPUID has not: without one, and with it taken out. */
TEST_F(vm, system_instructions_that_cpuid_hides_give_ud)
{
	static const struct row rows[] = {
		{ "wbinvd", DONE }, { "invd", DONE }, { "invlpg", DONE }, { "rdpmc", 13 },
		{ "monitor", DONE }, { "mwait", DONE }, { "rdtscp", 6 }, { "invpcid", 6 },
		{ "rdpid", 6 }, { "rdrand", 6 }, { "rdseed", 6 }, { "xsaves", 6 },
		{ "umwait", 6 }, { "tpause", 6 }, { "rdmsr tsc_aux", 13 },
	};
	struct kvm_cpuid2 *cpuid = supported_cpuid(&self->m);

	EXPECT_ROWS(&self->m, MODE_LONG, 0, system64, nothing, rows);
	vm_destroy(&self->m);
	vm_create(&self->m);
	find_cpuid(cpuid, 1, 0)->ecx &= ~(1 << 30);
	find_cpuid(cpuid, 7, 0)->ebx &= ~(1 << 10 | 1 << 18);
	find_cpuid(cpuid, 7, 0)->ecx &= ~(1 << 22 | 1 << 5);
	find_cpuid(cpuid, 0x80000001, 0)->edx &= ~(1 << 27);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
	EXPECT_ROWS(&self->m, MODE_LONG, 0, system64, nothing, rows);
}

/* Each by itself, and what the others have goes on. The kernel below may not like RDRAND. */
TEST_F(vm, system_instructions_are_hidden_one_by_one)
{
	static const struct { int row; uint32_t leaf; int reg, bit; } insns[] = {
		{ 7, 7, 1, 10 }, { 9, 1, 2, 30 }, { 10, 7, 1, 18 },
	};
	bool there[3];

	for (int hidden = 0; hidden < 4; hidden++) {
		struct kvm_cpuid2 *cpuid = supported_cpuid(&self->m);
		struct trap trap;

		for (int i = 0; i < 3; i++) {
			uint32_t *set = &find_cpuid(cpuid, insns[i].leaf, 0)->eax + insns[i].reg;
			uint32_t host[4] = { 0 };

			__get_cpuid_count(insns[i].leaf, 0, &host[0], &host[1], &host[2], &host[3]);
			there[i] = i != hidden && host[insns[i].reg] >> insns[i].bit & 1;
			*set &= ~(1 << insns[i].bit);
			*set |= there[i] << insns[i].bit;
		}
		ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
		for (int i = 0; i < 3; i++) {
			vm_start(&self->m, MODE_LONG, system64);
			EXPECT_EQ(there[i] ? DONE : 6, run_cell(&self->m, insns[i].row, &trap))
				TH_LOG("row %d, %d hidden", insns[i].row, hidden);
		}
		vm_destroy(&self->m);
		vm_create(&self->m);
	}
}

TEST_HARNESS_MAIN
