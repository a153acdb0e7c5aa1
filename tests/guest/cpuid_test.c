// SPDX-License-Identifier: GPL-2.0
/* CPUID from the guest's side: what KVM_SET_CPUID2 said, and nothing of the host beyond it. */
#include <cpuid.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

VM_FIXTURE

/* Executes CPUID in the guest. */
static struct kvm_regs guest_cpuid(struct vm *m, uint32_t leaf, uint32_t subleaf)
{
	struct kvm_regs regs;

	vm_start(m, MODE_LONG, cpuid64);
	regs = vm_regs(m);
	regs.rax = 0xffffffff00000000 | leaf;
	regs.rcx = 0xffffffff00000000 | subleaf;
	regs.rbx = -1;
	regs.rdx = -1;
	vm_set_regs(m, &regs);
	if (vm_run(m) || m->run->exit_reason != KVM_EXIT_HLT) {
		vm_dump(m);
		die("CPUID");
	}
	return vm_regs(m);
}

TEST_F(vm, cpuid_guest_sees_what_was_set)
{
	struct kvm_cpuid2 *c = new_cpuid(3);
	struct kvm_regs regs;

	c->entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 1,
		.ebx = 0x756e6547, .edx = 0x49656e69, .ecx = 0x6c65746e };
	c->entries[1] = (struct kvm_cpuid_entry2){ .function = 1, .eax = 0x12345, .edx = 1 << 6 };
	c->entries[2] = (struct kvm_cpuid_entry2){ .function = 0x80000000, .eax = 0x80000000 };
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, c));
	regs = guest_cpuid(&self->m, 0, 0);
	EXPECT_EQ(1, regs.rax);
	EXPECT_EQ(0x756e6547, regs.rbx);
	EXPECT_EQ(0x6c65746e, regs.rcx);
	EXPECT_EQ(0x49656e69, regs.rdx);
	regs = guest_cpuid(&self->m, 1, 0);
	EXPECT_EQ(0x12345, regs.rax);
	EXPECT_EQ(1 << 6, regs.rdx & 1 << 6);
}

TEST_F(vm, cpuid_every_supported_leaf_is_seen)
{
	struct kvm_cpuid2 *c = supported_cpuid(&self->m);

	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, c));
	for (unsigned int i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];
		struct kvm_regs regs;

		/* These change with the state of the vCPU. */
		if (e->function == 1 || e->function == 7 || e->function == 0xd)
			continue;
		regs = guest_cpuid(&self->m, e->function, e->index);
		EXPECT_EQ(e->eax, regs.rax) TH_LOG("leaf %#x.%u", e->function, e->index);
		EXPECT_EQ(e->ebx, regs.rbx) TH_LOG("leaf %#x.%u", e->function, e->index);
		EXPECT_EQ(e->edx, regs.rdx) TH_LOG("leaf %#x.%u", e->function, e->index);
	}
}

TEST_F(vm, cpuid_supported_is_within_the_hosts)
{
	static const struct { uint32_t leaf; int reg; } words[] = {
		{ 1, 3 }, { 7, 1 }, { 0x80000001, 2 }, { 0x80000001, 3 },
	};
	struct kvm_cpuid2 *c = supported_cpuid(&self->m);

	for (int i = 0; i < 4; i++) {
		struct kvm_cpuid_entry2 *e = find_cpuid(c, words[i].leaf, 0);
		uint32_t host[4] = { 0 };

		__get_cpuid_count(words[i].leaf, 0, &host[0], &host[1], &host[2], &host[3]);
		ASSERT_NE(NULL, e);
		/* KVM emulates TSC_ADJUST, UMIP and the like; SYSCALL hides from 32-bit code. */
		if (!on_kvm())
			EXPECT_EQ(0, (&e->eax)[words[i].reg] & ~host[words[i].reg] & ~(1 << 1))
				TH_LOG("leaf %#x", words[i].leaf);
	}
}

TEST_F(vm, cpuid_hides_what_the_guest_cannot_have)
{
	struct kvm_cpuid_entry2 *one = find_cpuid(supported_cpuid(&self->m), 1, 0);

	ASSERT_NE(NULL, one);
	EXPECT_EQ(0, one->ecx & 1 << 3);		/* MONITOR */
	EXPECT_EQ(0, one->ecx & 1 << 6);		/* SMX */
	EXPECT_EQ(0, one->edx & 1 << 22);		/* ACPI thermal */
	EXPECT_EQ(0, one->edx & 1 << 21);		/* debug store */
	if (!on_kvm())
		EXPECT_EQ(0, one->ecx & 1 << 5);	/* VMX */
}

TEST_F(vm, cpuid_hypervisor_leaf_is_kvms)
{
	struct kvm_cpuid_entry2 *e = find_cpuid(supported_cpuid(&self->m), 0x40000000, 0);

	ASSERT_NE(NULL, e);
	EXPECT_EQ(0x40000001, e->eax);
}

/* Without KVM_SET_CPUID2 the guest must not see the host's leaves. */
TEST_F(vm, cpuid_default_shows_no_host_vmx)
{
	struct kvm_regs regs = guest_cpuid(&self->m, 1, 0);

	EXPECT_EQ(0, regs.rcx & 1 << 5);
	EXPECT_EQ(0, regs.rcx & 1 << 3);
}

TEST_F(vm, cpuid_high_halves_are_cleared)
{
	struct kvm_regs regs;

	vm_set_supported_cpuid(&self->m);
	regs = guest_cpuid(&self->m, 0, 0);
	EXPECT_EQ(0, (regs.rax | regs.rbx | regs.rcx | regs.rdx) >> 32);
}

TEST_F(vm, cpuid_exit_moves_on_by_its_length)
{
	guest_cpuid(&self->m, 0, 0);
	EXPECT_EQ(CODE + 3, vm_regs(&self->m).rip);
}

TEST_F(vm, cpuid_osxsave_follows_cr4)
{
	struct kvm_cpuid_entry2 *one = find_cpuid(supported_cpuid(&self->m), 1, 0);
	struct kvm_regs regs;

	if (!(one->ecx & 1 << 26))
		SKIP(return, "no XSAVE");
	vm_set_supported_cpuid(&self->m);
	vm_start(&self->m, MODE_LONG, osxsave64);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	regs = vm_regs(&self->m);
	EXPECT_EQ(1 << 27, regs.rdi & 1 << 27);
	EXPECT_EQ(0, regs.rsi & 1 << 27);
}

/* Leaves with subleaves are found by both. */
/* What follows registers is not the VMM's to set, nor a reason to refuse its table. */
TEST_F(vm, cpuid_of_the_vmm_follows_registers)
{
	struct kvm_cpuid2 *c = supported_cpuid(&self->m), *got = new_cpuid(c->nent);
	struct kvm_cpuid_entry2 *e = find_cpuid(c, 1, 0);

	e->ecx |= 1 << 27;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, c));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_CPUID2, got));
	EXPECT_EQ(0, find_cpuid(got, 1, 0)->ecx & 1 << 27);
	vm_start(&self->m, MODE_LONG, hlt64);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, c));
	e->ecx &= ~(1 << 27);
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, c));
	e->ecx ^= 1 << 19;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_CPUID2, c));
}

TEST_F(vm, cpuid_subleaf_is_matched_where_significant)
{
	struct kvm_cpuid2 *c = new_cpuid(3);

	c->entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 4 };
	c->entries[1] = (struct kvm_cpuid_entry2){ .function = 4, .index = 0, .ebx = 100,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
	c->entries[2] = (struct kvm_cpuid_entry2){ .function = 4, .index = 1, .ebx = 200,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, c));
	EXPECT_EQ(100, guest_cpuid(&self->m, 4, 0).rbx);
	EXPECT_EQ(200, guest_cpuid(&self->m, 4, 1).rbx);
	EXPECT_EQ(0, guest_cpuid(&self->m, 4, 2).rbx);
	EXPECT_EQ(0, guest_cpuid(&self->m, 0, 5).rbx);
}

/* Intel's CPUs give the highest basic leaf for one that they don't have, AMD's zeros. */
TEST_F(vm, cpuid_out_of_range_goes_by_vendor)
{
	static const struct { const char *name; uint32_t expected; } vendors[] = {
		{ "GenuineIntel", 100 }, { "AuthenticAMD", 0 }, { "HygonGenuine", 0 },
	};
	struct kvm_cpuid2 *c = new_cpuid(2);

	for (int i = 0; i < 3; i++) {
		const char *name = vendors[i].name;

		c->entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 4 };
		memcpy(&c->entries[0].ebx, name, 4);
		memcpy(&c->entries[0].edx, name + 4, 4);
		memcpy(&c->entries[0].ecx, name + 8, 4);
		c->entries[1] = (struct kvm_cpuid_entry2){ .function = 4, .ebx = 100 };
		vm_destroy(&self->m);
		vm_create(&self->m);
		ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, c));
		EXPECT_EQ(100, guest_cpuid(&self->m, 4, 0).rbx);
		EXPECT_EQ(vendors[i].expected, guest_cpuid(&self->m, 5, 0).rbx) TH_LOG("%s", name);
		EXPECT_EQ(vendors[i].expected, guest_cpuid(&self->m, 0x80000000, 0).rbx);
	}
}

/* MISC_FEATURES_ENABLES.CPUID_FAULT: user mode's CPUID is the kernel's to answer. */
TEST_F(vm, cpuid_faults_above_cpl_0_where_asked)
{
	for (int faults = 0; faults < 2; faults++) {
		ASSERT_TRUE(cpu_set_msr(self->m.cpu, 0x140, faults));
		guest_cpuid(&self->m, 0, 0);
		for (int again = 0; again < 2; again++) {
			vm_start_cpl(&self->m, MODE_LONG, 3, cpuid64);
			ASSERT_EXIT(KVM_EXIT_IO, &self->m);
			EXPECT_EQ(13, vm_trap(&self->m).vector);
			/* At CPUID, or at the HLT behind it. */
			EXPECT_EQ(faults ? CODE : CODE + 2, vm_trap(&self->m).ip);
		}
	}
	/* The ability cannot go while it is in use. */
	EXPECT_FALSE(cpu_set_msr(self->m.cpu, 0xce, 0));
	ASSERT_TRUE(cpu_set_msr(self->m.cpu, 0x140, 0));
	EXPECT_TRUE(cpu_set_msr(self->m.cpu, 0xce, 0));
	EXPECT_FALSE(cpu_set_msr(self->m.cpu, 0x140, 1));
}

TEST_F(vm, cpuid_emulated_has_kvms_leaves)
{
	struct kvm_cpuid2 *c = new_cpuid(10);

	EXPECT_EQ(1, vm_cap(&self->m, KVM_CAP_EXT_EMUL_CPUID));
	c->nent = 0;
	EXPECT_ERRNO(E2BIG, ioctl(self->m.dev, KVM_GET_EMULATED_CPUID, c));
	c->nent = 2;
	EXPECT_ERRNO(E2BIG, ioctl(self->m.dev, KVM_GET_EMULATED_CPUID, c));
	c->nent = 10;
	c->entries[9].padding[2] = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.dev, KVM_GET_EMULATED_CPUID, c));
	c->entries[9].padding[2] = 0;
	ASSERT_EQ(0, ioctl(self->m.dev, KVM_GET_EMULATED_CPUID, c));
	ASSERT_EQ(3, c->nent);
	EXPECT_EQ(7, c->entries[0].eax);
	EXPECT_EQ(1, c->entries[1].function);
	EXPECT_EQ(7, c->entries[2].function);
	/* MOVBE and RDPID, which KVM has there, are not done in software. */
	if (!on_kvm())
		EXPECT_EQ(0, c->entries[1].ecx | c->entries[2].ecx);
}

TEST_HARNESS_MAIN
