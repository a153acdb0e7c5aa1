// SPDX-License-Identifier: GPL-2.0
/* Device and VM ioctls, and what all ioctls share: what they answer, every errno. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define KERNEL_POINTER ((void *)0xffff888000000000UL)
#define NON_CANONICAL ((void *)0x8000000000000000UL)

VM_FIXTURE

/* An ioctl this fd does not know: ENOTTY; KVM's device and vCPU say EINVAL. */
#define EXPECT_UNKNOWN(fd, cmd, arg) do {					\
	errno = 0;								\
	EXPECT_EQ(-1, ioctl((fd), (cmd), (arg)))				\
		TH_LOG("cmd %#lx", (unsigned long)(cmd));			\
	EXPECT_TRUE(errno == ENOTTY || (on_kvm() && errno == EINVAL))		\
		TH_LOG("cmd %#lx: %s", (unsigned long)(cmd), strerror(errno));	\
} while (0)

enum { DEV = 1, VM = 2, CPU = 4 };

/*
 * Every ioctl there is, the fds that have it, and those that have it on KVM only.
 * What takes a struct refuses bad pointers, save for those that fail in any case.
 */
struct number {
	unsigned long cmd;
	int on, on_kvm_too;
	bool fails;
};

static const struct number numbers[] = {
	{ KVM_GET_API_VERSION, DEV }, { KVM_CREATE_VM, DEV }, { KVM_GET_VCPU_MMAP_SIZE, DEV },
	{ KVM_GET_SUPPORTED_CPUID, DEV }, { KVM_GET_EMULATED_CPUID, DEV },
	{ KVM_GET_MSR_INDEX_LIST, DEV },
	{ KVM_GET_MSR_FEATURE_INDEX_LIST, DEV }, { KVM_X86_GET_MCE_CAP_SUPPORTED, DEV },
	{ KVM_GET_MSRS, DEV | CPU }, { KVM_CHECK_EXTENSION, DEV | VM },

	{ KVM_CREATE_VCPU, VM }, { KVM_SET_USER_MEMORY_REGION, VM }, { KVM_GET_DIRTY_LOG, VM },
	{ KVM_CLEAR_DIRTY_LOG, VM }, { KVM_IOEVENTFD, VM }, { KVM_REGISTER_COALESCED_MMIO, VM },
	{ KVM_UNREGISTER_COALESCED_MMIO, VM }, { KVM_GET_CLOCK, VM }, { KVM_SET_CLOCK, VM },
	{ KVM_SET_BOOT_CPU_ID, VM }, { KVM_X86_SET_MSR_FILTER, VM }, { KVM_SET_TSS_ADDR, VM },
	{ KVM_SET_IDENTITY_MAP_ADDR, VM }, { KVM_SET_NR_MMU_PAGES, VM },
	{ KVM_GET_NR_MMU_PAGES, VM },
	{ KVM_ENABLE_CAP, VM, CPU }, { KVM_SET_GSI_ROUTING, VM, 0, true },
	{ KVM_SIGNAL_MSI, VM, 0, true },

	{ KVM_RUN, CPU }, { KVM_GET_REGS, CPU }, { KVM_SET_REGS, CPU }, { KVM_GET_SREGS, CPU },
	{ KVM_SET_SREGS, CPU }, { KVM_GET_FPU, CPU }, { KVM_SET_FPU, CPU }, { KVM_SET_MSRS, CPU },
	{ KVM_TRANSLATE, CPU }, { KVM_SET_CPUID, CPU },
	{ KVM_SET_CPUID2, CPU }, { KVM_GET_CPUID2, CPU }, { KVM_GET_MP_STATE, CPU },
	{ KVM_SET_MP_STATE, CPU }, { KVM_GET_VCPU_EVENTS, CPU }, { KVM_SET_VCPU_EVENTS, CPU },
	{ KVM_GET_DEBUGREGS, CPU }, { KVM_SET_DEBUGREGS, CPU }, { KVM_GET_XSAVE, CPU },
	{ KVM_SET_XSAVE, CPU }, { KVM_GET_XCRS, CPU }, { KVM_SET_XCRS, CPU },
	{ KVM_GET_TSC_KHZ, CPU, VM }, { KVM_SET_TSC_KHZ, CPU, VM }, { KVM_SET_GUEST_DEBUG, CPU },
	{ KVM_SET_SIGNAL_MASK, CPU }, { KVM_X86_SETUP_MCE, CPU }, { KVM_X86_SET_MCE, CPU },
	{ KVM_INTERRUPT, CPU }, { KVM_NMI, CPU }, { KVM_GET_LAPIC, CPU, 0, true },
	{ KVM_SET_LAPIC, CPU, 0, true },
};

#define FOR_EACH_NUMBER(n)							\
	for (const struct number *n = numbers;					\
	     n < numbers + sizeof(numbers) / sizeof(numbers[0]); n++)

static int fd_of(const struct vm *m, int where)
{
	return where == DEV ? m->dev : where == VM ? m->fd : m->cpu;
}

/* Unknown to every fd, this number and with some bits changed also to those that have it. */
static void expect_unknown_but_on(struct __test_metadata *_metadata, const struct vm *m,
				  unsigned long cmd, int on)
{
	static uint8_t buffer[65536];

	for (int where = DEV; where <= CPU; where <<= 1)
		if (!(on & where))
			EXPECT_UNKNOWN(fd_of(m, where), cmd, buffer);
}

/* --- the device --- */

TEST_F(vm, api_version_is_12)
{
	EXPECT_EQ(12, ioctl(self->m.dev, KVM_GET_API_VERSION, 0));
}

TEST_F(vm, api_version_argument_gives_einval)
{
	EXPECT_ERRNO(EINVAL, ioctl(self->m.dev, KVM_GET_API_VERSION, 1));
}

TEST_F(vm, vcpu_mmap_size_argument_gives_einval)
{
	EXPECT_ERRNO(EINVAL, ioctl(self->m.dev, KVM_GET_VCPU_MMAP_SIZE, 1));
}

TEST_F(vm, create_vm_unknown_type_gives_einval)
{
	EXPECT_ERRNO(EINVAL, ioctl(self->m.dev, KVM_CREATE_VM, 1));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.dev, KVM_CREATE_VM, -1UL));
}

TEST_F(vm, create_vm_gives_independent_machines)
{
	int other = ioctl(self->m.dev, KVM_CREATE_VM, 0);

	ASSERT_LE(0, other);
	EXPECT_LE(0, ioctl(other, KVM_CREATE_VCPU, 0));
}

TEST_F(vm, check_extension_answers_what_is_offered)
{
	static const int offered[] = {
		KVM_CAP_USER_MEMORY, KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_EXT_CPUID, KVM_CAP_MP_STATE,
		KVM_CAP_SET_TSS_ADDR, KVM_CAP_SET_IDENTITY_MAP_ADDR,
		KVM_CAP_DESTROY_MEMORY_REGION_WORKS, KVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
		KVM_CAP_INTERNAL_ERROR_DATA, KVM_CAP_CHECK_EXTENSION_VM,
	};

	for (unsigned int i = 0; i < sizeof(offered) / sizeof(offered[0]); i++) {
		EXPECT_EQ(1, ioctl(self->m.dev, KVM_CHECK_EXTENSION, offered[i]))
			TH_LOG("cap %d", offered[i]);
	}
}

TEST_F(vm, check_extension_limits_are_consistent)
{
	int nr = ioctl(self->m.dev, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);
	int max = ioctl(self->m.dev, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	int id = ioctl(self->m.dev, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID);

	EXPECT_LE(1, nr);
	EXPECT_LE(nr, max);
	EXPECT_LE(max, id);
	EXPECT_EQ(1024, max);
	EXPECT_EQ(4096, id);
	EXPECT_EQ(32764, ioctl(self->m.dev, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS));
}

TEST_F(vm, check_extension_unknown_is_0)
{
	static const unsigned long unknown[] = { 9999, 0x7fffffff, 0x80000000, 0xffffffff, -1UL };

	FOR_EACH(cap, unknown) {
		EXPECT_EQ(0, ioctl(self->m.dev, KVM_CHECK_EXTENSION, *cap));
		EXPECT_EQ(0, ioctl(self->m.fd, KVM_CHECK_EXTENSION, *cap));
	}
}

TEST_F(vm, check_extension_answers_the_same_on_vm)
{
	for (int cap = 0; cap < 300; cap++) {
		EXPECT_EQ(ioctl(self->m.dev, KVM_CHECK_EXTENSION, cap), vm_cap(&self->m, cap))
			TH_LOG("cap %d", cap);
	}
}

TEST_F(vm, irqchip_is_not_offered)
{
	if (on_kvm())
		SKIP(return, "KVM has an interrupt controller");
	EXPECT_EQ(0, vm_cap(&self->m, KVM_CAP_IRQCHIP));
	EXPECT_ERRNO(ENOTTY, ioctl(self->m.fd, KVM_CREATE_IRQCHIP, 0));
}

/* What QEMU calls in any case must not look like an ioctl that is not there. */
TEST_F(vm, interrupts_without_irqchip_give_einval)
{
	struct kvm_irq_routing routing = { .nr = 0 };
	struct kvm_msi msi = { .address_lo = 0xfee00000 };
	struct kvm_lapic_state lapic = { };

	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_SET_GSI_ROUTING, &routing));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_SIGNAL_MSI, &msi));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_GET_LAPIC, &lapic));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_LAPIC, &lapic));
}

/* --- dispatch --- */

TEST_F(vm, ioctl_of_another_fd_is_unknown)
{
	FOR_EACH_NUMBER(n)
		expect_unknown_but_on(_metadata, &self->m, n->cmd,
				      n->on | (on_kvm() ? n->on_kvm_too : 0));
}

TEST_F(vm, ioctl_wrong_size_is_unknown)
{
	const unsigned long size = 1UL << _IOC_SIZESHIFT;

	FOR_EACH_NUMBER(n) {
		expect_unknown_but_on(_metadata, &self->m, n->cmd + size, 0);
		expect_unknown_but_on(_metadata, &self->m, n->cmd ^ size << 13, 0);
	}
}

TEST_F(vm, ioctl_wrong_direction_is_unknown)
{
	const unsigned long dir = 1UL << _IOC_DIRSHIFT;

	FOR_EACH_NUMBER(n) {
		expect_unknown_but_on(_metadata, &self->m, n->cmd ^ dir * _IOC_READ, 0);
		expect_unknown_but_on(_metadata, &self->m, n->cmd ^ dir * _IOC_WRITE, 0);
	}
}

TEST_F(vm, ioctl_wrong_magic_is_unknown)
{
	FOR_EACH_NUMBER(n)
		expect_unknown_but_on(_metadata, &self->m, n->cmd ^ 1UL << _IOC_TYPESHIFT, 0);
}

/* KVM gave these the numbers of KVM_GET/SET_VCPU_EVENTS, _DEBUGREGS and ENABLE_CAP. */
TEST_F(vm, ioctl_that_shares_a_number_is_told_apart)
{
	const unsigned long others[] = {
		KVM_GET_PIT2, KVM_SET_PIT2, KVM_PPC_GET_PVINFO, _IOW(KVMIO, 0xa0, uint32_t),
	};

	FOR_EACH(cmd, others)
		expect_unknown_but_on(_metadata, &self->m, *cmd, on_kvm() ? VM : 0);
	EXPECT_LT(0, ioctl(self->m.cpu, KVM_GET_TSC_KHZ, 0));		/* 0xa3, as ENABLE_CAP */
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_TSC_KHZ, 0));		/* 0xa2, as SET_DEBUGREGS */
}

/* By the system calls of 32-bit programs, which a 64-bit one can make, too. */
static int ioctl32(int fd, unsigned int cmd)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a" (ret) : "a" (54L), "b" ((long)fd), "c" ((long)cmd), "d" (0L)
		     : "r8", "r9", "r10", "r11", "memory");
	return ret;
}

TEST_F(vm, ioctl_of_32_bit_program_is_unknown)
{
	if (on_kvm())
		SKIP(return, "KVM serves 32-bit programs");
	EXPECT_EQ(-ENOTTY, ioctl32(self->m.dev, KVM_GET_API_VERSION));
	EXPECT_EQ(-ENOTTY, ioctl32(self->m.fd, KVM_CREATE_VCPU));
	EXPECT_EQ(-ENOTTY, ioctl32(self->m.cpu, KVM_RUN));
}

/* --- bad pointers --- */

/* Every ioctl that takes a struct refuses every kind of bad pointer. */
static void expect_efault(struct __test_metadata *_metadata, int fd, unsigned long cmd)
{
	char *edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *const bad[] = { NULL, KERNEL_POINTER, NON_CANONICAL, (void *)-1UL, edge + PAGE };

	munmap(edge + PAGE, PAGE);
	/* No signal mask at all: that is what NULL says. */
	for (int i = cmd == KVM_SET_SIGNAL_MASK; i < 5; i++) {
		errno = 0;
		EXPECT_EQ(-1, ioctl(fd, cmd, bad[i]))
			TH_LOG("cmd %#lx pointer %d", cmd, i);
		EXPECT_EQ(EFAULT, errno)
			TH_LOG("cmd %#lx pointer %d", cmd, i);
	}
	/* All but the last byte of the struct is there. */
	memset(edge, 0, PAGE);
	errno = 0;
	EXPECT_EQ(-1, ioctl(fd, cmd, edge + PAGE - _IOC_SIZE(cmd) + 1))
		TH_LOG("cmd %#lx at the edge", cmd);
	EXPECT_EQ(EFAULT, errno)
		TH_LOG("cmd %#lx at the edge", cmd);
	munmap(edge, PAGE);
}

static void expect_efaults(struct __test_metadata *_metadata, int fd, int where)
{
	FOR_EACH_NUMBER(n)
		if ((n->on & where) && _IOC_SIZE(n->cmd) && !n->fails)
			expect_efault(_metadata, fd, n->cmd);
}

TEST_F(vm, device_ioctl_bad_pointer_gives_efault)
{
	expect_efaults(_metadata, self->m.dev, DEV);
}

/* KVM_SET_IDENTITY_MAP_ADDR has none but EINVAL once there is a vCPU. */
TEST_F(vm, vm_ioctl_bad_pointer_gives_efault)
{
	expect_efaults(_metadata, ioctl(self->m.dev, KVM_CREATE_VM, 0), VM);
}

TEST_F(vm, vcpu_ioctl_bad_pointer_gives_efault)
{
	expect_efaults(_metadata, self->m.cpu, CPU);
}

/* --- lists --- */

TEST_F(vm, msr_index_list_too_small_gives_e2big_and_count)
{
	struct kvm_msr_list list = { .nmsrs = 0 };

	EXPECT_ERRNO(E2BIG, ioctl(self->m.dev, KVM_GET_MSR_INDEX_LIST, &list));
	EXPECT_LT(0, list.nmsrs);
	EXPECT_GT(1000, list.nmsrs);
}

static struct kvm_msr_list *msr_list(struct vm *m)
{
	struct kvm_msr_list probe = { .nmsrs = 0 }, *list;

	ioctl(m->dev, KVM_GET_MSR_INDEX_LIST, &probe);
	list = calloc(1, sizeof(*list) + (probe.nmsrs + 1) * sizeof(list->indices[0]));
	list->nmsrs = probe.nmsrs;
	list->indices[probe.nmsrs] = 0xdeadbeef;
	if (ioctl(m->dev, KVM_GET_MSR_INDEX_LIST, list))
		die("KVM_GET_MSR_INDEX_LIST");
	return list;
}

TEST_F(vm, msr_index_list_exact_size_is_filled)
{
	struct kvm_msr_list *list = msr_list(&self->m);
	bool star = false;

	for (unsigned int i = 0; i < list->nmsrs; i++)
		star |= list->indices[i] == 0xc0000081;
	EXPECT_TRUE(star);
	EXPECT_EQ(0xdeadbeef, list->indices[list->nmsrs]);
}

/* An MSR that is listed and cannot be read or written breaks clients. */
TEST_F(vm, msr_every_listed_can_be_read_and_written_back)
{
	struct kvm_msr_list *list = msr_list(&self->m);
	struct { struct kvm_msrs head; struct kvm_msr_entry entry; } msrs;

	if (on_kvm())
		SKIP(return, "KVM lists MSRs that it refuses without CPUID bits");
	for (unsigned int i = 0; i < list->nmsrs; i++) {
		memset(&msrs, 0, sizeof(msrs));
		msrs.head.nmsrs = 1;
		msrs.entry.index = list->indices[i];
		EXPECT_EQ(1, ioctl(self->m.cpu, KVM_GET_MSRS, &msrs))
			TH_LOG("msr %#x", list->indices[i]);
		EXPECT_EQ(1, ioctl(self->m.cpu, KVM_SET_MSRS, &msrs))
			TH_LOG("msr %#x", list->indices[i]);
	}
}

TEST_F(vm, supported_cpuid_too_small_gives_e2big)
{
	EXPECT_ERRNO(E2BIG, ioctl(self->m.dev, KVM_GET_SUPPORTED_CPUID, new_cpuid(0)));
	EXPECT_ERRNO(E2BIG, ioctl(self->m.dev, KVM_GET_SUPPORTED_CPUID, new_cpuid(1)));
}

/* QEMU starts at 1 and doubles until it fits. */
TEST_F(vm, supported_cpuid_doubling_protocol_ends)
{
	struct kvm_cpuid2 *cpuid;
	int nent = 1, ret;

	do {
		cpuid = new_cpuid(nent);
		ret = ioctl(self->m.dev, KVM_GET_SUPPORTED_CPUID, cpuid);
		if (ret)
			ASSERT_EQ(E2BIG, errno);
		nent *= 2;
	} while (ret && nent <= 512);
	ASSERT_EQ(0, ret);
	EXPECT_GE(256, cpuid->nent);
	EXPECT_LT(4, cpuid->nent);
}

TEST_F(vm, supported_cpuid_huge_count_is_clamped)
{
	struct kvm_cpuid2 *cpuid = new_cpuid(-1);

	EXPECT_EQ(0, ioctl(self->m.dev, KVM_GET_SUPPORTED_CPUID, cpuid));
	EXPECT_GE(256, cpuid->nent);
}

TEST_F(vm, supported_cpuid_fills_only_its_entries)
{
	struct kvm_cpuid2 *cpuid = new_cpuid(256);

	memset(cpuid->entries, 0xee, 300 * sizeof(cpuid->entries[0]));
	ASSERT_EQ(0, ioctl(self->m.dev, KVM_GET_SUPPORTED_CPUID, cpuid));
	EXPECT_EQ(0xeeeeeeee, cpuid->entries[cpuid->nent].function);
	for (unsigned int i = 0; i < cpuid->nent; i++) {
		EXPECT_EQ(0, cpuid->entries[i].padding[0]);
		EXPECT_EQ(0, cpuid->entries[i].padding[2]);
	}
}

TEST_F(vm, supported_cpuid_has_address_sizes_and_no_vmx)
{
	struct kvm_cpuid2 *cpuid = new_cpuid(256);
	unsigned int va = 0, vmx = 0, long_mode = 0;

	ASSERT_EQ(0, ioctl(self->m.dev, KVM_GET_SUPPORTED_CPUID, cpuid));
	for (unsigned int i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function == 0x80000008)
			va = e->eax >> 8 & 0xff;
		if (e->function == 1)
			vmx = e->ecx >> 5 & 1;
		if (e->function == 0x80000001)
			long_mode = e->edx >> 29 & 1;
	}
	EXPECT_TRUE(va == 48 || va == 57);
	EXPECT_EQ(1, long_mode);
	if (!on_kvm())
		EXPECT_EQ(0, vmx);
}

/* --- the VM --- */

TEST_F(vm, create_vcpu_duplicate_gives_eexist)
{
	EXPECT_ERRNO(EEXIST, ioctl(self->m.fd, KVM_CREATE_VCPU, 0));
}

TEST_F(vm, create_vcpu_last_id_works)
{
	int max = vm_cap(&self->m, KVM_CAP_MAX_VCPU_ID);

	EXPECT_LE(0, ioctl(self->m.fd, KVM_CREATE_VCPU, max - 1));
	EXPECT_ERRNO(EEXIST, ioctl(self->m.fd, KVM_CREATE_VCPU, max - 1));
}

TEST_F(vm, create_vcpu_id_out_of_range_gives_einval)
{
	unsigned long max = vm_cap(&self->m, KVM_CAP_MAX_VCPU_ID);
	const unsigned long bad[] = { max, max + 1, 0x7fffffff, 0x80000000, 0xffffffff, -1UL };

	FOR_EACH(id, bad)
		EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_CREATE_VCPU, *id));
}

/* An id is not cut to 32 bits on its way (KVM 6.1 does that). */
TEST_F(vm, create_vcpu_id_beyond_32_bits_gives_einval)
{
	if (on_kvm())
		SKIP(return, "KVM 6.1 takes the low 32 bits");
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_CREATE_VCPU, 1UL << 32 | 1));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_CREATE_VCPU, 1UL << 63));
}

TEST_F_TIMEOUT(vm, create_vcpu_fails_beyond_max, 120)
{
	int max = vm_cap(&self->m, KVM_CAP_MAX_VCPUS);

	for (int made = 1; made < max; made++) {
		int fd = ioctl(self->m.fd, KVM_CREATE_VCPU, made);

		ASSERT_LE(0, fd) TH_LOG("vCPU %d: %s", made, strerror(errno));
		close(fd);
	}
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_CREATE_VCPU, max));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_CREATE_VCPU, 0));
}

static int set_max_id(int vm, uint64_t ids)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MAX_VCPU_ID, .args = { ids } };

	return ioctl(vm, KVM_ENABLE_CAP, &cap);
}

TEST_F(vm, max_vcpu_id_is_set_once)
{
	int other = ioctl(self->m.dev, KVM_CREATE_VM, 0);

	EXPECT_ERRNO(EINVAL, set_max_id(other, 4097));
	EXPECT_ERRNO(EINVAL, set_max_id(other, 1UL << 32 | 3));
	EXPECT_EQ(0, set_max_id(other, 3));
	EXPECT_EQ(0, set_max_id(other, 3));
	EXPECT_ERRNO(EINVAL, set_max_id(other, 4));
	EXPECT_ERRNO(EINVAL, ioctl(other, KVM_CREATE_VCPU, 3));
	EXPECT_LE(0, ioctl(other, KVM_CREATE_VCPU, 2));
	/* The first vCPU has fixed it to what the capability says. */
	EXPECT_ERRNO(EINVAL, set_max_id(self->m.fd, 3));
	EXPECT_EQ(0, set_max_id(self->m.fd, 4096));
}

TEST_F(vm, set_tss_addr_high_end_gives_einval)
{
	EXPECT_EQ(0, ioctl(self->m.fd, KVM_SET_TSS_ADDR, 0xffffd000));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_SET_TSS_ADDR, 0xffffd001));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_SET_TSS_ADDR, -1UL));
}

TEST_F(vm, set_identity_map_addr_after_vcpu_gives_einval)
{
	__u64 address = 0xfffbc000;
	int other = ioctl(self->m.dev, KVM_CREATE_VM, 0);

	EXPECT_EQ(0, ioctl(other, KVM_SET_IDENTITY_MAP_ADDR, &address));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_SET_IDENTITY_MAP_ADDR, &address));
}

TEST_F(vm, set_nr_mmu_pages_accepts_and_refuses)
{
	EXPECT_EQ(0, ioctl(self->m.fd, KVM_SET_NR_MMU_PAGES, 64));
	EXPECT_EQ(0, ioctl(self->m.fd, KVM_SET_NR_MMU_PAGES, 1000));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.fd, KVM_SET_NR_MMU_PAGES, 63));
}

TEST_F(vm, get_nr_mmu_pages_follows_the_slots_until_it_is_set)
{
	int other = ioctl(self->m.dev, KVM_CREATE_VM, 0);
	uint64_t size = 10000 * PAGE;
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	EXPECT_EQ(0, ioctl(other, KVM_GET_NR_MMU_PAGES, 0));
	EXPECT_EQ(64, ioctl(self->m.fd, KVM_GET_NR_MMU_PAGES, 0));
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0x100000, size, p));
	EXPECT_EQ((10000 + RAM_SIZE / PAGE) / 50, ioctl(self->m.fd, KVM_GET_NR_MMU_PAGES, 0));
	EXPECT_EQ(0, ioctl(self->m.fd, KVM_SET_NR_MMU_PAGES, 70));
	EXPECT_EQ(70, ioctl(self->m.fd, KVM_GET_NR_MMU_PAGES, 0));
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0, 0, NULL));
	EXPECT_EQ(70, ioctl(self->m.fd, KVM_GET_NR_MMU_PAGES, 0));
}

TEST_HARNESS_MAIN
