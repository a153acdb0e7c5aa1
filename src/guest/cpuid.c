// SPDX-License-Identifier: GPL-2.0
/*
 * cpuid.c - which CPU the guest sees
 *
 * Owns the allow-list of features (KVM_GET_SUPPORTED_CPUID), the VMM's choice
 * out of it (KVM_SET_CPUID2) and what follows from the choice: the CR4 bits
 * that the guest may set.
 */
#include "guest/cpuid.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <asm/page_types.h>
#include <asm/fixmap.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/kvm_para.h>

#include "guest/cr.h"
#include "guest/event.h"
#include "vmx/caps.h"
#include "vmx/compat.h"
#include "vmx/host.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

#define F(name) BIT(X86_FEATURE_##name & 31)

/* What vtx can give a guest, by register; the host must have it, too. */
#define LEAF1_ECX (F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) |	\
		   F(PCID) | F(XMM4_1) | F(XMM4_2) | F(MOVBE) | F(POPCNT) |	\
		   F(AES) | F(XSAVE) | F(AVX) | F(F16C) | F(RDRAND))
#define LEAF1_EDX (F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) |		\
		   F(PAE) | F(MCE) | F(CX8) | F(APIC) | F(SEP) | F(MTRR) |	\
		   F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) | F(CLFLUSH) |		\
		   F(MMX) | F(FXSR) | F(XMM) | F(XMM2) | F(SELFSNOOP))
#define LEAF7_EBX (F(FSGSBASE) | F(TSC_ADJUST) | F(BMI1) | F(AVX2) |		\
		   F(SMEP) | F(BMI2) | F(ERMS) | F(INVPCID) | F(AVX512F) |	\
		   F(AVX512DQ) | F(RDSEED) | F(ADX) | F(SMAP) |			\
		   F(AVX512IFMA) | F(CLFLUSHOPT) | F(CLWB) | F(AVX512CD) |	\
		   F(SHA_NI) | F(AVX512BW) | F(AVX512VL))
#define LEAF7_ECX (F(AVX512VBMI) | F(UMIP) | F(AVX512_VBMI2) | F(GFNI) |	\
		   F(VAES) | F(VPCLMULQDQ) | F(AVX512_VNNI) |			\
		   F(AVX512_BITALG) | F(AVX512_VPOPCNTDQ) | F(RDPID))
#define LEAF7_EDX (F(FSRM))
#define EXT1_ECX  (F(LAHF_LM) | F(ABM) | F(3DNOWPREFETCH))
#define EXT1_EDX  (F(SYSCALL) | F(NX) | F(GBPAGES) | F(RDTSCP) | F(LM))
#define LEAFD1_EAX (F(XSAVEOPT) | F(XGETBV1))

#define MAX_BASIC	0xd
#define MAX_EXTENDED	0x80000008
#define MAX_HYPERVISOR	(KVM_CPUID_SIGNATURE | 1)

static u32 host_word(unsigned int word)
{
	return boot_cpu_data.x86_capability[word];
}

struct list {
	struct kvm_cpuid_entry2 *entries;
	unsigned int max;
	unsigned int n;
};

/* The host's own leaf as a start; NULL when the list is full. */
static struct kvm_cpuid_entry2 *add(struct list *l, u32 function, u32 index, u32 flags)
{
	struct kvm_cpuid_entry2 *e;

	if (l->n >= l->max)
		return NULL;
	e = &l->entries[l->n++];
	memset(e, 0, sizeof(*e));
	e->function = function;
	e->index = index;
	e->flags = flags;
	if ((function & 0xf0000000) != KVM_CPUID_SIGNATURE)
		cpuid_count(function, index, &e->eax, &e->ebx, &e->ecx, &e->edx);
	return e;
}

static bool add_basic(struct list *l)
{
	struct kvm_cpuid_entry2 *e;

	e = add(l, 0, 0, 0);
	if (!e)
		return false;
	e->eax = min_t(u32, e->eax, MAX_BASIC);

	e = add(l, 1, 0, 0);
	if (!e)
		return false;
	/* The VMM fills in APIC id and number of logical processors. */
	e->ebx &= 0xff00;
	e->ecx = (host_word(CPUID_1_ECX) & LEAF1_ECX) | F(HYPERVISOR);
	e->edx = host_word(CPUID_1_EDX) & LEAF1_EDX;
	return true;
}

/* SDM vol. 2 "CPUID": deterministic cache parameters end with type 0. */
static bool add_caches(struct list *l)
{
	struct kvm_cpuid_entry2 *e;
	u32 i;

	for (i = 0; i < 8; i++) {
		e = add(l, 4, i, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
		if (!e)
			return false;
		if (!(e->eax & 0x1f))
			break;
		/* Topology is the VMM's. */
		e->eax &= 0x3fff;
	}
	return true;
}

static bool add_features(struct list *l)
{
	struct kvm_cpuid_entry2 *e = add(l, 7, 0, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);

	if (!e)
		return false;
	e->eax = 0;
	e->ebx = host_word(CPUID_7_0_EBX) & LEAF7_EBX;
	if (!(vtx_caps.cpu2 & SECONDARY_EXEC_ENABLE_INVPCID))
		e->ebx &= ~F(INVPCID);
	e->ecx = host_word(CPUID_7_ECX) & LEAF7_ECX;
	if (!(vtx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP))
		e->ecx &= ~F(RDPID);
	e->edx = host_word(CPUID_7_EDX) & LEAF7_EDX;
	return true;
}

static bool add_xsave(struct list *l)
{
	u64 xcr0 = vtx_fpu_xcr0_supported();
	struct kvm_cpuid_entry2 *e = add(l, 0xd, 0, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	u32 i, size = 576;

	if (!e)
		return false;
	if (!xcr0) {
		e->eax = e->ebx = e->ecx = e->edx = 0;
		return true;
	}
	e = add(l, 0xd, 1, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	if (!e)
		return false;
	e->eax &= LEAFD1_EAX;
	e->ebx = e->ecx = e->edx = 0;
	for (i = 2; i < 8; i++) {
		if (!(xcr0 & BIT(i)))
			continue;
		e = add(l, 0xd, i, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
		if (!e)
			return false;
		e->ecx = e->edx = 0;
		size = max(size, e->ebx + e->eax);
	}
	for (i = 0; i < l->n; i++) {
		e = &l->entries[i];
		if (e->function != 0xd || e->index)
			continue;
		e->eax = (u32)xcr0;
		e->ebx = 576;
		e->ecx = size;
		e->edx = xcr0 >> 32;
	}
	return true;
}

static bool add_hypervisor(struct list *l)
{
	struct kvm_cpuid_entry2 *e = add(l, KVM_CPUID_SIGNATURE, 0, 0);

	if (!e)
		return false;
	e->eax = MAX_HYPERVISOR;
	memcpy(&e->ebx, KVM_SIGNATURE, 4);
	memcpy(&e->ecx, KVM_SIGNATURE + 4, 4);
	memcpy(&e->edx, KVM_SIGNATURE + 8, 4);
	/* No paravirtual feature. */
	return add(l, KVM_CPUID_FEATURES, 0, 0);
}

static bool add_extended(struct list *l)
{
	struct kvm_cpuid_entry2 *e = add(l, 0x80000000, 0, 0);
	u32 leaf;

	if (!e)
		return false;
	e->eax = MAX_EXTENDED;
	e = add(l, 0x80000001, 0, 0);
	if (!e)
		return false;
	e->ebx = 0;
	e->ecx = host_word(CPUID_8000_0001_ECX) & EXT1_ECX;
	e->edx = host_word(CPUID_8000_0001_EDX) & EXT1_EDX;
	if (!(vtx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP))
		e->edx &= ~F(RDTSCP);
	for (leaf = 0x80000002; leaf <= 0x80000006; leaf++)
		if (!add(l, leaf, 0, 0))
			return false;
	e = add(l, 0x80000007, 0, 0);
	if (!e)
		return false;
	e->eax = e->ebx = e->ecx = 0;
	/* Invariant TSC. */
	e->edx &= BIT(8);
	e = add(l, 0x80000008, 0, 0);
	if (!e)
		return false;
	/* 48 bits of linear address; EPT with four levels reaches as far. */
	e->eax = min_t(u32, boot_cpu_data.x86_phys_bits, 48) | 48 << 8;
	e->ebx = e->ecx = e->edx = 0;
	return true;
}

/**
 * vtx_cpuid_emulated() - KVM_GET_EMULATED_CPUID: features that are done in software
 * @entries: where to
 * @max:     room there
 *
 * The leaves are KVM's. MOVBE and RDPID, which it has there, vtx gives to guests
 * where the CPU has them, and not elsewhere.
 *
 * Return: number of entries, or -E2BIG.
 */
int vtx_cpuid_emulated(struct kvm_cpuid_entry2 *entries, unsigned int max)
{
	if (max < 3)
		return -E2BIG;
	entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 7 };
	entries[1] = (struct kvm_cpuid_entry2){ .function = 1 };
	entries[2] = (struct kvm_cpuid_entry2){ .function = 7,
						.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
	return 3;
}

/**
 * vtx_cpuid_supported() - KVM_GET_SUPPORTED_CPUID
 * @entries: where to
 * @max:     room there
 *
 * Return: number of entries, or -E2BIG.
 */
int vtx_cpuid_supported(struct kvm_cpuid_entry2 *entries, unsigned int max)
{
	struct list l = { .entries = entries, .max = max };

	if (add_basic(&l) && add(&l, 2, 0, KVM_CPUID_FLAG_STATEFUL_FUNC |
				 KVM_CPUID_FLAG_STATE_READ_NEXT) &&
	    add_caches(&l) && add_features(&l) && add_xsave(&l) &&
	    add_hypervisor(&l) && add_extended(&l))
		return l.n;
	return -E2BIG;
}

static bool matches(const struct kvm_cpuid_entry2 *e, u32 function, u32 index)
{
	return e->function == function &&
	       (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index);
}

static const struct kvm_cpuid_entry2 *find(const struct vtx_vcpu *vcpu, u32 function,
					   u32 index)
{
	const struct kvm_cpuid_entry2 *e = vcpu->cpuid.entries;
	const struct kvm_cpuid_entry2 *end = e + vcpu->cpuid.n;

	for (; e < end; e++)
		if (matches(e, function, index))
			return e;
	return NULL;
}

static bool vendor_is(const struct kvm_cpuid_entry2 *e, const char *name)
{
	return !memcmp(&e->ebx, name, 4) && !memcmp(&e->edx, name + 4, 4) &&
	       !memcmp(&e->ecx, name + 8, 4);
}

/*
 * A leaf beyond its range reads as the highest basic one: SDM vol. 2 "CPUID". As
 * zeros on AMD's CPUs: APM vol. 3 "CPUID".
 */
static noinline const struct kvm_cpuid_entry2 *
find_or_last(const struct vtx_vcpu *vcpu, u32 function, u32 index)
{
	const struct kvm_cpuid_entry2 *e = find(vcpu, function, index);
	const struct kvm_cpuid_entry2 *range, *basic;

	if (e)
		return e;
	range = find(vcpu, function & 0xf0000000, 0);
	basic = find(vcpu, 0, 0);
	if (!basic || (range && function <= range->eax))
		return NULL;
	if (vendor_is(basic, "AuthenticAMD") || vendor_is(basic, "HygonGenuine"))
		return NULL;
	return find(vcpu, basic->eax, index);
}

static u64 cr4_allowed(const struct vtx_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *e1 = find(vcpu, 1, 0);
	const struct kvm_cpuid_entry2 *e7 = find(vcpu, 7, 0);
	u64 deny = 0;

	if (!e1 || !(e1->ecx & F(XSAVE)))
		deny |= X86_CR4_OSXSAVE;
	if (!e1 || !(e1->ecx & F(PCID)))
		deny |= X86_CR4_PCIDE;
	if (!e7 || !(e7->ebx & F(FSGSBASE)))
		deny |= X86_CR4_FSGSBASE;
	if (!e7 || !(e7->ebx & F(SMEP)))
		deny |= X86_CR4_SMEP;
	if (!e7 || !(e7->ebx & F(SMAP)))
		deny |= X86_CR4_SMAP;
	if (!e7 || !(e7->ecx & F(UMIP)))
		deny |= X86_CR4_UMIP;
	return vtx_cr4_host_supported() & ~deny;
}

static bool has_ebx7(const struct vtx_vcpu *vcpu, u32 bit)
{
	const struct kvm_cpuid_entry2 *e = find(vcpu, 7, 0);

	return e && (e->ebx & bit);
}

static u8 has(const struct vtx_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *e7 = find(vcpu, 7, 0);
	const struct kvm_cpuid_entry2 *ext1 = find(vcpu, 0x80000001, 0);
	u8 bits = 0;

	if ((e7 && (e7->ecx & F(RDPID))) || (ext1 && (ext1->edx & F(RDTSCP))))
		bits |= VTX_HAS_TSC_AUX;
	return bits;
}

/*
 * An instruction that the guest's CPUID lacks is #UD: by its control, or the exit is
 * (SDM vol. 3 "Secondary Processor-Based VM-Execution Controls").
 */
static void update_controls(const struct vtx_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *e1 = find(vcpu, 1, 0);
	const u32 all = SECONDARY_EXEC_ENABLE_RDTSCP | SECONDARY_EXEC_ENABLE_INVPCID |
			VTX_HIDING_EXITS;
	u32 on = 0;

	if (vcpu->cpuid.has & VTX_HAS_TSC_AUX)
		on |= SECONDARY_EXEC_ENABLE_RDTSCP;
	if (has_ebx7(vcpu, F(INVPCID)))
		on |= SECONDARY_EXEC_ENABLE_INVPCID;
	if (!e1 || !(e1->ecx & F(RDRAND)))
		on |= SECONDARY_EXEC_RDRAND_EXITING;
	if (!has_ebx7(vcpu, F(RDSEED)))
		on |= SECONDARY_EXEC_RDSEED_EXITING;
	vmcs_write32(SECONDARY_VM_EXEC_CONTROL,
		     (vmcs_read32(SECONDARY_VM_EXEC_CONTROL) & ~all) |
		     (vtx_caps.cpu2 & on));
}

/* XSAVE area for the components in XCR0: SDM vol. 2 "CPUID", leaf 0DH, EBX. */
static u32 xsave_size(const struct vtx_vcpu *vcpu)
{
	u32 i, size = 576;

	for (i = 2; i < 8; i++) {
		const struct kvm_cpuid_entry2 *e =
			vcpu->xcr0 & BIT(i) ? find(vcpu, 0xd, i) : NULL;

		if (e)
			size = max(size, e->ebx + e->eax);
	}
	return size;
}

/* Two bits and a size follow the guest's registers. */
static void cpuid_now(const struct vtx_vcpu *vcpu, struct kvm_cpuid_entry2 *e)
{
	if (e->function == 1) {
		e->ecx &= ~F(OSXSAVE);
		if (vcpu->osxsave)
			e->ecx |= F(OSXSAVE);
		if (!(vcpu->apic_base & MSR_IA32_APICBASE_ENABLE))
			e->edx &= ~F(APIC);
	} else if (e->function == 0xd && e->index == 0 && e->eax) {
		e->ebx = xsave_size(vcpu);
	}
}

/**
 * vtx_cpuid_alloc() - a table for a new vCPU
 * @vcpu: the vCPU
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM.
 */
int vtx_cpuid_alloc(struct vtx_vcpu *vcpu)
{
	vcpu->cpuid.entries = kvcalloc(VTX_MAX_CPUID, sizeof(*vcpu->cpuid.entries),
				       GFP_KERNEL_ACCOUNT);
	return vcpu->cpuid.entries ? 0 : -ENOMEM;
}

/**
 * vtx_cpuid_free() - the mirror of vtx_cpuid_alloc(), also after its failure
 * @vcpu: the vCPU
 */
void vtx_cpuid_free(struct vtx_vcpu *vcpu)
{
	kvfree(vcpu->cpuid.entries);
}

/**
 * vtx_cpuid_count() - entries of the guest's table
 * @vcpu: the vCPU
 *
 * Return: at most VTX_MAX_CPUID.
 */
unsigned int vtx_cpuid_count(const struct vtx_vcpu *vcpu)
{
	return vcpu->cpuid.n;
}

/**
 * vtx_cpuid_get() - an entry, as the guest would see it now
 * @vcpu: the vCPU
 * @i:    which, below vtx_cpuid_count()
 *
 * Return: a copy.
 */
struct kvm_cpuid_entry2 vtx_cpuid_get(const struct vtx_vcpu *vcpu, unsigned int i)
{
	struct kvm_cpuid_entry2 e = vcpu->cpuid.entries[i];

	cpuid_now(vcpu, &e);
	return e;
}

/* The padding of an entry is the VMM's, what follows registers is theirs. */
static bool same_entry(const struct vtx_vcpu *vcpu, struct kvm_cpuid_entry2 a,
		       struct kvm_cpuid_entry2 b)
{
	cpuid_now(vcpu, &a);
	cpuid_now(vcpu, &b);
	return !memcmp(&a, &b, offsetof(struct kvm_cpuid_entry2, padding));
}

static bool same_cpuid(const struct vtx_vcpu *vcpu,
		       const struct kvm_cpuid_entry2 *entries, unsigned int n)
{
	unsigned int i;

	if (n != vcpu->cpuid.n)
		return false;
	for (i = 0; i < n; i++)
		if (!same_entry(vcpu, entries[i], vcpu->cpuid.entries[i]))
			return false;
	return true;
}

/**
 * vtx_cpuid_set() - KVM_SET_CPUID2
 * @vcpu:    the vCPU; VMCS current
 * @entries: the new table, copied
 * @n:       how many, at most VTX_MAX_CPUID
 *
 * Return: 0; -EINVAL: the vCPU has run and this is another CPU, or a linear
 * address width other than 48 or 57 bits.
 */
int vtx_cpuid_set(struct vtx_vcpu *vcpu, const struct kvm_cpuid_entry2 *entries,
		  unsigned int n)
{
	unsigned int i;

	if (vcpu->ran)
		return same_cpuid(vcpu, entries, n) ? 0 : -EINVAL;
	for (i = 0; i < n; i++) {
		u8 bits = entries[i].eax >> 8;

		if (entries[i].function == 0x80000008 &&
		    bits != 48 && bits != 57 && bits != 0)
			return -EINVAL;
	}
	memcpy(vcpu->cpuid.entries, entries, n * sizeof(*entries));
	vcpu->cpuid.n = n;
	vcpu->cpuid.last = NULL;
	vcpu->cpuid.has = has(vcpu);
	update_controls(vcpu);
	vcpu->cr4.allowed = cr4_allowed(vcpu);
	vtx_cr4_update_mask(vcpu);
	return 0;
}

/**
 * vtx_cpuid_set_faulting() - MISC_FEATURES_ENABLES.CPUID_FAULT
 * @vcpu: the vCPU
 * @on:	  CPUID above CPL 0 is #GP
 *
 * SDM vol. 3 "CPUID Faulting".
 */
void vtx_cpuid_set_faulting(struct vtx_vcpu *vcpu, bool on)
{
	vcpu->cpuid.faults = on;
	vcpu->cpuid.last = NULL;
}

/**
 * vtx_cpuid_xcr0() - XCR0 bits that this guest may set
 * @vcpu: the vCPU
 *
 * Return: what its CPUID offers and vtx has; x87 in any case.
 */
u64 vtx_cpuid_xcr0(const struct vtx_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *e = find(vcpu, 0xd, 0);
	u64 offered = e ? e->eax | (u64)e->edx << 32 : 0;

	return (offered & vtx_fpu_xcr0_supported()) | XFEATURE_MASK_FP;
}

/**
 * vtx_cpuid_page_mask() - the bits of a page's physical address
 * @vcpu: the vCPU
 *
 * Return: 12 and up as far as its CPUID promises, without a promise as the host.
 */
u64 vtx_cpuid_page_mask(const struct vtx_vcpu *vcpu)
{
	const struct kvm_cpuid_entry2 *e = find(vcpu, 0x80000008, 0);
	u8 bits = e ? e->eax : boot_cpu_data.x86_phys_bits;

	/* SDM vol. 1 "Physical Address Space": no more than 52. */
	return ((1ULL << min_t(u8, bits, 52)) - 1) & PAGE_MASK;
}

static __always_inline void answer(u64 *r, const struct kvm_cpuid_entry2 *e)
{
	r[VTX_RAX] = e->eax;
	r[VTX_RBX] = e->ebx;
	r[VTX_RCX] = e->ecx;
	r[VTX_RDX] = e->edx;
}

static noinline void answer_now(u64 *r, const struct vtx_vcpu *vcpu,
				struct kvm_cpuid_entry2 e)
{
	cpuid_now(vcpu, &e);
	answer(r, &e);
}

/**
 * vtx_exit_cpuid() - the CPUID instruction; a fast handler
 * @vcpu: the vCPU
 *
 * Return: see exit.c.
 */
int vtx_exit_cpuid(struct vtx_vcpu *vcpu)
{
	u64 *r = vcpu->regs;
	u32 function = r[VTX_RAX], index = r[VTX_RCX];
	const struct kvm_cpuid_entry2 *e = vcpu->cpuid.last;

	/* Guests ask for the same leaf over and over; not where CPUID may fault. */
	if (unlikely(!e || !matches(e, function, index))) {
		if (vcpu->cpuid.faults && vtx_cpl()) {
			vtx_queue_gp(vcpu);
			return VTX_RESUME;
		}
		e = find_or_last(vcpu, function, index);
		vcpu->cpuid.last = vcpu->cpuid.faults ? NULL : e;
	}
	if (unlikely(!e))
		r[VTX_RAX] = r[VTX_RBX] = r[VTX_RCX] = r[VTX_RDX] = 0;
	else if (function == 1 || function == 0xd)
		answer_now(r, vcpu, *e);
	else
		answer(r, e);
	return vtx_skip_insn(vcpu);
}
