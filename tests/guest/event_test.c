// SPDX-License-Identifier: GPL-2.0
/* Interrupts, NMIs, their windows and shadows, CR8, events saved and restored. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define RFLAGS_TF	(1ULL << 8)
#define RFLAGS_IF	(1ULL << 9)
#define VECTOR		0x41

VM_FIXTURE

static void set_flags(struct vm *m, uint64_t flags)
{
	struct kvm_regs regs = vm_regs(m);

	regs.rflags = 2 | flags;
	vm_set_regs(m, &regs);
}

static int interrupt(struct vm *m, uint32_t vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	return ioctl(m->cpu, KVM_INTERRUPT, &irq);
}

static struct kvm_vcpu_events get_events(struct vm *m)
{
	struct kvm_vcpu_events events;

	if (ioctl(m->cpu, KVM_GET_VCPU_EVENTS, &events))
		die("KVM_GET_VCPU_EVENTS");
	return events;
}

/* Runs to the next exception stub. */
#define ASSERT_TRAP(number, m) do {						\
	ASSERT_EXIT(KVM_EXIT_IO, m);						\
	ASSERT_EQ(PORT_TRAP, (m)->run->io.port) vm_dump(m);			\
	ASSERT_EQ(number, (int)vm_trap(m).vector) vm_dump(m);			\
} while (0)

#define ASSERT_SYNC(m) do {							\
	ASSERT_EXIT(KVM_EXIT_IO, m);						\
	ASSERT_EQ(PORT_SYNC, (m)->run->io.port) vm_dump(m);			\
} while (0)

/* --- KVM_INTERRUPT --- */

TEST_F(vm, irq_is_delivered_in_every_mode)
{
	static const enum mode modes[] = { MODE_REAL, MODE_PROT, MODE_PAE, MODE_LONG };

	for (int i = 0; i < 4; i++) {
		vm_start(&self->m, modes[i], nops64);
		set_flags(&self->m, RFLAGS_IF);
		ASSERT_EQ(0, interrupt(&self->m, VECTOR));
		ASSERT_TRAP(VECTOR, &self->m);
		EXPECT_EQ(CODE, vm_trap(&self->m).ip) TH_LOG("mode %d", modes[i]);
		EXPECT_EQ(0, self->m.run->if_flag);
		ASSERT_SYNC(&self->m);
		EXPECT_EQ(1, self->m.run->if_flag);
	}
}

TEST_F(vm, irq_vector_out_of_range_gives_einval)
{
	EXPECT_ERRNO(EINVAL, interrupt(&self->m, 256));
	EXPECT_ERRNO(EINVAL, interrupt(&self->m, ~0U));
}

TEST_F(vm, irq_queued_shows_in_sregs_and_events)
{
	struct kvm_sregs s;

	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, interrupt(&self->m, VECTOR));
	s = vm_sregs(&self->m);
	EXPECT_EQ(1ULL << (VECTOR % 64), s.interrupt_bitmap[VECTOR / 64]);
	EXPECT_EQ(1, get_events(&self->m).interrupt.injected);
	EXPECT_EQ(VECTOR, get_events(&self->m).interrupt.nr);
}

TEST_F(vm, irq_set_by_sregs_is_delivered)
{
	struct kvm_sregs s;

	vm_start(&self->m, MODE_LONG, nops64);
	set_flags(&self->m, RFLAGS_IF);
	s = vm_sregs(&self->m);
	s.interrupt_bitmap[VECTOR / 64] = 1ULL << (VECTOR % 64);
	vm_set_sregs(&self->m, &s);
	ASSERT_TRAP(VECTOR, &self->m);
}

/* KVM would enter the guest with it and fail. */
TEST_F(vm, irq_waits_for_interrupt_flag)
{
	if (on_kvm())
		SKIP(return, "KVM fails the VM entry");
	vm_start(&self->m, MODE_LONG, sti_nops64);
	ASSERT_EQ(0, interrupt(&self->m, VECTOR));
	ASSERT_TRAP(VECTOR, &self->m);
	EXPECT_EQ(CODE + 2, vm_trap(&self->m).ip);
	ASSERT_SYNC(&self->m);
}

/* --- readiness and windows --- */

TEST_F(vm, ready_follows_interrupt_flag)
{
	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_SYNC(&self->m);
	EXPECT_EQ(0, self->m.run->ready_for_interrupt_injection);
	EXPECT_EQ(0, self->m.run->if_flag);
	vm_start(&self->m, MODE_LONG, nops64);
	set_flags(&self->m, RFLAGS_IF);
	ASSERT_SYNC(&self->m);
	EXPECT_EQ(1, self->m.run->ready_for_interrupt_injection);
	EXPECT_EQ(1, self->m.run->if_flag);
}

TEST_F(vm, not_ready_in_sti_shadow)
{
	vm_start(&self->m, MODE_LONG, sti_out64);
	ASSERT_SYNC(&self->m);
	EXPECT_EQ(1, self->m.run->if_flag);
	EXPECT_EQ(0, self->m.run->ready_for_interrupt_injection);
	EXPECT_EQ(KVM_X86_SHADOW_INT_STI, get_events(&self->m).interrupt.shadow);
	/* The end of OUT is the end of the shadow. */
	vm_finish_io(&self->m);
	EXPECT_EQ(1, self->m.run->ready_for_interrupt_injection);
	EXPECT_EQ(0, get_events(&self->m).interrupt.shadow);
}

TEST_F(vm, window_opens_behind_sti_shadow)
{
	vm_start(&self->m, MODE_LONG, sti_nops64);
	self->m.run->request_interrupt_window = 1;
	ASSERT_EXIT(KVM_EXIT_IRQ_WINDOW_OPEN, &self->m);
	EXPECT_EQ(CODE + 2, vm_regs(&self->m).rip);
	EXPECT_EQ(1, self->m.run->ready_for_interrupt_injection);
	self->m.run->request_interrupt_window = 0;
	ASSERT_EQ(0, interrupt(&self->m, VECTOR));
	ASSERT_TRAP(VECTOR, &self->m);
	EXPECT_EQ(CODE + 2, vm_trap(&self->m).ip);
}

/* SDM: the shadow of STI lasts an instruction or, of a repeated one, a round. */
TEST_F(vm, window_opens_behind_the_first_round_of_string_io)
{
	for (int in = 0; in < 2; in++) {
		struct kvm_regs regs;

		if (in)
			vm_start(&self->m, MODE_REAL, sti_rep_insb16);
		else
			vm_start(&self->m, MODE_REAL, sti_rep_outsb16);
		regs = vm_regs(&self->m);
		/* Two batches of INS by the end of the page. */
		regs.rsi = regs.rdi = 0x6ffe;
		regs.rcx = 9;
		vm_set_regs(&self->m, &regs);
		self->m.run->request_interrupt_window = 1;
		ASSERT_EXIT(KVM_EXIT_IO, &self->m);
		EXPECT_EQ(in ? 2 : 1, self->m.run->io.count);
		ASSERT_EXIT(KVM_EXIT_IRQ_WINDOW_OPEN, &self->m);
		EXPECT_EQ(in ? 7 : 8, vm_regs(&self->m).rcx);
		EXPECT_EQ(CODE + 4, vm_regs(&self->m).rip);
	}
}

TEST_F(vm, window_not_asked_for_does_not_open)
{
	vm_start(&self->m, MODE_LONG, sti_nops64);
	ASSERT_SYNC(&self->m);
}

TEST_F(vm, window_of_one_instruction_is_found)
{
	vm_start(&self->m, MODE_LONG, sti_cli64);
	ASSERT_SYNC(&self->m);
	self->m.run->request_interrupt_window = 1;
	ASSERT_EXIT(KVM_EXIT_IRQ_WINDOW_OPEN, &self->m);
	EXPECT_EQ(CODE + 5, vm_regs(&self->m).rip);
	self->m.run->request_interrupt_window = 0;
	ASSERT_SYNC(&self->m);
}

TEST_F(vm, window_request_withdrawn_closes_it)
{
	vm_start(&self->m, MODE_LONG, sti_cli64);
	self->m.run->request_interrupt_window = 1;
	ASSERT_SYNC(&self->m);
	self->m.run->request_interrupt_window = 0;
	ASSERT_SYNC(&self->m);
	EXPECT_EQ(CODE + 6, vm_regs(&self->m).rip);
}

/* --- NMI --- */

TEST_F(vm, nmi_ignores_interrupt_flag)
{
	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_NMI));
	EXPECT_EQ(1, get_events(&self->m).nmi.pending);
	ASSERT_TRAP(2, &self->m);
	EXPECT_EQ(CODE, vm_trap(&self->m).ip);
	EXPECT_EQ(1, get_events(&self->m).nmi.masked);
	EXPECT_EQ(0, get_events(&self->m).nmi.pending);
	ASSERT_SYNC(&self->m);
	EXPECT_EQ(0, get_events(&self->m).nmi.masked);
}

TEST_F(vm, nmi_waits_for_iret_of_the_last_one)
{
	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_NMI));
	ASSERT_TRAP(2, &self->m);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_NMI));
	ASSERT_TRAP(2, &self->m);
	/* Not nested: the stack is where it was. */
	EXPECT_EQ(CODE, vm_trap(&self->m).ip);
	ASSERT_SYNC(&self->m);
}

/* One being delivered and one behind it; more have always been the same. */
TEST_F(vm, nmi_twice_is_two_nmis)
{
	vm_start(&self->m, MODE_LONG, nops64);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, ioctl(self->m.cpu, KVM_NMI));
	EXPECT_EQ(on_kvm() ? 1 : 2, get_events(&self->m).nmi.pending);
	ASSERT_TRAP(2, &self->m);
	EXPECT_EQ(1, get_events(&self->m).nmi.pending);
	ASSERT_TRAP(2, &self->m);
	EXPECT_EQ(0, get_events(&self->m).nmi.pending);
	ASSERT_SYNC(&self->m);
}

TEST_F(vm, nmi_while_one_is_served_is_one)
{
	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_NMI));
	ASSERT_TRAP(2, &self->m);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, ioctl(self->m.cpu, KVM_NMI));
	EXPECT_EQ(1, get_events(&self->m).nmi.pending);
	ASSERT_TRAP(2, &self->m);
	ASSERT_SYNC(&self->m);
}

TEST_F(vm, nmi_goes_before_irq)
{
	vm_start(&self->m, MODE_LONG, nops64);
	set_flags(&self->m, RFLAGS_IF);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_NMI));
	if (on_kvm())
		SKIP(return, "KVM takes the interrupt for an injected one");
	ASSERT_EQ(0, interrupt(&self->m, VECTOR));
	ASSERT_TRAP(2, &self->m);
	ASSERT_TRAP(VECTOR, &self->m);
	ASSERT_SYNC(&self->m);
}

/* --- CR8 --- */

TEST_F(vm, cr8_lowered_exits_set_tpr)
{
	vm_start(&self->m, MODE_LONG, cr8_64);
	ASSERT_SYNC(&self->m);
	EXPECT_EQ(9, self->m.run->cr8);
	ASSERT_EXIT(KVM_EXIT_SET_TPR, &self->m);
	EXPECT_EQ(3, self->m.run->cr8);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(3, vm_regs(&self->m).rbx);
}

TEST_F(vm, cr8_of_run_page_counts)
{
	vm_start(&self->m, MODE_LONG, cr8_64);
	self->m.run->cr8 = 12;
	ASSERT_EXIT(KVM_EXIT_SET_TPR, &self->m);
	EXPECT_EQ(9, self->m.run->cr8);
	EXPECT_EQ(9, vm_sregs(&self->m).cr8);
}

TEST_F(vm, cr8_bad_value_in_run_page_gives_einval)
{
	vm_start(&self->m, MODE_LONG, cr8_64);
	self->m.run->cr8 = 16;
	EXPECT_EQ(-EINVAL, vm_run(&self->m));
	EXPECT_EQ(0, self->m.run->cr8);
}

/* --- what every return of KVM_RUN reports --- */

TEST_F(vm, run_page_is_filled_without_a_run)
{
	vm_start(&self->m, MODE_LONG, nops64);
	set_flags(&self->m, RFLAGS_IF);
	self->m.run->apic_base = 0;
	self->m.run->if_flag = 0;
	self->m.run->immediate_exit = 1;
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(0xfee00900, self->m.run->apic_base);
	EXPECT_EQ(1, self->m.run->if_flag);
	EXPECT_EQ(1, self->m.run->ready_for_interrupt_injection);
}

/* --- KVM_GET/SET_VCPU_EVENTS --- */

TEST_F(vm, events_exception_is_injected_with_its_error_code)
{
	struct kvm_vcpu_events events = {
		.exception = { .injected = 1, .nr = 13, .has_error_code = 1, .error_code = 0x58 },
	};

	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	events = get_events(&self->m);
	EXPECT_EQ(1, events.exception.injected);
	EXPECT_EQ(13, events.exception.nr);
	EXPECT_EQ(0x58, events.exception.error_code);
	ASSERT_TRAP(13, &self->m);
	EXPECT_EQ(0x58, vm_trap(&self->m).error);
	EXPECT_EQ(0, get_events(&self->m).exception.injected);
}

/* QEMU gives a guest its own INT3 back like this: the handler returns behind it. */
TEST_F(vm, events_breakpoint_returns_behind_int3)
{
	static const uint8_t vectors[] = { 3, 4 };
	struct kvm_regs regs;

	for (int i = 0; i < 2; i++) {
		struct kvm_vcpu_events events = {
			.exception = { .injected = 1, .nr = vectors[i] },
		};

		vm_start(&self->m, MODE_LONG, breaks64);
		regs = vm_regs(&self->m);
		regs.rip = CODE + 1;
		vm_set_regs(&self->m, &regs);
		ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
		ASSERT_TRAP(vectors[i], &self->m);
		/* KVM has a length from an exit only. */
		if (!on_kvm())
			EXPECT_EQ(CODE + 2, vm_trap(&self->m).ip);
	}
}

/* An error code has 16 bits; VM entry refuses more. */
TEST_F(vm, events_error_code_is_cut_to_16_bits)
{
	struct kvm_vcpu_events events = {
		.exception = { .injected = 1, .nr = 13, .has_error_code = 1,
			       .error_code = 0xdead0058 },
	};

	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	ASSERT_TRAP(13, &self->m);
	EXPECT_EQ(0x58, vm_trap(&self->m).error);
}

/* VM entry wants the step that TF asks for to be pending behind STI. */
TEST_F(vm, events_db_in_sti_shadow_of_a_stepped_guest)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_SHADOW,
		.exception = { .injected = 1, .nr = 1 },
		.interrupt.shadow = KVM_X86_SHADOW_INT_STI,
	};

	vm_start(&self->m, MODE_LONG, nops64);
	set_flags(&self->m, RFLAGS_IF | RFLAGS_TF);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	ASSERT_TRAP(1, &self->m);
	EXPECT_EQ(CODE, vm_trap(&self->m).ip);
}

/* What was on its way into the guest is not the registers' to drop. */
TEST_F(vm, events_exception_outlives_set_regs)
{
	struct kvm_vcpu_events events = {
		.exception = { .injected = 1, .nr = 13, .has_error_code = 1, .error_code = 0x58 },
	};

	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	set_flags(&self->m, RFLAGS_IF);
	EXPECT_EQ(1, get_events(&self->m).exception.injected);
	ASSERT_TRAP(13, &self->m);
	EXPECT_EQ(0x58, vm_trap(&self->m).error);
}

/* "Pending" counts with VALID_PAYLOAD only, which needs a capability. */
TEST_F(vm, events_pending_without_payload_is_ignored)
{
	struct kvm_vcpu_events events = { .exception = { .pending = 1, .nr = 32 } };

	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	ASSERT_SYNC(&self->m);
}

TEST_F(vm, events_irq_and_nmi_are_restored)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING,
		.nmi.pending = 1,
	};

	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	ASSERT_TRAP(2, &self->m);
	vm_start(&self->m, MODE_LONG, nops64);
	set_flags(&self->m, RFLAGS_IF);
	memset(&events, 0, sizeof(events));
	events.interrupt.injected = 1;
	events.interrupt.nr = VECTOR;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	ASSERT_TRAP(VECTOR, &self->m);
}

TEST_F(vm, events_without_irq_take_it_back)
{
	struct kvm_vcpu_events events = { 0 };

	vm_start(&self->m, MODE_LONG, nops64);
	set_flags(&self->m, RFLAGS_IF);
	ASSERT_EQ(0, interrupt(&self->m, VECTOR));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	ASSERT_SYNC(&self->m);
}

TEST_F(vm, events_masked_nmi_waits)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING,
		.nmi = { .pending = 1, .masked = 1 },
	};

	vm_start(&self->m, MODE_LONG, nops64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	ASSERT_SYNC(&self->m);
	EXPECT_EQ(1, get_events(&self->m).nmi.pending);
	EXPECT_EQ(1, get_events(&self->m).nmi.masked);
}

TEST_F(vm, events_shadow_is_restored)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_SHADOW,
		.interrupt.shadow = KVM_X86_SHADOW_INT_STI,
	};

	vm_start(&self->m, MODE_LONG, nops64);
	set_flags(&self->m, RFLAGS_IF);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	EXPECT_EQ(KVM_X86_SHADOW_INT_STI, get_events(&self->m).interrupt.shadow);
	self->m.run->request_interrupt_window = 1;
	ASSERT_EXIT(KVM_EXIT_IRQ_WINDOW_OPEN, &self->m);
	EXPECT_EQ(CODE + 1, vm_regs(&self->m).rip);
}

TEST_F(vm, events_unknown_flags_and_vectors_give_einval)
{
	struct kvm_vcpu_events events = { .flags = 1 << 31 };

	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	events = (struct kvm_vcpu_events){ .flags = KVM_VCPUEVENT_VALID_PAYLOAD };
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	events = (struct kvm_vcpu_events){ .exception = { .injected = 1, .nr = 32 } };
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	events.exception.nr = 2;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, &events));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_SET_VCPU_EVENTS, 1UL));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_GET_VCPU_EVENTS, 1UL));
}

TEST_HARNESS_MAIN
