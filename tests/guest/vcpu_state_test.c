// SPDX-License-Identifier: GPL-2.0
/* The rest of a vCPU's and a VM's state: clock, sync regs, masks, machine checks. */
#include <pthread.h>

#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/vtx_test.h"

#define MCG_CTL_P	(1ULL << 8)
#define MCG_SER_P	(1ULL << 24)
#define MCI_VAL		(1ULL << 63)
#define MCI_UC		(1ULL << 61)
#define MC_BANK(n)	(0x400 + 4 * (n))

VM_FIXTURE

/* --- clock and TSC --- */

TEST_F(vm, clock_counts_and_can_be_set)
{
	struct kvm_clock_data a, b;

	ASSERT_LT(0, vm_cap(&self->m, KVM_CAP_ADJUST_CLOCK));
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_GET_CLOCK, &a));
	usleep(1000);
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_GET_CLOCK, &b));
	EXPECT_LE(a.clock + 1000000, b.clock);
	EXPECT_GT(a.clock + 10000000000, b.clock);
	memset(&a, 0, sizeof(a));
	a.clock = 1000000000000;
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_SET_CLOCK, &a));
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_GET_CLOCK, &b));
	EXPECT_LE(a.clock, b.clock);
	EXPECT_GT(a.clock + 10000000000, b.clock);
	/* The capability says which flags there are; what was got can be set. */
	EXPECT_EQ(0, b.flags & ~vm_cap(&self->m, KVM_CAP_ADJUST_CLOCK));
	EXPECT_EQ(0, ioctl(self->m.fd, KVM_SET_CLOCK, &b));
	a.flags = 1 << 31;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_SET_CLOCK, &a));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.fd, KVM_GET_CLOCK, 1UL));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.fd, KVM_SET_CLOCK, 1UL));
}

TEST_F(vm, tsc_khz_is_the_machines)
{
	int khz;

	ASSERT_EQ(1, vm_cap(&self->m, KVM_CAP_GET_TSC_KHZ));
	khz = ioctl(self->m.cpu, KVM_GET_TSC_KHZ, 0);
	ASSERT_LT(1000, khz);
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_TSC_KHZ, khz));
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_TSC_KHZ, 0));
	if (!vm_cap(&self->m, KVM_CAP_TSC_CONTROL))
		EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_TSC_KHZ, khz / 2));
	EXPECT_EQ(khz, ioctl(self->m.cpu, KVM_GET_TSC_KHZ, 0));
}

/* --- KVM_CAP_SYNC_REGS --- */

TEST_F(vm, sync_regs_out_and_in)
{
	struct kvm_run *run = self->m.run;
	struct kvm_regs regs;

	ASSERT_EQ(7, vm_cap(&self->m, KVM_CAP_SYNC_REGS));
	vm_start(&self->m, MODE_LONG, inc_all);
	run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	regs = vm_regs(&self->m);
	EXPECT_EQ(0, memcmp(&regs, &run->s.regs.regs, sizeof(regs)));
	EXPECT_EQ(vm_sregs(&self->m).cr3, run->s.regs.sregs.cr3);
	run->s.regs.regs.rip = CODE;
	run->s.regs.regs.rbx = 41;
	run->s.regs.sregs.cr2 = 0x123000;
	run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(42, vm_regs(&self->m).rbx);
	EXPECT_EQ(42, run->s.regs.regs.rbx);
	EXPECT_EQ(0x123000, vm_sregs(&self->m).cr2);
	EXPECT_EQ(0, run->kvm_dirty_regs);
}

TEST_F(vm, sync_regs_events_in)
{
	struct kvm_run *run = self->m.run;

	vm_start(&self->m, MODE_LONG, nops64);
	run->kvm_valid_regs = KVM_SYNC_X86_EVENTS;
	memset(&run->s.regs.events, 0, sizeof(run->s.regs.events));
	run->s.regs.events.exception.injected = 1;
	run->s.regs.events.exception.nr = 13;
	run->s.regs.events.exception.has_error_code = 1;
	run->s.regs.events.exception.error_code = 0x58;
	run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	ASSERT_EQ(PORT_TRAP, run->io.port);
	EXPECT_EQ(13, vm_trap(&self->m).vector);
	EXPECT_EQ(0x58, vm_trap(&self->m).error);
	EXPECT_EQ(0, run->kvm_dirty_regs);
	EXPECT_EQ(0, run->s.regs.events.exception.injected);
	/* Not marked: what is there does not count. */
	run->s.regs.events.exception.injected = 1;
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(PORT_SYNC, run->io.port);
	run->s.regs.events.exception.injected = 1;
	run->s.regs.events.exception.nr = 32;
	run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	EXPECT_EQ(-EINVAL, vm_run(&self->m));
}

TEST_F(vm, sync_regs_not_asked_for_stay)
{
	vm_start(&self->m, MODE_LONG, inc_all);
	self->m.run->s.regs.regs.rbx = 0x1234;
	self->m.run->kvm_valid_regs = 0;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x1234, self->m.run->s.regs.regs.rbx);
}

TEST_F(vm, sync_regs_bad_values_give_einval)
{
	struct kvm_run *run = self->m.run;

	vm_start(&self->m, MODE_LONG, inc_all);
	run->kvm_valid_regs = 1 << 3;
	EXPECT_EQ(-EINVAL, vm_run(&self->m));
	run->kvm_valid_regs = 0;
	run->kvm_dirty_regs = 1ULL << 40;
	EXPECT_EQ(-EINVAL, vm_run(&self->m));
	run->s.regs.sregs = vm_sregs(&self->m);
	run->s.regs.sregs.cr4 |= 1ULL << 63;
	run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	EXPECT_EQ(-EINVAL, vm_run(&self->m));
	run->kvm_dirty_regs = 0;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

/* --- KVM_SET_SIGNAL_MASK --- */

struct sigmask_arg {
	struct kvm_signal_mask head;
	uint64_t set;
} __attribute__((packed));

static void ignore(int sig)
{
}

TEST_F(vm, signal_mask_counts_during_the_run_only)
{
	struct sigmask_arg arg = { .head.len = 8, .set = 0 };
	sigset_t block, old;

	signal(SIGUSR1, ignore);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &old);
	raise(SIGUSR1);
	vm_start(&self->m, MODE_REAL, sync16);
	/* Blocked and pending: the run goes on. */
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	/* Unblocked during the run: it ends it, and is still pending. */
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_SIGNAL_MASK, &arg));
	EXPECT_EQ(-EINTR, vm_run(&self->m));
	EXPECT_EQ(KVM_EXIT_INTR, self->m.run->exit_reason);
	sigpending(&block);
	EXPECT_EQ(1, sigismember(&block, SIGUSR1));
	/* No mask any more. */
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_SIGNAL_MASK, NULL));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

TEST_F(vm, signal_mask_bad_arguments)
{
	struct sigmask_arg arg = { .head.len = 4 };

	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_SIGNAL_MASK, &arg));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_SET_SIGNAL_MASK, 1UL));
}

/* --- KVM_SET_BOOT_CPU_ID --- */

TEST_F(vm, boot_cpu_id_moves_the_bsp_flag)
{
	int fd = ioctl(self->m.dev, KVM_CREATE_VM, 0), cpu0, cpu1;
	struct kvm_sregs s;

	ASSERT_EQ(1, vm_cap(&self->m, KVM_CAP_SET_BOOT_CPU_ID));
	ASSERT_EQ(0, ioctl(fd, KVM_SET_TSS_ADDR, 0xfffbd000));
	ASSERT_EQ(0, ioctl(fd, KVM_SET_BOOT_CPU_ID, 1));
	cpu0 = ioctl(fd, KVM_CREATE_VCPU, 0);
	cpu1 = ioctl(fd, KVM_CREATE_VCPU, 1);
	ASSERT_EQ(0, ioctl(cpu0, KVM_GET_SREGS, &s));
	EXPECT_EQ(0xfee00800, s.apic_base);
	ASSERT_EQ(0, ioctl(cpu1, KVM_GET_SREGS, &s));
	EXPECT_EQ(0xfee00900, s.apic_base);
	EXPECT_ERRNO(EBUSY, ioctl(fd, KVM_SET_BOOT_CPU_ID, 0));
	close(cpu0);
	close(cpu1);
	close(fd);
}

/* --- machine checks --- */

TEST_F(vm, mce_banks_are_set_up)
{
	uint64_t cap = 0, value = MCG_CTL_P | 10;

	ASSERT_EQ(32, vm_cap(&self->m, KVM_CAP_MCE));
	ASSERT_EQ(0, ioctl(self->m.dev, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap));
	EXPECT_EQ(MCG_CTL_P, cap & (MCG_CTL_P | 0xff));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_X86_SETUP_MCE, &value));
	ASSERT_TRUE(cpu_get_msr(self->m.cpu, 0x179, &value));
	EXPECT_EQ(MCG_CTL_P | 10, value);
	ASSERT_TRUE(cpu_get_msr(self->m.cpu, 0x17b, &value));
	EXPECT_EQ(~0ULL, value);
	ASSERT_TRUE(cpu_get_msr(self->m.cpu, MC_BANK(9), &value));
	EXPECT_EQ(~0ULL, value);
	EXPECT_FALSE(cpu_get_msr(self->m.cpu, MC_BANK(10), &value));
	EXPECT_TRUE(cpu_set_msr(self->m.cpu, MC_BANK(9) + 1, 0x1234));
	EXPECT_FALSE(cpu_set_msr(self->m.cpu, MC_BANK(9), 0x1234));
	EXPECT_FALSE(cpu_set_msr(self->m.cpu, 0x17b, 1));
	value = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_X86_SETUP_MCE, &value));
	value = 33;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_X86_SETUP_MCE, &value));
	value = 10 | 1ULL << 40;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_X86_SETUP_MCE, &value));
}

TEST_F(vm, mce_uncorrected_error_raises_mc)
{
	struct kvm_x86_mce mce = {
		.status = MCI_VAL | MCI_UC, .addr = 0x1000, .misc = 5, .mcg_status = 4, .bank = 3,
	};
	uint64_t value = MCG_CTL_P | MCG_SER_P | 10;
	struct kvm_sregs s;

	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_X86_SETUP_MCE, &value));
	vm_start(&self->m, MODE_LONG, nops64);
	s = vm_sregs(&self->m);
	s.cr4 |= 1 << 6;
	vm_set_sregs(&self->m, &s);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_X86_SET_MCE, &mce));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(18, vm_trap(&self->m).vector);
	ASSERT_TRUE(cpu_get_msr(self->m.cpu, MC_BANK(3) + 2, &value));
	EXPECT_EQ(0x1000, value);
	/* Another one before the guest is done with this one. */
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_X86_SET_MCE, &mce));
	ASSERT_EXIT(KVM_EXIT_SHUTDOWN, &self->m);
	mce.bank = 10;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_X86_SET_MCE, &mce));
	mce.bank = 3;
	mce.status = 0;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_X86_SET_MCE, &mce));
}

/* Uncorrected, no action required: it is in the bank for whoever looks, no more. */
TEST_F(vm, machine_check_that_needs_no_action_is_only_logged)
{
	const struct kvm_x86_mce mce = {
		.status = MCI_VAL | MCI_UC, .addr = 0x1000, .misc = 5, .bank = 3,
	};
	uint64_t value = MCG_CTL_P | MCG_SER_P | 10;

	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_X86_SETUP_MCE, &value));
	vm_start(&self->m, MODE_LONG, hlt64);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_X86_SET_MCE, &mce));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_X86_SET_MCE, &mce));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	ASSERT_TRUE(cpu_get_msr(self->m.cpu, MC_BANK(3) + 1, &value));
	EXPECT_EQ(MCI_VAL | MCI_UC, value);
	ASSERT_TRUE(cpu_get_msr(self->m.cpu, MC_BANK(3) + 2, &value));
	EXPECT_EQ(0x1000, value);
}

/* --- what QEMU sets in every guest --- */

TEST_F(vm, msrs_of_qemus_reset_can_be_set)
{
	static const uint32_t zero[] = {
		0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102,
		0x10, 0x11, 0x12, 0x3b, 0x2ff, 0x250, 0x258, 0x259, 0x268, 0x26f, 0x200, 0x20f,
		0x17a, 0x17b, 0x1a0,
	};
	uint64_t value;

	for (size_t i = 0; i < sizeof(zero) / 4; i++) {
		EXPECT_TRUE(cpu_set_msr(self->m.cpu, zero[i], 0)) TH_LOG("MSR %#x", zero[i]);
		EXPECT_TRUE(cpu_get_msr(self->m.cpu, zero[i], &value)) TH_LOG("MSR %#x", zero[i]);
	}
	EXPECT_TRUE(cpu_set_msr(self->m.cpu, 0x277, 0x0007040600070406));
	EXPECT_TRUE(cpu_set_msr(self->m.cpu, 0x8b, 1ULL << 32));
	ASSERT_TRUE(cpu_get_msr(self->m.cpu, 0x8b, &value));
	EXPECT_EQ(1ULL << 32, value);
}

TEST_F(vm, msr_feature_list_is_readable)
{
	struct { struct kvm_msr_list head; uint32_t index[256]; } list = { .head.nmsrs = 0 };
	struct { struct kvm_msrs head; struct kvm_msr_entry e; } msrs = { .head.nmsrs = 1 };

	ASSERT_EQ(1, vm_cap(&self->m, KVM_CAP_GET_MSR_FEATURES));
	EXPECT_ERRNO(E2BIG, ioctl(self->m.dev, KVM_GET_MSR_FEATURE_INDEX_LIST, &list));
	ASSERT_LT(0, list.head.nmsrs);
	ASSERT_EQ(0, ioctl(self->m.dev, KVM_GET_MSR_FEATURE_INDEX_LIST, &list));
	for (uint32_t i = 0; i < list.head.nmsrs; i++) {
		msrs.e.index = list.index[i];
		EXPECT_EQ(1, ioctl(self->m.dev, KVM_GET_MSRS, &msrs));
		/* What a VMM is told of, it can give to a vCPU. */
		EXPECT_TRUE(cpu_set_msr(self->m.cpu, msrs.e.index, msrs.e.data) || on_kvm())
			TH_LOG("MSR %#x", msrs.e.index);
	}
	msrs.e.index = 0x12345;
	EXPECT_EQ(0, ioctl(self->m.dev, KVM_GET_MSRS, &msrs));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.dev, KVM_GET_MSR_FEATURE_INDEX_LIST, 1UL));
}

/* --- MSR filter and exits to userspace --- */

#define UNKNOWN_MSR	0x12345

static int user_msrs(struct vm *m, uint64_t reasons)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR, .args = { reasons } };

	return ioctl(m->fd, KVM_ENABLE_CAP, &cap);
}

static void start_msr(struct vm *m, uint32_t index)
{
	struct kvm_regs regs;

	vm_start(m, MODE_LONG, msr64);
	regs = vm_regs(m);
	regs.rcx = index;
	vm_set_regs(m, &regs);
}

TEST_F(vm, unknown_msr_is_gp_unless_userspace_wants_it)
{
	struct kvm_run *run = self->m.run;

	start_msr(&self->m, UNKNOWN_MSR);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(13, vm_trap(&self->m).vector);

	ASSERT_EQ(0, user_msrs(&self->m, KVM_MSR_EXIT_REASON_UNKNOWN));
	start_msr(&self->m, UNKNOWN_MSR);
	ASSERT_EXIT(KVM_EXIT_X86_RDMSR, &self->m);
	EXPECT_EQ(UNKNOWN_MSR, run->msr.index);
	EXPECT_EQ(KVM_MSR_EXIT_REASON_UNKNOWN, run->msr.reason);
	run->msr.data = 0x1122334455667788;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x55667788, vm_regs(&self->m).rax);
	EXPECT_EQ(0x11223344, vm_regs(&self->m).rdx);
	ASSERT_EXIT(KVM_EXIT_X86_WRMSR, &self->m);
	EXPECT_EQ(0x1122334455667788, run->msr.data);
	run->msr.error = 1;
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(13, vm_trap(&self->m).vector);
	EXPECT_ERRNO(EINVAL, user_msrs(&self->m, 1 << 10));
}

/* An exception that the VMM has not let happen yet goes with the registers it was for. */
TEST_F(vm, refused_msr_is_forgotten_with_set_regs)
{
	struct kvm_regs regs;

	ASSERT_EQ(0, user_msrs(&self->m, KVM_MSR_EXIT_REASON_UNKNOWN));
	start_msr(&self->m, UNKNOWN_MSR);
	ASSERT_EXIT(KVM_EXIT_X86_RDMSR, &self->m);
	self->m.run->msr.error = 1;
	vm_finish_io(&self->m);
	regs = vm_regs(&self->m);
	regs.rip = CODE + 2;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

static int filter(struct vm *m, uint32_t flags, uint32_t range_flags, uint32_t base, uint32_t n,
		  void *bitmap)
{
	struct kvm_msr_filter f = {
		.flags = flags,
		.ranges[0] = { .flags = range_flags, .base = base, .nmsrs = n, .bitmap = bitmap },
	};

	return ioctl(m->fd, KVM_X86_SET_MSR_FILTER, &f);
}

TEST_F(vm, filtered_msr_goes_to_userspace)
{
	uint64_t none = 0;

	/* FS base needs no exit otherwise. */
	ASSERT_EQ(0, user_msrs(&self->m, KVM_MSR_EXIT_REASON_FILTER));
	ASSERT_EQ(0, filter(&self->m, 0, KVM_MSR_FILTER_READ, 0xc0000100, 1, &none));
	start_msr(&self->m, 0xc0000100);
	ASSERT_EXIT(KVM_EXIT_X86_RDMSR, &self->m);
	EXPECT_EQ(KVM_MSR_EXIT_REASON_FILTER, self->m.run->msr.reason);
	self->m.run->msr.data = 0x1000;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x1000, vm_regs(&self->m).rax);
	/* Writes are not filtered. */
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x1000, vm_sregs(&self->m).fs.base);
	/* No filter any more. */
	ASSERT_EQ(0, filter(&self->m, 0, 0, 0, 0, NULL));
	start_msr(&self->m, 0xc0000100);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

TEST_F(vm, filtered_msr_is_gp_without_userspace)
{
	uint64_t none = 0;

	ASSERT_EQ(0, filter(&self->m, 0, KVM_MSR_FILTER_READ, 0x10, 8, &none));
	start_msr(&self->m, 0x10);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(13, vm_trap(&self->m).vector);
}

TEST_F(vm, filter_default_deny)
{
	uint64_t all = ~0ULL;

	ASSERT_EQ(0, filter(&self->m, KVM_MSR_FILTER_DEFAULT_DENY,
			    KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, 0x10, 1, &all));
	start_msr(&self->m, 0x10);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	start_msr(&self->m, 0x277);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(13, vm_trap(&self->m).vector);
}

TEST_F(vm, filter_bad_arguments)
{
	uint64_t none = 0;

	EXPECT_ERRNO(EINVAL, filter(&self->m, 2, KVM_MSR_FILTER_READ, 0, 1, &none));
	EXPECT_ERRNO(EINVAL, filter(&self->m, 0, 4, 0, 1, &none));
	EXPECT_ERRNO(EINVAL, filter(&self->m, 0, 1, 0, 0x600 * 8 + 1, &none));
	EXPECT_ERRNO(EINVAL, filter(&self->m, 1, 0, 0, 0, NULL));
	/* A range for neither reads nor writes. */
	EXPECT_ERRNO(EINVAL, filter(&self->m, 0, 0, 0x10, 1, &none));
	EXPECT_ERRNO(EFAULT, filter(&self->m, 0, 1, 0, 64, (void *)8));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.fd, KVM_X86_SET_MSR_FILTER, 1UL));
}

/* --- two vCPUs at once --- */

#define ROUNDS 20000

static void *run_other(void *arg)
{
	return (void *)(long)ioctl(*(int *)arg, KVM_RUN, 0);
}

/*
 * Two vCPUs that wait for each other, then count together. They are to be
 * interruptible: the scheduler may give both the same CPU.
 */
static void count_together(struct __test_metadata *_metadata, struct vm *m)
{
	struct kvm_run *run;
	struct kvm_sregs s;
	struct kvm_regs regs;
	uint32_t *data = (uint32_t *)(m->ram + DATA);
	int other = vm_add_cpu(m, 1, &run);
	pthread_t thread;
	void *result;

	vm_start(m, MODE_LONG, locked_add64);
	vm_set_interruptible(m);
	s = vm_sregs(m);
	regs = vm_regs(m);
	regs.rcx = ROUNDS;
	vm_set_regs(m, &regs);
	regs.rsp -= 0x800;
	ASSERT_EQ(0, ioctl(other, KVM_SET_SREGS, &s));
	ASSERT_EQ(0, ioctl(other, KVM_SET_REGS, &regs));
	ASSERT_EQ(0, pthread_create(&thread, NULL, run_other, &other));
	ASSERT_EXIT(KVM_EXIT_HLT, m);
	pthread_join(thread, &result);
	EXPECT_EQ(NULL, result);
	EXPECT_EQ(KVM_EXIT_HLT, run->exit_reason);
	EXPECT_EQ(2 * ROUNDS, data[0]);
}

TEST_F(vm, two_vcpus_run_at_once_with_locked_instructions)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "needs two CPUs");
	count_together(_metadata, &self->m);
}

TEST_F(vm, two_vcpus_share_one_cpu)
{
	on_cpu(0);
	count_together(_metadata, &self->m);
}

TEST_HARNESS_MAIN
