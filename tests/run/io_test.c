// SPDX-License-Identifier: GPL-2.0
/* Port I/O exits: sizes, merging into RAX, completion. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define PORT 0x3f8

VM_FIXTURE

static void expect_io(struct __test_metadata *_metadata, struct vm *m, int direction, int size,
		      int port)
{
	ASSERT_EXIT(KVM_EXIT_IO, m);
	EXPECT_EQ(direction, m->run->io.direction);
	EXPECT_EQ(size, m->run->io.size);
	EXPECT_EQ(port, m->run->io.port);
	EXPECT_EQ(1, m->run->io.count);
}

TEST_F(vm, out_every_size_exits_with_data)
{
	struct vm *m = &self->m;

	vm_start(m, MODE_REAL, out_sizes);
	expect_io(_metadata, m, KVM_EXIT_IO_OUT, 1, 0x1234);
	EXPECT_EQ(0x44, *(uint8_t *)vm_io_data(m));
	expect_io(_metadata, m, KVM_EXIT_IO_OUT, 2, 0x1234);
	EXPECT_EQ(0x3344, *(uint16_t *)vm_io_data(m));
	expect_io(_metadata, m, KVM_EXIT_IO_OUT, 4, 0x1234);
	EXPECT_EQ(0x11223344, *(uint32_t *)vm_io_data(m));
	expect_io(_metadata, m, KVM_EXIT_IO_OUT, 1, 0x42);
	ASSERT_EXIT(KVM_EXIT_HLT, m);
}

TEST_F(vm, io_data_lies_in_second_run_page)
{
	vm_start(&self->m, MODE_REAL, out_sizes);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(PAGE, self->m.run->io.data_offset);
}

TEST_F(vm, in_small_sizes_merge_and_32_zero_extends)
{
	struct vm *m = &self->m;
	struct kvm_regs regs;

	vm_start(m, MODE_LONG, in_sizes);
	expect_io(_metadata, m, KVM_EXIT_IO_IN, 1, 0x1234);
	memset(vm_io_data(m), 0x5a, 8);
	expect_io(_metadata, m, KVM_EXIT_IO_IN, 2, 0x1234);
	memset(vm_io_data(m), 0x5a, 8);
	expect_io(_metadata, m, KVM_EXIT_IO_IN, 4, 0x1234);
	memset(vm_io_data(m), 0x5a, 8);
	expect_io(_metadata, m, KVM_EXIT_IO_IN, 1, 0x42);
	memset(vm_io_data(m), 0xa5, 8);
	ASSERT_EXIT(KVM_EXIT_HLT, m);
	regs = vm_regs(m);
	EXPECT_EQ(0xffffffffffffff5aULL, regs.rbx);
	EXPECT_EQ(0xffffffffffff5a5aULL, regs.rsi);
	EXPECT_EQ(0x5a5a5a5aULL, regs.rdi);
	EXPECT_EQ(0xffffffffffffffa5ULL, regs.rax);
}

TEST_F(vm, out_rip_moves_at_next_run)
{
	vm_start(&self->m, MODE_REAL, sync16);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(CODE + 2, vm_regs(&self->m).rip);
	vm_finish_io(&self->m);
	EXPECT_EQ(CODE + 4, vm_regs(&self->m).rip);
	EXPECT_EQ(1, vm_regs(&self->m).rax);
}

TEST_F(vm, out_finishes_once)
{
	vm_start(&self->m, MODE_REAL, sync16);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	vm_finish_io(&self->m);
	vm_finish_io(&self->m);
	EXPECT_EQ(CODE + 4, vm_regs(&self->m).rip);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(2, *(uint8_t *)vm_io_data(&self->m));
}

TEST_F(vm, in_finishes_before_immediate_exit)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, in_sizes);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	regs = vm_regs(&self->m);
	EXPECT_EQ(~0ULL, regs.rax);
	memset(vm_io_data(&self->m), 0x5a, 8);
	vm_finish_io(&self->m);
	EXPECT_EQ(0xffffffffffffff5aULL, vm_regs(&self->m).rax);
	EXPECT_EQ(regs.rip + 1, vm_regs(&self->m).rip);
}

/* A reset by the client between exit and next run must not be advanced past. */
TEST_F(vm, io_after_set_regs_elsewhere_is_dropped)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_REAL, sync16);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	regs = vm_regs(&self->m);
	regs.rip = CODE;
	regs.rax = 40;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(41, *(uint8_t *)vm_io_data(&self->m));
	EXPECT_EQ(CODE + 2, vm_regs(&self->m).rip);
}

TEST_F(vm, in_after_set_regs_elsewhere_leaves_rax)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, in_sizes);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	memset(vm_io_data(&self->m), 0x5a, 8);
	regs = vm_regs(&self->m);
	regs.rip += 1;
	regs.rax = 7;
	vm_set_regs(&self->m, &regs);
	vm_finish_io(&self->m);
	EXPECT_EQ(7, vm_regs(&self->m).rax);
	EXPECT_EQ(regs.rip, vm_regs(&self->m).rip);
}

TEST_F(vm, io_every_port_exits)
{
	struct vm *m = &self->m;

	vm_start(m, MODE_REAL, out_all_ports);
	for (int port = 0; port < 0x10000; port++) {
		ASSERT_EQ(0, vm_run(m));
		ASSERT_EQ(KVM_EXIT_IO, m->run->exit_reason);
		ASSERT_EQ(port, m->run->io.port);
	}
	ASSERT_EXIT(KVM_EXIT_HLT, m);
}

TEST_HARNESS_MAIN
