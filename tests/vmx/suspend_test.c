// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's time-stamp counter over a suspend to RAM, which resets the host's, and
 * between CPUs whose TSCs differ.
 */
#include "kselftest_harness.h"
#include "lib/host.h"
#include "lib/vtx_test.h"

#define ALARM "/sys/class/rtc/rtc0/wakealarm"
#define MSR_TSC 0x10

VM_FIXTURE

/* Sleeps for two seconds at most: without an alarm a machine may sleep for ever. */
static bool suspend_to_ram(void)
{
	bool slept;

	write_file(ALARM, "0");
	if (!write_file(ALARM, "+2"))
		return false;
	slept = write_file("/sys/power/state", "mem");
	write_file(ALARM, "0");
	return slept;
}

static uint64_t guest_tsc(int cpu)
{
	uint64_t tsc;

	if (!cpu_get_msr(cpu, MSR_TSC, &tsc))
		die("KVM_GET_MSRS");
	return tsc;
}

/* What RDTSC gives in the guest, the last time of a thousand. */
static uint64_t rdtsc_in_guest(struct vm *m)
{
	vm_start(m, MODE_LONG, rdtsc_often);
	if (vm_run(m) || m->run->exit_reason != KVM_EXIT_HLT) {
		vm_dump(m);
		die("the guest's TSC does not go forward");
	}
	return vm_regs(m).rsi;
}

/* CPU 0's TSC: Linux gives back what the sleep took from it, if the CPU lets it. */
TEST_F(vm, tsc_of_guest_only_goes_forward_over_suspend)
{
	struct kvm_run *run;
	uint64_t before, after;
	int late;

	on_cpu(0);
	before = rdtsc_in_guest(&self->m);
	if (!suspend_to_ram())
		SKIP(return, "no suspend to RAM, or no alarm to wake from it: %s", strerror(errno));
	after = rdtsc_in_guest(&self->m);
	EXPECT_LT(before, after);
	/* Nor below zero, which is far away. */
	EXPECT_GT(before + (1ULL << 50), after);
	/* What the VMM reads agrees, and so does a vCPU that comes later. */
	EXPECT_LT(after, guest_tsc(self->m.cpu));
	late = vm_add_cpu(&self->m, 1, &run);
	EXPECT_LT(after, guest_tsc(late));
}

/* A TSC that the VMM has set goes on from there. */
TEST_F(vm, tsc_set_by_host_only_goes_forward_over_suspend)
{
	on_cpu(0);
	ASSERT_TRUE(cpu_set_msr(self->m.cpu, MSR_TSC, 1ULL << 40));
	if (!suspend_to_ram())
		SKIP(return, "no suspend to RAM, or no alarm to wake from it: %s", strerror(errno));
	EXPECT_LT(1ULL << 40, guest_tsc(self->m.cpu));
	EXPECT_LT(1ULL << 40, rdtsc_in_guest(&self->m));
}

/* Moves the vCPU back and forth. Return: how far its TSC has gone, -1 if it went back. */
static int64_t tsc_over_moves(struct vm *m)
{
	uint64_t first = guest_tsc(m->cpu), last = first, now;

	for (int i = 1; i <= 20; i++) {
		on_cpu(i & 1);
		now = i & 2 ? rdtsc_in_guest(m) : guest_tsc(m->cpu);
		if (now <= last)
			return -1;
		last = now;
	}
	return last - first;
}

/* The other CPU's TSC: nothing says that it is given back too. */
TEST_F(vm, tsc_of_guest_only_goes_forward_between_cpus_after_suspend)
{
	if (nr_cpus() < 2)
		SKIP(return, "one CPU");
	on_cpu(0);
	ASSERT_TRUE(cpu_set_msr(self->m.cpu, MSR_TSC, 1ULL << 40));
	if (!suspend_to_ram())
		SKIP(return, "no suspend to RAM, or no alarm to wake from it: %s", strerror(errno));
	on_cpu(1);
	EXPECT_LT(1ULL << 40, guest_tsc(self->m.cpu));
	EXPECT_LT(0, tsc_over_moves(&self->m));
}

/* Where Linux knows that TSCs differ, the guest sees no leap forward either. */
TEST_F(vm, tsc_of_guest_does_not_leap_between_cpus_whose_tscs_differ)
{
	int64_t second = 1000L * ioctl(self->m.cpu, KVM_GET_TSC_KHZ, 0), gone;
	uint64_t ahead;
	int msr;

	/* Only there does nobody but the guest care what CPU 1's TSC is. */
	if (nr_cpus() < 2 || !file_has("/proc/cmdline", "tsc=unstable"))
		SKIP(return, "one CPU, or a kernel that relies on the TSC");
	msr = open("/dev/cpu/1/msr", O_RDWR);
	ASSERT_LE(0, msr);
	ASSERT_EQ(8, pread(msr, &ahead, 8, MSR_TSC));
	ahead += 60 * second;
	ASSERT_EQ(8, pwrite(msr, &ahead, 8, MSR_TSC));
	close(msr);
	on_cpu(0);
	gone = tsc_over_moves(&self->m);
	EXPECT_LT(0, gone);
	EXPECT_GT(second, gone);
}

TEST_HARNESS_MAIN
