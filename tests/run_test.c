// SPDX-License-Identifier: GPL-2.0
/* KVM_RUN: start, halt, shut down, fail to enter, immediate_exit, wrong process. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

VM_FIXTURE

TEST_F(vm, hlt_real_exits_past_it)
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
		EXPECT_EQ(CODE + 1, vm_regs(&self->m).rip);
	}
}

TEST_F(vm, triple_fault_exits_shutdown)
{
	vm_start(&self->m, MODE_REAL, triple_fault16);
	ASSERT_EXIT(KVM_EXIT_SHUTDOWN, &self->m);
}

TEST_HARNESS_MAIN
