// SPDX-License-Identifier: GPL-2.0
/* vCPU ioctls that take lists or states: CPUID, MSRs, MP state. Registers: regs_test.c. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

VM_FIXTURE

TEST_F(vm, set_cpuid2_too_many_gives_e2big)
{
	EXPECT_ERRNO(E2BIG, ioctl(self->m.cpu, KVM_SET_CPUID2, new_cpuid(257)));
	EXPECT_ERRNO(E2BIG, ioctl(self->m.cpu, KVM_SET_CPUID2, new_cpuid(-1)));
}

/* The entries, not only the header, must be readable. */
TEST_F(vm, set_cpuid2_entries_beyond_page_give_efault)
{
	char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_cpuid2 *cpuid = (void *)(edge + PAGE - sizeof(*cpuid) - sizeof(cpuid->entries[0]));

	munmap(edge + PAGE, PAGE);
	cpuid->nent = 2;
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
	cpuid->nent = 1;
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
}

TEST_F(vm, get_cpuid2_returns_what_was_set)
{
	struct kvm_cpuid2 *cpuid = new_cpuid(256), *got = new_cpuid(256);

	ASSERT_EQ(0, ioctl(self->m.dev, KVM_GET_SUPPORTED_CPUID, cpuid));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_CPUID2, got));
	/* KVM 6.1 leaves the count as it was given. */
	ASSERT_TRUE(got->nent == cpuid->nent || got->nent == 256);
	for (unsigned int i = 0; i < cpuid->nent; i++) {
		EXPECT_EQ(cpuid->entries[i].function, got->entries[i].function);
		EXPECT_EQ(cpuid->entries[i].index, got->entries[i].index);
		EXPECT_EQ(cpuid->entries[i].ebx, got->entries[i].ebx)
			TH_LOG("leaf %#x", got->entries[i].function);
	}
}

TEST_F(vm, get_cpuid2_too_small_gives_e2big)
{
	struct kvm_cpuid2 *cpuid = new_cpuid(256);

	ASSERT_EQ(0, ioctl(self->m.dev, KVM_GET_SUPPORTED_CPUID, cpuid));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
	cpuid->nent--;
	EXPECT_ERRNO(E2BIG, ioctl(self->m.cpu, KVM_GET_CPUID2, cpuid));
}

TEST_F(vm, set_cpuid2_after_run_accepts_only_the_same)
{
	struct kvm_cpuid2 *cpuid = new_cpuid(256);

	ASSERT_EQ(0, ioctl(self->m.dev, KVM_GET_SUPPORTED_CPUID, cpuid));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
	vm_start(&self->m, MODE_REAL, hlt16);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_CPUID2, cpuid));
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
	cpuid->entries[0].ebx ^= 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
}

/* --- KVM_SET_CPUID: entries without sub-leaves --- */

struct old_cpuid {
	struct kvm_cpuid head;
	struct kvm_cpuid_entry entry[2];
};

TEST_F(vm, set_cpuid_gives_leaves_without_index)
{
	struct old_cpuid old = {
		.head.nent = 2,
		.entry = {
			{ .function = 0, .eax = 7, .ebx = 1, .ecx = 2, .edx = 3, .padding = 9 },
			{ .function = 7, .eax = 4, .ebx = 5, .ecx = 6, .edx = 7 },
		},
	};
	struct kvm_cpuid2 *got = new_cpuid(256);

	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID, &old));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_CPUID2, got));
	/* KVM 6.1 leaves the count as it was given. */
	ASSERT_TRUE(got->nent == 2 || got->nent == 256);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(old.entry[i].function, got->entries[i].function);
		EXPECT_EQ(old.entry[i].eax, got->entries[i].eax);
		EXPECT_EQ(old.entry[i].edx, got->entries[i].edx);
		EXPECT_EQ(0, got->entries[i].index);
		EXPECT_EQ(0, got->entries[i].flags);
		EXPECT_EQ(0, got->entries[i].padding[0]);
	}
}

TEST_F(vm, set_cpuid_errors)
{
	struct old_cpuid old = { .head.nent = 257 };
	char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_cpuid *cpuid = (void *)(edge + PAGE - sizeof(*cpuid) - sizeof(cpuid->entries[0]));

	EXPECT_ERRNO(E2BIG, ioctl(self->m.cpu, KVM_SET_CPUID, &old));
	old.head.nent = -1;
	EXPECT_ERRNO(E2BIG, ioctl(self->m.cpu, KVM_SET_CPUID, &old));
	munmap(edge + PAGE, PAGE);
	cpuid->nent = 2;
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_SET_CPUID, cpuid));
	old.head.nent = 0;
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID, &old));
	vm_start(&self->m, MODE_REAL, hlt16);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	old.head.nent = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_CPUID, &old));
}

/* --- KVM_TRANSLATE --- */

/* Return: the physical address, -1: there is none. */
static uint64_t translate(struct __test_metadata *_metadata, struct vm *m, uint64_t linear)
{
	struct kvm_translation t = { .linear_address = linear, .valid = 7, .writeable = 7 };

	ASSERT_EQ(0, ioctl(m->cpu, KVM_TRANSLATE, &t));
	EXPECT_EQ(linear, t.linear_address);
	EXPECT_EQ(1, t.writeable);
	EXPECT_EQ(0, t.usermode);
	EXPECT_EQ(t.physical_address != -1ULL, t.valid);
	return t.physical_address;
}

#define EXPECT_AT(gpa, linear)							\
	EXPECT_EQ((uint64_t)(gpa), translate(_metadata, &self->m, (linear)))	\
		TH_LOG("mode %d, %#lx", mode, (unsigned long)(linear))

TEST_F(vm, translate_walks_the_tables_of_each_mode)
{
	for (int mode = MODE_REAL; mode <= MODE_COMPAT; mode++) {
		bool paged = mode >= MODE_PAGED;

		/* Whatever the CPL: the tables are asked as the supervisor would. */
		vm_enter(&self->m, mode, mode == MODE_REAL || mode % 2 ? 0 : 3);
		EXPECT_AT(CODE + 0x123, CODE + 0x123);
		EXPECT_AT(paged ? CODE + 0x123 : ALIAS + CODE + 0x123, ALIAS + CODE + 0x123);
		EXPECT_AT(MMIO + 5, MMIO + 5);
		if (mode >= MODE_LONG)
			EXPECT_AT(-1ULL, 1ULL << 40);
	}
}

TEST_F(vm, translate_of_what_is_not_mapped_is_not_valid)
{
	const int mode = MODE_LONG_4K;

	vm_enter(&self->m, mode, 0);
	EXPECT_AT(-1ULL, ALIAS / 2);
	/* Not present; a table where no memory is. */
	EXPECT_AT(CODE, CODE);
	((uint64_t *)(self->m.ram + PAGE_TABLES + 6 * PAGE))[CODE / PAGE] = 0;
	EXPECT_AT(-1ULL, CODE);
	EXPECT_AT(CODE + PAGE, CODE + PAGE);
	((uint64_t *)(self->m.ram + PAGE_TABLES))[0] = 0x7fff00000007;
	EXPECT_AT(-1ULL, CODE + PAGE);
}

/* Header and four entries of KVM_GET_MSRS and KVM_SET_MSRS. */
struct msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entry[4];
};

TEST_F(vm, msrs_too_many_gives_e2big)
{
	struct msrs msrs = { .head.nmsrs = 0x10000 };

	EXPECT_ERRNO(E2BIG, ioctl(self->m.cpu, KVM_GET_MSRS, &msrs));
	EXPECT_ERRNO(E2BIG, ioctl(self->m.cpu, KVM_SET_MSRS, &msrs));
	msrs.head.nmsrs = -1;
	EXPECT_ERRNO(E2BIG, ioctl(self->m.cpu, KVM_GET_MSRS, &msrs));
}

TEST_F(vm, msrs_none_gives_0)
{
	struct msrs msrs = { .head.nmsrs = 0 };

	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_GET_MSRS, &msrs));
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_MSRS, &msrs));
}

TEST_F(vm, msrs_stop_at_first_unknown)
{
	struct msrs msrs = {
		.head.nmsrs = 3,
		.entry = {
			{ .index = 0xc0000081, .data = 0x1234567800000000 },	/* STAR */
			{ .index = 0x4b564fff, .data = 1 },
			{ .index = 0xc0000082, .data = 0x5678 },
		},
	};

	EXPECT_EQ(1, ioctl(self->m.cpu, KVM_SET_MSRS, &msrs));
	EXPECT_EQ(1, ioctl(self->m.cpu, KVM_GET_MSRS, &msrs));
	EXPECT_EQ(0x1234567800000000, msrs.entry[0].data);
	msrs.head.nmsrs = 1;
	msrs.entry[0].index = 0xc0000082;
	EXPECT_EQ(1, ioctl(self->m.cpu, KVM_GET_MSRS, &msrs));
	EXPECT_EQ(0, msrs.entry[0].data);
}

TEST_F(vm, msrs_round_trip)
{
	static const __u32 index[] = {
		0x174, 0x175, 0x176,				/* SYSENTER */
		0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,	/* SYSCALL */
		0xc0000102,					/* KERNEL_GS_BASE */
		0xc0000100, 0xc0000101,				/* FS_BASE, GS_BASE */
		0x277,						/* PAT */
	};
	struct msrs msrs = { .head.nmsrs = 1 };

	for (unsigned int i = 0; i < sizeof(index) / sizeof(index[0]); i++) {
		__u64 value = index[i] == 0x277 ? 0x0007040600070406 : 0x1000 + 0x10 * i;

		msrs.entry[0] = (struct kvm_msr_entry){ .index = index[i], .data = value };
		ASSERT_EQ(1, ioctl(self->m.cpu, KVM_SET_MSRS, &msrs)) TH_LOG("%#x", index[i]);
		msrs.entry[0].data = 0;
		ASSERT_EQ(1, ioctl(self->m.cpu, KVM_GET_MSRS, &msrs)) TH_LOG("%#x", index[i]);
		EXPECT_EQ(value, msrs.entry[0].data) TH_LOG("%#x", index[i]);
	}
}

TEST_F(vm, msrs_bad_value_is_refused)
{
	static const struct kvm_msr_entry bad[] = {
		{ .index = 0xc0000082, .data = 0x8000000000000000 },	/* LSTAR not canonical */
		{ .index = 0xc0000102, .data = 0x0000800000000000 },
		{ .index = 0xc0000080, .data = 0x2 },			/* EFER reserved bit */
		{ .index = 0x277, .data = 0x02 },			/* PAT type 2 */
	};
	struct msrs msrs = { .head.nmsrs = 1 };

	for (int i = 0; i < 4; i++) {
		msrs.entry[0] = bad[i];
		EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_MSRS, &msrs)) TH_LOG("%#x", bad[i].index);
	}
}

TEST_F(vm, mp_state_is_runnable)
{
	struct kvm_mp_state state = { .mp_state = 77 };

	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_GET_MP_STATE, &state));
	EXPECT_EQ(KVM_MP_STATE_RUNNABLE, state.mp_state);
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_MP_STATE, &state));
}

/* Without an interrupt controller nothing could wake the vCPU again. */
TEST_F(vm, mp_state_other_gives_einval)
{
	static const unsigned long other[] = {
		KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_HALTED,
		KVM_MP_STATE_SIPI_RECEIVED, 5, -1UL,
	};

	FOR_EACH(value, other) {
		struct kvm_mp_state state = { .mp_state = *value };

		EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_MP_STATE, &state));
	}
}

TEST_HARNESS_MAIN
