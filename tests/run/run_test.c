// SPDX-License-Identifier: GPL-2.0
/* KVM_RUN: start, halt, shut down, fail to enter, its own arguments. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define INVALID_GUEST_STATE 0x80000021	/* SDM vol 3 "Basic VM-Entry Failures", exit reason 33 */

VM_FIXTURE

TEST_F(vm, hlt_exits_past_it)
{
	vm_start(&self->m, MODE_REAL, hlt16);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(CODE + 1, vm_regs(&self->m).rip);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(CODE + 2, vm_regs(&self->m).rip);
}

TEST_F(vm, hlt_every_mode_exits)
{
	for (int mode = MODE_PROT; mode <= MODE_COMPAT; mode++) {
		if (mode == MODE_LONG || mode == MODE_LONG_4K)
			vm_start(&self->m, mode, hlt64);
		else
			vm_start(&self->m, mode, hlt32);
		ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
		EXPECT_EQ(CODE + 1, vm_regs(&self->m).rip) TH_LOG("mode %d", mode);
	}
}

TEST_F(vm, hlt_reports_interrupt_flag)
{
	vm_start(&self->m, MODE_REAL, hlt16);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0, self->m.run->if_flag);
	vm_start(&self->m, MODE_REAL, sti_hlt16);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(1, self->m.run->if_flag);
	EXPECT_EQ(0x202, vm_regs(&self->m).rflags);
}

TEST_F(vm, triple_fault_exits_shutdown)
{
	vm_start(&self->m, MODE_REAL, triple_fault16);
	ASSERT_EXIT(KVM_EXIT_SHUTDOWN, &self->m);
}

TEST_F(vm, shutdown_vcpu_can_be_reset_and_run)
{
	vm_start(&self->m, MODE_REAL, triple_fault16);
	ASSERT_EXIT(KVM_EXIT_SHUTDOWN, &self->m);
	vm_start(&self->m, MODE_LONG, hlt64);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

/* --- guest state the processor refuses --- */

#define ASSERT_FAIL_ENTRY(m) do {						\
	ASSERT_EXIT(KVM_EXIT_FAIL_ENTRY, (m));					\
	EXPECT_EQ(INVALID_GUEST_STATE,						\
		  (m)->run->fail_entry.hardware_entry_failure_reason);		\
	EXPECT_GT(1024, (m)->run->fail_entry.cpu);				\
} while (0)

TEST_F(vm, invalid_tr_type_fails_entry)
{
	struct kvm_sregs s;

	vm_start(&self->m, MODE_PROT, hlt32);
	s = vm_sregs(&self->m);
	s.tr.type = 9;	/* available, not busy */
	vm_set_sregs(&self->m, &s);
	ASSERT_FAIL_ENTRY(&self->m);
}

TEST_F(vm, invalid_cs_type_fails_entry)
{
	struct kvm_sregs s;

	vm_start(&self->m, MODE_LONG, hlt64);
	s = vm_sregs(&self->m);
	s.cs.db = 1;	/* with L: reserved combination */
	vm_set_sregs(&self->m, &s);
	ASSERT_FAIL_ENTRY(&self->m);
}

TEST_F(vm, fail_entry_vcpu_runs_with_good_state)
{
	struct kvm_sregs s;

	vm_start(&self->m, MODE_PROT, hlt32);
	s = vm_sregs(&self->m);
	s.tr.type = 9;	/* available, not busy */
	vm_set_sregs(&self->m, &s);
	ASSERT_FAIL_ENTRY(&self->m);
	ASSERT_FAIL_ENTRY(&self->m);
	s.tr.type = 11;
	vm_set_sregs(&self->m, &s);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

/* --- the fields of the run page that KVM_RUN reads --- */

TEST_F(vm, run_bad_cr8_gives_einval)
{
	vm_start(&self->m, MODE_REAL, hlt16);
	self->m.run->cr8 = 16;
	EXPECT_EQ(-EINVAL, vm_run(&self->m));
	self->m.run->cr8 = -1;
	EXPECT_EQ(-EINVAL, vm_run(&self->m));
	self->m.run->cr8 = 15;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(15, vm_sregs(&self->m).cr8);
}

TEST_F(vm, run_unknown_sync_regs_give_einval)
{
	vm_start(&self->m, MODE_REAL, hlt16);
	self->m.run->kvm_valid_regs = 1ULL << 40;
	EXPECT_EQ(-EINVAL, vm_run(&self->m));
	self->m.run->kvm_valid_regs = 0;
	self->m.run->kvm_dirty_regs = 1ULL << 63;
	EXPECT_EQ(-EINVAL, vm_run(&self->m));
	self->m.run->kvm_dirty_regs = 0;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

TEST_F(vm, run_argument_gives_einval)
{
	vm_start(&self->m, MODE_REAL, hlt16);
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_RUN, 1));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

/* --- several vCPUs --- */

TEST_F(vm, vcpus_of_one_vm_run_their_own_state)
{
	struct kvm_run *run[8];
	int cpu[8];

	vm_start(&self->m, MODE_REAL, sync16);
	for (int i = 0; i < 8; i++) {
		struct kvm_regs regs = vm_regs(&self->m);
		struct kvm_sregs sregs = vm_sregs(&self->m);

		cpu[i] = vm_add_cpu(&self->m, i + 1, &run[i]);
		regs.rax = 16 * i;
		sregs.apic_base = 0xfee00800;
		ASSERT_EQ(0, ioctl(cpu[i], KVM_SET_SREGS, &sregs));
		ASSERT_EQ(0, ioctl(cpu[i], KVM_SET_REGS, &regs));
	}
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 8; i++) {
			ASSERT_EQ(0, ioctl(cpu[i], KVM_RUN, 0));
			ASSERT_EQ(KVM_EXIT_IO, run[i]->exit_reason);
			EXPECT_EQ(16 * i + round,
				  *((uint8_t *)run[i] + run[i]->io.data_offset));
		}
	}
}

TEST_F(vm, vcpu_of_another_vm_sees_its_own_memory)
{
	struct vm other;

	vm_create(&other);
	vm_start(&self->m, MODE_LONG, peek64);
	vm_start(&other, MODE_LONG, peek64);
	*(uint32_t *)(self->m.ram + DATA) = 111;
	*(uint32_t *)(other.ram + DATA) = 222;
	for (int i = 0; i < 3; i++) {
		const struct kvm_regs regs = { .rip = CODE, .rbx = ALIAS + DATA, .rflags = 2 };

		vm_set_regs(&self->m, &regs);
		vm_set_regs(&other, &regs);
		ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
		ASSERT_EXIT(KVM_EXIT_HLT, &other);
		EXPECT_EQ(111, vm_regs(&self->m).rax);
		EXPECT_EQ(222, vm_regs(&other).rax);
	}
}

TEST_HARNESS_MAIN
