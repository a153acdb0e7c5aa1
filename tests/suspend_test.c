// SPDX-License-Identifier: GPL-2.0
/* The guest's time-stamp counter over a suspend to RAM, which resets the host's. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define ALARM "/sys/class/rtc/rtc0/wakealarm"
#define MSR_TSC 0x10

VM_FIXTURE

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

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
	struct { struct kvm_msrs head; struct kvm_msr_entry entry; } msrs = {
		.head.nmsrs = 1, .entry.index = MSR_TSC,
	};

	if (ioctl(cpu, KVM_GET_MSRS, &msrs) != 1)
		die("KVM_GET_MSRS");
	return msrs.entry.data;
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

TEST_F(vm, tsc_of_guest_only_goes_forward_over_suspend)
{
	struct kvm_run *run;
	uint64_t before, after;
	int late;

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
	struct { struct kvm_msrs head; struct kvm_msr_entry entry; } msrs = {
		.head.nmsrs = 1, .entry = { .index = MSR_TSC, .data = 1ULL << 40 },
	};

	ASSERT_EQ(1, ioctl(self->m.cpu, KVM_SET_MSRS, &msrs));
	if (!suspend_to_ram())
		SKIP(return, "no suspend to RAM, or no alarm to wake from it: %s", strerror(errno));
	EXPECT_LT(1ULL << 40, guest_tsc(self->m.cpu));
	EXPECT_LT(1ULL << 40, rdtsc_in_guest(&self->m));
}

TEST_HARNESS_MAIN
