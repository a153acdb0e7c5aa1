// SPDX-License-Identifier: GPL-2.0
/* KVM_SET_GUEST_DEBUG: steps and breakpoints that the guest does not notice. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define DR6_FIXED	0xffff0ff0ULL
#define DR6_BD		(1ULL << 13)
#define DR6_BS		(1ULL << 14)
#define DR7_GD		(1ULL << 13)
#define DR7_EXEC0	0x402ULL		/* G0, instruction */
#define DR7_WRITE0	(0x402ULL | 0xdULL << 16)	/* G0, 4 bytes written */
#define RFLAGS_TF	(1ULL << 8)
#define RFLAGS_IF	(1ULL << 9)

VM_FIXTURE

static int debug(struct vm *m, uint32_t control, uint64_t dr0, uint64_t dr7)
{
	struct kvm_guest_debug dbg = { .control = control };

	dbg.arch.debugreg[0] = dr0;
	dbg.arch.debugreg[7] = dr7;
	return ioctl(m->cpu, KVM_SET_GUEST_DEBUG, &dbg);
}

/*
 * Bochs has no monitor trap flag, and a step by RFLAGS.TF whose instruction
 * meets an EPT violation makes no progress there: the pages are touched before.
 */
#define start(m, mode, name) do {						\
	vm_start(m, mode, name);						\
	if (vm_run(m))								\
		die("KVM_RUN");							\
	vm_finish_io(m);							\
	vm_start(m, mode, name);						\
} while (0)

#define STEP	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP)
#define SW	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP)
#define HW	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP)

TEST_F(vm, caps_offered)
{
	EXPECT_EQ(1, vm_cap(&self->m, KVM_CAP_SET_GUEST_DEBUG));
	EXPECT_EQ(1, vm_cap(&self->m, KVM_CAP_X86_ROBUST_SINGLESTEP));
	EXPECT_EQ(1, vm_cap(&self->m, KVM_CAP_DEBUGREGS));
}

TEST_F(vm, step_stops_after_every_instruction)
{
	static const uint8_t stops[] = { 1, 3, 5, 7, 8, 9, 10 };
	struct kvm_debug_exit_arch *d = &self->m.run->debug.arch;

	start(&self->m, MODE_LONG, steps64);
	for (size_t i = 0; i < sizeof(stops); i++) {
		/* KVM steps by TF, in Bochs not a second time behind its own CPUID. */
		if (on_kvm() && stops[i] > 7)
			break;
		ASSERT_EQ(0, debug(&self->m, STEP, 0, 0));
		ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
		EXPECT_EQ(CODE + stops[i], d->pc);
		EXPECT_EQ(CODE + stops[i], vm_regs(&self->m).rip);
		EXPECT_EQ(1, d->exception);
		EXPECT_EQ(DR6_FIXED | DR6_BS, d->dr6);
	}
	EXPECT_EQ(1, vm_regs(&self->m).rsi);
}

TEST_F(vm, step_over_port_io_stops_behind_it)
{
	struct kvm_regs regs;

	start(&self->m, MODE_LONG, steps64);
	regs = vm_regs(&self->m);
	regs.rip = CODE + 10;
	vm_set_regs(&self->m, &regs);
	ASSERT_EQ(0, debug(&self->m, STEP, 0, 0));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	EXPECT_EQ(CODE + 12, self->m.run->debug.arch.pc);
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	EXPECT_EQ(CODE + 13, self->m.run->debug.arch.pc);
}

TEST_F(vm, step_is_not_seen_in_the_registers)
{
	start(&self->m, MODE_LONG, steps64);
	do {
		ASSERT_EQ(0, debug(&self->m, STEP, 0, 0));
		ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	} while (self->m.run->debug.arch.pc != CODE + 9);
	EXPECT_EQ(0, vm_regs(&self->m).rflags & RFLAGS_TF);
}

TEST_F(vm, step_off_runs_on)
{
	start(&self->m, MODE_LONG, steps64);
	ASSERT_EQ(0, debug(&self->m, STEP, 0, 0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	ASSERT_EQ(0, debug(&self->m, 0, 0, 0));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(PORT_SYNC, self->m.run->io.port);
}

/* The step over HLT is due when the debugger goes, and the guest has asked for none. */
TEST_F(vm, step_over_hlt_ends_with_the_debugger)
{
	start(&self->m, MODE_LONG, hlt_nops64);
	ASSERT_EQ(0, debug(&self->m, STEP, 0, 0));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	ASSERT_EQ(0, debug(&self->m, 0, 0, 0));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(PORT_SYNC, self->m.run->io.port);
}

TEST_F(vm, step_of_the_guests_own_outlives_the_debugger)
{
	struct kvm_regs regs;

	start(&self->m, MODE_LONG, hlt_nops64);
	regs = vm_regs(&self->m);
	regs.rflags |= RFLAGS_TF;
	vm_set_regs(&self->m, &regs);
	ASSERT_EQ(0, debug(&self->m, STEP, 0, 0));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	ASSERT_EQ(0, debug(&self->m, 0, 0, 0));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	ASSERT_EQ(PORT_TRAP, self->m.run->io.port);
	EXPECT_EQ(1, vm_trap(&self->m).vector);
	EXPECT_EQ(CODE + 1, vm_trap(&self->m).ip);
}

/* One exit for each instruction, whether or not the guest steps itself, too. */
TEST_F(vm, step_of_a_guest_that_steps_itself_comes_once)
{
	for (int tf = 0; tf < 2; tf++) {
		struct kvm_regs regs;

		start(&self->m, MODE_LONG, nops64);
		regs = vm_regs(&self->m);
		regs.rflags |= tf ? RFLAGS_TF : 0;
		vm_set_regs(&self->m, &regs);
		ASSERT_EQ(0, debug(&self->m, STEP, 0, 0));
		for (int i = 1; i <= 4; i++) {
			ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
			EXPECT_EQ(CODE + i, self->m.run->debug.arch.pc) TH_LOG("TF %d", tf);
			EXPECT_EQ(DR6_FIXED | DR6_BS, self->m.run->debug.arch.dr6);
		}
	}
}

/* A string instruction that vtx executes is stepped by its rounds, as the CPU does. */
TEST_F(vm, step_over_rep_outs_stops_behind_each_element)
{
	struct kvm_regs regs;

	if (on_kvm())
		SKIP(return, "KVM loses the steps behind an exit");
	start(&self->m, MODE_LONG, rep_outsb);
	regs = vm_regs(&self->m);
	regs.rsi = DATA;
	regs.rcx = 3;
	vm_set_regs(&self->m, &regs);
	ASSERT_EQ(0, debug(&self->m, STEP, 0, 0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	EXPECT_EQ(CODE + 5, self->m.run->debug.arch.pc);
	for (int i = 1; i <= 3; i++) {
		ASSERT_EXIT(KVM_EXIT_IO, &self->m);
		ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
		EXPECT_EQ(CODE + (i < 3 ? 5 : 7), self->m.run->debug.arch.pc);
		EXPECT_EQ(3 - i, vm_regs(&self->m).rcx);
	}
}

TEST_F(vm, step_pc_is_linear)
{
	struct kvm_sregs s;

	start(&self->m, MODE_REAL, steps64);
	s = vm_sregs(&self->m);
	s.cs.selector = 0x10;
	s.cs.base = 0x100;
	vm_set_sregs(&self->m, &s);
	memset(self->m.ram + 0x100 + CODE, 0x90, 4);
	ASSERT_EQ(0, debug(&self->m, STEP, 0, 0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	EXPECT_EQ(0x100 + CODE + 1, self->m.run->debug.arch.pc);
	EXPECT_EQ(CODE + 1, vm_regs(&self->m).rip);
}

TEST_F(vm, step_with_blocked_interrupts_does_not_deliver_them)
{
	struct kvm_interrupt irq = { .irq = 0x41 };
	struct kvm_regs regs;

	if (on_kvm())
		SKIP(return, "KVM takes the interrupt for an injected one");
	start(&self->m, MODE_LONG, nops64);
	regs = vm_regs(&self->m);
	regs.rflags |= RFLAGS_IF;
	vm_set_regs(&self->m, &regs);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_INTERRUPT, &irq));
	ASSERT_EQ(0, debug(&self->m, STEP | KVM_GUESTDBG_BLOCKIRQ, 0, 0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	EXPECT_EQ(CODE + 1, self->m.run->debug.arch.pc);
	EXPECT_EQ(0, self->m.run->ready_for_interrupt_injection);
	ASSERT_EQ(0, debug(&self->m, 0, 0, 0));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(0x41, vm_trap(&self->m).vector);
	EXPECT_EQ(CODE + 1, vm_trap(&self->m).ip);
}

TEST_F(vm, software_breakpoint_stops_at_int3)
{
	start(&self->m, MODE_LONG, breaks64);
	ASSERT_EQ(0, debug(&self->m, SW, 0, 0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	EXPECT_EQ(3, self->m.run->debug.arch.exception);
	EXPECT_EQ(CODE + 1, self->m.run->debug.arch.pc);
	EXPECT_EQ(CODE + 1, vm_regs(&self->m).rip);
}

TEST_F(vm, software_breakpoint_of_the_guest_is_given_back)
{
	start(&self->m, MODE_LONG, breaks64);
	ASSERT_EQ(0, debug(&self->m, SW, 0, 0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	ASSERT_EQ(0, debug(&self->m, SW | KVM_GUESTDBG_INJECT_BP, 0, 0));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(3, vm_trap(&self->m).vector);
	EXPECT_EQ(CODE + 2, vm_trap(&self->m).ip);
}

/* As QEMU does it, and with a prefix: what counts is the length that the CPU reported. */
TEST_F(vm, software_breakpoint_is_given_back_by_vcpu_events)
{
	struct kvm_vcpu_events events = { .exception = { .injected = 1, .nr = 3 } };

	start(&self->m, MODE_LONG, breaks64);
	memcpy(self->m.ram + CODE, "\x90\x66\xcc", 3);
	ASSERT_EQ(0, debug(&self->m, SW, 0, 0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(3, vm_trap(&self->m).vector);
	EXPECT_EQ(CODE + 3, vm_trap(&self->m).ip);
}

TEST_F(vm, software_breakpoint_without_debugger_is_the_guests)
{
	start(&self->m, MODE_LONG, breaks64);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(3, vm_trap(&self->m).vector);
	/* ENABLE is missing: no debugger. */
	start(&self->m, MODE_LONG, breaks64);
	ASSERT_EQ(0, debug(&self->m, KVM_GUESTDBG_USE_SW_BP, 0, 0));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(3, vm_trap(&self->m).vector);
}

TEST_F(vm, hardware_breakpoint_stops_before_the_instruction)
{
	start(&self->m, MODE_LONG, steps64);
	ASSERT_EQ(0, debug(&self->m, HW, CODE + 8, DR7_EXEC0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	EXPECT_EQ(1, self->m.run->debug.arch.exception);
	EXPECT_EQ(CODE + 8, self->m.run->debug.arch.pc);
	EXPECT_EQ(DR6_FIXED | 1, self->m.run->debug.arch.dr6);
	EXPECT_EQ(DR7_EXEC0, self->m.run->debug.arch.dr7);
}

TEST_F(vm, hardware_watchpoint_stops_behind_the_store)
{
	struct kvm_regs regs;

	start(&self->m, MODE_LONG, breaks64);
	regs = vm_regs(&self->m);
	regs.rip = CODE + 2;
	vm_set_regs(&self->m, &regs);
	ASSERT_EQ(0, debug(&self->m, HW, DATA, DR7_WRITE0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	EXPECT_EQ(CODE + 13, self->m.run->debug.arch.pc);
	EXPECT_EQ(DR6_FIXED | 1, self->m.run->debug.arch.dr6);
	EXPECT_EQ(1, self->m.ram[DATA]);
}

TEST_F(vm, hardware_breakpoints_leave_the_guests_debug_registers)
{
	struct kvm_debugregs set = { .db = { 1, 2, 3, 4 }, .dr6 = 0xffff0ff0, .dr7 = 0x400 }, got;

	start(&self->m, MODE_LONG, steps64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_DEBUGREGS, &set));
	ASSERT_EQ(0, debug(&self->m, HW, CODE + 8, DR7_EXEC0));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_DEBUGREGS, &got));
	EXPECT_EQ(0, memcmp(set.db, got.db, sizeof(set.db)));
	EXPECT_EQ(0xffff0ff0, got.dr6);
	EXPECT_EQ(0x400, got.dr7);
}

/* DR7.GD: the debugger's own, the guest's is not in force meanwhile. */
TEST_F(vm, debug_register_access_stops_if_the_debugger_asks)
{
	struct kvm_debug_exit_arch *d = &self->m.run->debug.arch;

	vm_start(&self->m, MODE_LONG, mov_dr64);
	ASSERT_EQ(0, debug(&self->m, HW, 0, 0x400 | DR7_GD));
	ASSERT_EXIT(KVM_EXIT_DEBUG, &self->m);
	EXPECT_EQ(1, d->exception);
	EXPECT_EQ(CODE, d->pc);
	EXPECT_EQ(DR6_FIXED | DR6_BD, d->dr6);
	EXPECT_EQ(0x400 | DR7_GD, d->dr7);
	ASSERT_EQ(0, debug(&self->m, HW, 0, 0x400));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x400, vm_regs(&self->m).rbx);
}

TEST_F(vm, debug_register_access_stops_if_the_guest_asks)
{
	struct kvm_debugregs regs = { .dr6 = DR6_FIXED, .dr7 = 0x400 | DR7_GD };

	vm_start(&self->m, MODE_LONG, mov_dr64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_DEBUGREGS, &regs));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(1, vm_trap(&self->m).vector);
	EXPECT_EQ(CODE, vm_trap(&self->m).ip);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_DEBUGREGS, &regs));
	EXPECT_EQ(DR6_FIXED | DR6_BD, regs.dr6);
	EXPECT_EQ(0x400, regs.dr7);
}

TEST_F(vm, injected_db_reaches_the_guest)
{
	start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, debug(&self->m, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB, 0, 0));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(1, vm_trap(&self->m).vector);
}

/* In a shadow VM entry wants the step that TF asks for to be pending. */
TEST_F(vm, injected_db_in_sti_shadow_of_a_stepped_guest)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_SHADOW,
		.interrupt.shadow = KVM_X86_SHADOW_INT_STI,
	};
	struct kvm_regs regs;

	start(&self->m, MODE_LONG, nops64);
	regs = vm_regs(&self->m);
	regs.rflags |= RFLAGS_IF | RFLAGS_TF;
	vm_set_regs(&self->m, &regs);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	ASSERT_EQ(0, debug(&self->m, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB, 0, 0));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(1, vm_trap(&self->m).vector);
	EXPECT_EQ(CODE, vm_trap(&self->m).ip);
}

TEST_F(vm, injection_on_top_of_another_gives_ebusy)
{
	start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, debug(&self->m, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_DB, 0, 0));
	EXPECT_ERRNO(EBUSY, debug(&self->m, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_BP, 0, 0));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_SET_GUEST_DEBUG, 1UL));
}

TEST_F(vm, debugregs_round_trip)
{
	struct kvm_debugregs set = {
		.db = { 0x1000, 0x2000, 0x3000, 0x4000 },
		.dr6 = 0xffff0ff1, .dr7 = 0x701,
	}, got;

	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_DEBUGREGS, &set));
	memset(&got, 0xee, sizeof(got));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_DEBUGREGS, &got));
	EXPECT_EQ(0, memcmp(&set, &got, sizeof(set)));
}

/* What the VMM sets it gets back; the guest reads what a CPU has. */
TEST_F(vm, debugregs_reserved_bits_round_trip_and_do_not_reach_the_guest)
{
	struct kvm_debugregs set = { .dr6 = 0, .dr7 = 13 }, got;

	vm_start(&self->m, MODE_LONG, mov_dr64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_DEBUGREGS, &set));
	memset(&got, 0xee, sizeof(got));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_DEBUGREGS, &got));
	EXPECT_EQ(0, memcmp(&set, &got, sizeof(set)));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x40d, vm_regs(&self->m).rbx);
}

TEST_F(vm, debugregs_bad_values_give_einval)
{
	struct kvm_debugregs regs = { .dr6 = 1ULL << 32 };

	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_DEBUGREGS, &regs));
	regs = (struct kvm_debugregs){ .dr7 = 1ULL << 32 };
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_DEBUGREGS, &regs));
	regs = (struct kvm_debugregs){ .flags = 1 };
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_DEBUGREGS, &regs));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_SET_DEBUGREGS, 1UL));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_GET_DEBUGREGS, 1UL));
}

TEST_HARNESS_MAIN
