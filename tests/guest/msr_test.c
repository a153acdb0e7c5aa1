// SPDX-License-Identifier: GPL-2.0
/* MSRs from the guest's side: an allow-list, values of the vCPU's own, #GP for the rest. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define SWEEP_LEN	0x2000
#define LOW		0
#define HIGH		0xc0000000
#define VALUES		SCRATCH
#define READY		(SCRATCH + 0x10000)

VM_FIXTURE

/* ECX and EDX:EAX as WRMSR takes them. */
static void set_wrmsr_regs(struct vm *m, uint32_t index, uint64_t value)
{
	struct kvm_regs regs = vm_regs(m);

	regs.rcx = index;
	regs.rax = (uint32_t)value;
	regs.rdx = value >> 32;
	vm_set_regs(m, &regs);
}

/* The guest writes an MSR. Returns false for #GP. */
static bool guest_set(struct vm *m, uint32_t index, uint64_t value)
{
	vm_start(m, MODE_LONG, wrmsr64);
	set_wrmsr_regs(m, index, value);
	if (vm_run(m))
		die("KVM_RUN");
	if (m->run->exit_reason == KVM_EXIT_HLT)
		return true;
	if (m->run->exit_reason != KVM_EXIT_IO || vm_trap(m).vector != 13) {
		vm_dump(m);
		die("neither done nor #GP");
	}
	return false;
}

static uint64_t must_get(struct vm *m, uint32_t index)
{
	uint64_t value;

	if (!cpu_get_msr(m->cpu, index, &value))
		die("KVM_GET_MSRS %#x", index);
	return value;
}

static void sweep_read(struct vm *m, uint32_t start)
{
	struct kvm_regs regs;

	vm_start(m, MODE_PROT, msr_read_sweep);
	regs = vm_regs(m);
	regs.rcx = start;
	vm_set_regs(m, &regs);
	if (vm_run(m) || m->run->exit_reason != KVM_EXIT_HLT) {
		vm_dump(m);
		die("the sweep did not end");
	}
}

static void sweep_write(struct vm *m, uint32_t start, uint64_t value)
{
	vm_start(m, MODE_PROT, msr_write_sweep);
	set_wrmsr_regs(m, start, value);
	if (vm_run(m) || m->run->exit_reason != KVM_EXIT_HLT) {
		vm_dump(m);
		die("the sweep did not end");
	}
}

/* A value that only the host's kernel could have put there. */
static bool looks_like_kernel(uint64_t value)
{
	return value >> 47 == 0x1ffff;
}

/* Whatever the guest can read, the host's side can read, too, with the same value. */
static void expect_reads_are_the_vcpus(struct __test_metadata *_metadata, struct vm *m,
				       uint32_t start)
{
	int readable = 0;

	sweep_read(m, start);
	for (uint32_t i = 0; i < SWEEP_LEN; i++) {
		uint64_t value = ((uint64_t *)(m->ram + VALUES))[i], host;

		if (!m->ram[READY + i])
			continue;
		readable++;
		EXPECT_FALSE(looks_like_kernel(value))
			TH_LOG("msr %#x: %#llx", start + i, (unsigned long long)value);
		if (start + i == 0x10)
			continue;	/* the TSC has moved on */
		EXPECT_TRUE(cpu_get_msr(m->cpu, start + i, &host)) TH_LOG("msr %#x", start + i);
		EXPECT_EQ(host, value) TH_LOG("msr %#x", start + i);
	}
	EXPECT_LT(0, readable);
	EXPECT_GT(200, readable);
}

TEST_F(vm, msr_read_sweep_low_gives_only_the_vcpus_values)
{
	if (on_kvm())
		SKIP(return, "KVM lets the guest read more than it lists");
	expect_reads_are_the_vcpus(_metadata, &self->m, LOW);
}

TEST_F(vm, msr_read_sweep_high_gives_only_the_vcpus_values)
{
	if (on_kvm())
		SKIP(return, "KVM lets the guest read more than it lists");
	expect_reads_are_the_vcpus(_metadata, &self->m, HIGH);
}

/* A fresh vCPU's system call MSRs are zero, whatever the host's are. */
TEST_F(vm, msr_system_call_registers_start_at_zero)
{
	static const uint32_t index[] = { 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102 };

	sweep_read(&self->m, HIGH);
	for (int i = 0; i < 5; i++) {
		uint32_t offset = index[i] - HIGH;

		EXPECT_EQ(1, self->m.ram[READY + offset]) TH_LOG("msr %#x", index[i]);
		EXPECT_EQ(0, ((uint64_t *)(self->m.ram + VALUES))[offset]) TH_LOG("msr %#x", index[i]);
	}
	sweep_read(&self->m, LOW);
	for (uint32_t i = 0x174; i <= 0x176; i++) {
		EXPECT_EQ(1, self->m.ram[READY + i]);
		EXPECT_EQ(0, ((uint64_t *)(self->m.ram + VALUES))[i]) TH_LOG("msr %#x", i);
	}
}

/* MSRs that would show or change the host: VMX, FEAT_CTL, microcode, power, debug. */
TEST_F(vm, msr_of_the_host_gives_gp)
{
	static const uint32_t hidden[] = {
		0x480, 0x48b, 0x48c, 0x491,			/* VMX capabilities */
		0x1a2, 0x1b0, 0x60d, 0x610, 0x61a, 0x64e,	/* temperature, power */
		0x1c9, 0x680, 0x6c0, 0x345, 0x38f, 0xc3,	/* LBR, counters */
		0x560, 0x570, 0xc90, 0xd90,		/* trace, cache allocation */
		0x9b, 0x9e, 0xe7, 0xe8, 0x19a, 0x19c,
	};

	if (on_kvm())
		SKIP(return, "KVM has a list of its own");
	sweep_read(&self->m, LOW);
	for (unsigned int i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		EXPECT_EQ(0, self->m.ram[READY + hidden[i]])
			TH_LOG("msr %#x", hidden[i]);
	}
	sweep_write(&self->m, LOW, 0);
	for (unsigned int i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		EXPECT_EQ(0, self->m.ram[READY + hidden[i]])
			TH_LOG("msr %#x", hidden[i]);
	}
}

/* Old guests read these without asking, and divide by some. */
TEST_F(vm, msrs_that_old_guests_expect_have_kvms_values)
{
	static const struct { uint32_t index; uint64_t value; bool writes; } msrs[] = {
		{ 0, 0 }, { 1, 0 }, { 0x17, 0 }, { 0x2a, 0 }, { 0x2c, 1 << 24 }, { 0xc1, 0, true }, { 0xc2, 0, true },
		{ 0xcd, 3 }, { 0x11e, 0xbe702111, true }, { 0x186, 0, true }, { 0x187, 0, true },
		{ 0x198, 1000 | 4ULL << 40 }, { 0x199, 0 }, { 0x1db, 0 }, { 0x1de, 0 },
		{ 0x606, 0 }, { 0x611, 0 }, { 0x619, 0 }, { 0x639, 0 }, { 0x641, 0 },
		{ 0xc0010000, 0, true }, { 0xc0010010, 0 }, { 0xc0010055, 0 }, { 0xc0010058, 0, true }, { 0xc0010007, 0, true }, { 0xc001001b, 0x20000000, true },
		{ 0xc0010112, 0 }, { 0xc0010113, 0 }, { 0xc0010117, 0, true },
		{ 0xc0011023, 0, true }, { 0xc001102c, 0, true },
	};

	for (unsigned int i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		EXPECT_EQ(msrs[i].value, must_get(&self->m, msrs[i].index))
			TH_LOG("msr %#x", msrs[i].index);
		EXPECT_EQ(msrs[i].writes, guest_set(&self->m, msrs[i].index, 0))
			TH_LOG("msr %#x", msrs[i].index);
		EXPECT_EQ(msrs[i].value, must_get(&self->m, msrs[i].index));
	}
}

/* What a new vCPU's MSRs hold, and what each takes: 0, 1, all ones. */
TEST_F(vm, msrs_of_the_platform_are_kvms)
{
	static const struct { uint32_t index; uint64_t value; bool takes[3]; } msrs[] = {
		{ 0x34, 0 }, { 0x3a, 0, { true, true } }, { 0x8b, 1ULL << 32, { true, true, true } },
		{ 0xce, 1ULL << 31 }, { 0x140, 0, { true, true } }, { 0x1a0, 0x1800, { [2] = true } },
		{ 0x1fc, 0, { true, true, true } }, { 0x6e0, 0, { true, true, true } },
		{ 0xc0010010, 0 }, { 0xc0010015, 0, { true } },
	};
	static const uint64_t values[] = { 0, 1, -1 };

	for (unsigned int i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		sweep_read(&self->m, msrs[i].index);
		EXPECT_EQ(1, self->m.ram[READY]) TH_LOG("msr %#x", msrs[i].index);
		EXPECT_EQ(msrs[i].value, *(uint64_t *)(self->m.ram + VALUES))
			TH_LOG("msr %#x", msrs[i].index);
		for (int j = 0; j < 3; j++) {
			uint64_t value = values[j];

			EXPECT_EQ(msrs[i].takes[j], guest_set(&self->m, msrs[i].index, value))
				TH_LOG("msr %#x := %#llx", msrs[i].index, (unsigned long long)value);
		}
	}
	EXPECT_EQ(-1, must_get(&self->m, 0x1fc));
}

/* The PMU that is not there stays so, and EMON is the CPU's. */
TEST_F(vm, msr_misc_enable_keeps_what_is_read_only)
{
	EXPECT_FALSE(guest_set(&self->m, 0x1a0, 0x1000));
	EXPECT_FALSE(guest_set(&self->m, 0x1a0, 0x800));
	EXPECT_TRUE(guest_set(&self->m, 0x1a0, 0x1881));
	EXPECT_EQ(0x1801, must_get(&self->m, 0x1a0));
	EXPECT_TRUE(cpu_set_msr(self->m.cpu, 0x1a0, 0));
	EXPECT_EQ(0, must_get(&self->m, 0x1a0));
}

TEST_F(vm, msr_writes_without_a_register_are_taken)
{
	static const uint32_t index[] = { 0x79, 0xc0010020 };
	uint64_t value;

	for (int i = 0; i < 2; i++) {
		EXPECT_TRUE(guest_set(&self->m, index[i], -1)) TH_LOG("msr %#x", index[i]);
		EXPECT_FALSE(cpu_get_msr(self->m.cpu, index[i], &value));
	}
}

TEST_F(vm, msr_hwcr_takes_the_bits_that_kvm_takes)
{
	EXPECT_TRUE(guest_set(&self->m, 0xc0010015, 0x148));
	EXPECT_EQ(0, must_get(&self->m, 0xc0010015));
	EXPECT_TRUE(guest_set(&self->m, 0xc0010015, 1 << 18));
	EXPECT_EQ(1 << 18, must_get(&self->m, 0xc0010015));
	EXPECT_FALSE(guest_set(&self->m, 0xc0010015, 1 << 4));
}

TEST_F(vm, msr_feat_ctl_locks)
{
	EXPECT_FALSE(guest_set(&self->m, 0x3a, 2));
	EXPECT_TRUE(guest_set(&self->m, 0x3a, 1));
	EXPECT_FALSE(guest_set(&self->m, 0x3a, 1));
	EXPECT_TRUE(cpu_set_msr(self->m.cpu, 0x3a, 0));
	EXPECT_TRUE(guest_set(&self->m, 0x3a, 0));
}

/* The host's side keeps it, as KVM's platform_info_test has it. */
TEST_F(vm, msr_platform_info_is_hidden_by_capability)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MSR_PLATFORM_INFO };

	EXPECT_EQ(1, vm_cap(&self->m, KVM_CAP_MSR_PLATFORM_INFO));
	ASSERT_TRUE(cpu_set_msr(self->m.cpu, 0xce, 0x8000ff00));
	sweep_read(&self->m, 0xce);
	EXPECT_EQ(0x8000ff00, *(uint64_t *)(self->m.ram + VALUES));
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_ENABLE_CAP, &cap));
	sweep_read(&self->m, 0xce);
	EXPECT_EQ(0, self->m.ram[READY]);
	EXPECT_EQ(0x8000ff00, must_get(&self->m, 0xce));
	cap.args[0] = 1;
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_ENABLE_CAP, &cap));
	sweep_read(&self->m, 0xce);
	EXPECT_EQ(1, self->m.ram[READY]);
	cap.flags = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_ENABLE_CAP, &cap));
}

/* Only what can be read can be written; the sweep must leave the host alive. */
TEST_F(vm, msr_write_sweep_low_is_confined)
{
	static uint8_t readable[SWEEP_LEN];

	sweep_read(&self->m, LOW);
	memcpy(readable, self->m.ram + READY, SWEEP_LEN);
	sweep_write(&self->m, LOW, 0);
	readable[0x79] = 1;	/* the microcode's trigger, which does nothing */
	for (uint32_t i = 0; i < SWEEP_LEN && !on_kvm(); i++) {
		EXPECT_LE(self->m.ram[READY + i], readable[i])
			TH_LOG("msr %#x", i);
	}
	EXPECT_EQ(1, self->m.ram[READY + 0x174]);
}

TEST_F(vm, msr_write_sweep_high_is_confined)
{
	static uint8_t readable[SWEEP_LEN];

	sweep_read(&self->m, HIGH);
	memcpy(readable, self->m.ram + READY, SWEEP_LEN);
	sweep_write(&self->m, HIGH, 0);
	for (uint32_t i = 0; i < SWEEP_LEN && !on_kvm(); i++) {
		EXPECT_LE(self->m.ram[READY + i], readable[i])
			TH_LOG("msr %#x", HIGH + i);
	}
	EXPECT_EQ(1, self->m.ram[READY + 0x81]);
}

/* All ones is not a value of any MSR that has reserved bits; the host must survive it. */
TEST_F(vm, msr_write_sweep_of_all_ones_leaves_host_alive)
{
	sweep_write(&self->m, LOW, -1);
	EXPECT_EQ(0, self->m.ram[READY + 0x277]);
	sweep_write(&self->m, HIGH, -1);
	EXPECT_EQ(0, self->m.ram[READY + 0x80]);
	vm_start(&self->m, MODE_LONG, hlt64);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

/* Outside both ranges of the MSR bitmap: #GP without asking anyone. */
TEST_F(vm, msr_outside_the_ranges_gives_gp)
{
	static const uint32_t outside[] = { 0x2000, 0x10000, 0x40000000, 0xbfffffff, 0xc0002000, 0xffffffff };

	for (int i = 0; i < 6; i++) {
		struct kvm_regs regs;

		for (int write = 0; write < 2; write++) {
			if (write)
				vm_start(&self->m, MODE_LONG, wrmsr64);
			else
				vm_start(&self->m, MODE_LONG, rdmsr64);
			regs = vm_regs(&self->m);
			regs.rcx = outside[i];
			vm_set_regs(&self->m, &regs);
			ASSERT_EXIT(KVM_EXIT_IO, &self->m);
			EXPECT_EQ(13, vm_trap(&self->m).vector) TH_LOG("msr %#x", outside[i]);
			EXPECT_EQ(0, vm_trap(&self->m).error);
			EXPECT_EQ(CODE, vm_trap(&self->m).ip);
		}
	}
}

/* RDMSR fills the low halves and clears the high ones; ECX alone counts. */
TEST_F(vm, msr_read_uses_low_halves)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, rdmsr64);
	regs = vm_regs(&self->m);
	regs.rcx = 0xdeadbeef00000174;
	regs.rax = -1;
	regs.rdx = -1;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0, vm_regs(&self->m).rax);
	EXPECT_EQ(0, vm_regs(&self->m).rdx);
}

TEST_F(vm, msr_bad_value_from_guest_gives_gp)
{
	static const struct { uint32_t index; uint64_t value; } bad[] = {
		{ 0xc0000082, 0x0000800000000000 },
		{ 0xc0000102, 0x8000000000000000 },
		{ 0xc0000100, 0x0000800000000000 },
		{ 0x277, 0x02 },
		{ 0xc0000080, 0x2 },
		{ 0x1b, 1ULL << 10 },
	};

	for (int i = 0; i < 6; i++) {
		struct kvm_regs regs;

		vm_start(&self->m, MODE_LONG, wrmsr64);
		regs = vm_regs(&self->m);
		regs.rcx = bad[i].index;
		regs.rax = (uint32_t)bad[i].value;
		regs.rdx = bad[i].value >> 32;
		vm_set_regs(&self->m, &regs);
		ASSERT_EXIT(KVM_EXIT_IO, &self->m);
		EXPECT_EQ(13, vm_trap(&self->m).vector) TH_LOG("msr %#x", bad[i].index);
	}
}

/* Firmware sizes them by the guest's CPUID, which may promise more than the host has. */
TEST_F(vm, msr_mtrr_goes_by_the_guests_address_width)
{
	struct kvm_cpuid2 *cpuid = supported_cpuid(&self->m);
	struct kvm_cpuid_entry2 *e = find_cpuid(cpuid, 0x80000008, 0);
	uint64_t top, mask;

	ASSERT_NE(NULL, e);
	e->eax++;
	ASSERT_GE(52, e->eax & 0xff);
	top = 1ULL << ((e->eax & 0xff) - 1);
	mask = (2 * top - 1) & ~0xfffULL;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
	EXPECT_TRUE(guest_set(&self->m, 0x200, top | 6));
	EXPECT_TRUE(guest_set(&self->m, 0x201, mask | 0x800));
	EXPECT_EQ(top | 6, must_get(&self->m, 0x200));
	EXPECT_EQ(mask | 0x800, must_get(&self->m, 0x201));
	EXPECT_TRUE(guest_set(&self->m, 0x1b, top | 0x900));
	EXPECT_FALSE(guest_set(&self->m, 0x200, 2 * top | 6));
	EXPECT_FALSE(guest_set(&self->m, 0x201, 2 * top | 0x800));
	EXPECT_FALSE(guest_set(&self->m, 0x1b, 2 * top | 0x900));
}

/* Branch trace and last-branch recording: taken, without effect, as KVM has it. */
TEST_F(vm, msr_debugctl_takes_btf_and_lbr)
{
	EXPECT_TRUE(guest_set(&self->m, 0x1d9, 3));
	EXPECT_EQ(0, must_get(&self->m, 0x1d9));
	EXPECT_TRUE(guest_set(&self->m, 0x1d9, 0));
	EXPECT_FALSE(guest_set(&self->m, 0x1d9, 1 << 6));
	EXPECT_FALSE(guest_set(&self->m, 0x1d9, 1ULL << 32 | 3));
}

/* --- the TSC, its adjustment, and what vCPUs have in common --- */

#define TSC		0x10
#define TSC_ADJUST	0x3b
#define LEAP		(1ULL << 44)
#define SOON		(1ULL << 36)	/* no two steps of a test are as far apart */

TEST_F(vm, tsc_written_by_the_guest_shows_in_the_adjustment)
{
	uint64_t now = must_get(&self->m, TSC), adjust;

	EXPECT_EQ(0, must_get(&self->m, TSC_ADJUST));
	ASSERT_TRUE(guest_set(&self->m, TSC, now + LEAP));
	adjust = must_get(&self->m, TSC_ADJUST);
	EXPECT_GE(LEAP, adjust);
	EXPECT_LT(LEAP - SOON, adjust);
	EXPECT_LT(now + LEAP, must_get(&self->m, TSC));
	EXPECT_GT(now + LEAP + SOON, must_get(&self->m, TSC));
}

TEST_F(vm, tsc_adjusted_by_the_guest_moves)
{
	uint64_t now = must_get(&self->m, TSC);

	ASSERT_TRUE(guest_set(&self->m, TSC_ADJUST, LEAP));
	EXPECT_EQ(LEAP, must_get(&self->m, TSC_ADJUST));
	EXPECT_LT(now + LEAP, must_get(&self->m, TSC));
	EXPECT_GT(now + LEAP + SOON, must_get(&self->m, TSC));
	/* By the difference, not by the value. */
	ASSERT_TRUE(guest_set(&self->m, TSC_ADJUST, LEAP));
	EXPECT_GT(now + LEAP + SOON, must_get(&self->m, TSC));
	ASSERT_TRUE(guest_set(&self->m, TSC_ADJUST, 0));
	EXPECT_GT(now + SOON, must_get(&self->m, TSC));
}

/* A VMM restores both, in any order. */
TEST_F(vm, tsc_and_adjustment_set_by_the_vmm_are_apart)
{
	uint64_t now;

	ASSERT_TRUE(cpu_set_msr(self->m.cpu, TSC, LEAP));
	EXPECT_EQ(0, must_get(&self->m, TSC_ADJUST));
	now = must_get(&self->m, TSC);
	EXPECT_LE(LEAP, now);
	ASSERT_TRUE(cpu_set_msr(self->m.cpu, TSC_ADJUST, LEAP));
	EXPECT_GT(now + SOON, must_get(&self->m, TSC));
	EXPECT_EQ(LEAP, must_get(&self->m, TSC_ADJUST));
}

/* Read between two reads of the other: only if they go together. */
static bool together(struct vm *a, struct vm *b)
{
	uint64_t before = must_get(a, TSC), between = must_get(b, TSC);

	return before <= between && between <= must_get(a, TSC);
}

TEST_F(vm, tsc_of_all_vcpus_go_together)
{
	struct vm other = self->m;
	struct kvm_run *run;

	other.cpu = vm_add_cpu(&self->m, 1, &run);
	EXPECT_TRUE(together(&self->m, &other));
	ASSERT_TRUE(cpu_set_msr(self->m.cpu, TSC, LEAP));
	EXPECT_FALSE(together(&self->m, &other));
	usleep(1000);
	/* The same value a moment later means the same time. */
	ASSERT_TRUE(cpu_set_msr(other.cpu, TSC, LEAP));
	EXPECT_TRUE(together(&self->m, &other));
	/* A vCPU that comes later joins them, and so does one that is reset. */
	other.cpu = vm_add_cpu(&self->m, 2, &run);
	EXPECT_TRUE(together(&self->m, &other));
	ASSERT_TRUE(cpu_set_msr(other.cpu, TSC, 0));
	EXPECT_TRUE(together(&self->m, &other));
	/* What a guest does to its own is its own. */
	ASSERT_TRUE(guest_set(&self->m, TSC_ADJUST, LEAP));
	EXPECT_FALSE(together(&self->m, &other));
}

TEST_HARNESS_MAIN
