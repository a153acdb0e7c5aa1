// SPDX-License-Identifier: GPL-2.0
/*
 * host.c - host state that a run borrows and gives back
 *
 * vtx_host_enter()/vtx_host_leave() bracket a stay in the run loop (preemption
 * off all the way, IRQs off at both ends): FPU, MSRs that only user mode needs,
 * segment registers, descriptor-table limits; and with them, what interrupt
 * handlers must not see. That alone is given back and borrowed again where IRQs
 * come on within the stay: vtx_host_irqs_on()/_irqs_off().
 *
 * The FPU has two owners besides the guest. As long as IRQs are off nobody can
 * notice that its registers hold something else: they are put aside and back
 * here. Before IRQs come on the kernel must know, since soft interrupts may use
 * the FPU, too: from then on the stay is a kernel_fpu_begin() section.
 *
 * What VM exit does to the host: SDM vol. 3 "Loading Host State".
 */
#include "vmx/host.h"

#include <linux/hw_breakpoint.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/perf_event.h>
#include <asm/tlbflush.h>
#include <asm/vmx.h>

#include "vmx/caps.h"
#include "vmx/compat.h"
#include "vmx/l1d.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/* x87, SSE, AVX and the three of AVX-512: no MPX, PKRU, PT, AMX, CET. */
#define FPU_MASK	0xe7ULL

static u64 host_xcr0 __ro_after_init;
static u64 fpu_mask __ro_after_init;
static unsigned int fpu_size __ro_after_init;
static void __percpu *host_fpu;		/* the host's registers, IRQs off */

/*
 * The kernel sets bits of IA32_DEBUGCTL for perf, which needs a PMU, and to be
 * told of bus locks. Without either, as in many a VM, where each RDMSR is an exit
 * to the hypervisor below, it need not be looked at.
 */
static bool debugctl_used __ro_after_init;

/*
 * A PEBS record goes to a linear address, in the guest to the guest's. Counters that
 * VM entry does not stop write one there, and with old microcode others do, too.
 */
static bool pebs_overshoots __ro_after_init;

static const u32 hw_msrs[VTX_NR_HW_MSRS] = {
	[VTX_MSR_STAR] = MSR_STAR,
	[VTX_MSR_LSTAR] = MSR_LSTAR,
	[VTX_MSR_FMASK] = MSR_SYSCALL_MASK,
	[VTX_MSR_KERNEL_GS_BASE] = MSR_KERNEL_GS_BASE,
	[VTX_MSR_TSC_AUX] = MSR_TSC_AUX,
};

/* What never changes on a CPU of the host; of the MSRs, KERNEL_GS_BASE does. */
struct host_cpu {
	bool known;
	struct desc_ptr gdt, idt;
	u64 msr[VTX_NR_HW_MSRS];
};

static DEFINE_PER_CPU(struct host_cpu, host_cpu);

static bool __init does_pebs_overshoot(void)
{
	const struct perf_guest_switch_msr *msr;
	bool listed = false;
	int n = 0;

	if (boot_cpu_has(X86_FEATURE_PEBS) &&
	    !(vtx_caps.exit & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL))
		return true;
	/* Whether the kernel's perf, if there is one, wants KVM to see to it. */
	preempt_disable();
	msr = perf_guest_get_msrs(&n, NULL);
	for (; msr && n; n--)
		listed |= msr[n - 1].msr == MSR_IA32_PEBS_ENABLE;
	preempt_enable();
	return listed;
}

/**
 * vtx_host_setup() - what state the host has and which mitigations apply
 *
 * Return: 0, -ENOMEM.
 */
int __init vtx_host_setup(void)
{
	u32 eax, ebx, ecx, edx;

	fpu_size = 512;
	if (boot_cpu_has(X86_FEATURE_XSAVE)) {
		host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		fpu_mask = host_xcr0 & FPU_MASK;
		/* Standard format: the enabled components decide the size. */
		cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx);
		fpu_size = max(ebx, 576U);
	}
	host_fpu = __alloc_percpu(fpu_size, 64);
	if (!host_fpu || vtx_l1d_setup()) {
		free_percpu(host_fpu);
		return -ENOMEM;
	}
	debugctl_used = boot_cpu_has(X86_FEATURE_ARCH_PERFMON) ||
			boot_cpu_has(X86_FEATURE_BUS_LOCK_DETECT);
	pebs_overshoots = does_pebs_overshoot();
	return 0;
}

/** vtx_host_cleanup() - the mirror of vtx_host_setup() */
void vtx_host_cleanup(void)
{
	vtx_l1d_cleanup();
	free_percpu(host_fpu);
}

/**
 * vtx_fpu_xcr0_supported() - XCR0 bits that a guest may set
 *
 * Return: the bits; 0 if the host does not use XSAVE.
 */
u64 vtx_fpu_xcr0_supported(void)
{
	return fpu_mask;
}

/**
 * vtx_fpu_size() - size of the guest FPU area
 *
 * Return: bytes.
 */
unsigned int vtx_fpu_size(void)
{
	return fpu_size;
}

/**
 * vtx_fpu_alloc() - allocate the guest FPU area, in its state after reset
 * @vcpu: the vCPU
 *
 * Context: may sleep.
 * Return: 0, -ENOMEM.
 */
int vtx_fpu_alloc(struct vtx_vcpu *vcpu)
{
	struct fxregs_state *fx;

	/* XSAVE wants it aligned to 64: kmalloc() aligns powers of two to their size. */
	vcpu->fpu = kzalloc(roundup_pow_of_two(fpu_size), GFP_KERNEL_ACCOUNT);
	if (!vcpu->fpu)
		return -ENOMEM;
	fx = vcpu->fpu;
	/* SDM vol. 3 "Processor State After Reset": FCW 40H; KVM gives FNINIT's. */
	fx->cwd = 0x37f;
	fx->mxcsr = MXCSR_DEFAULT;
	return 0;
}

/**
 * vtx_fpu_free() - free the guest FPU area
 * @vcpu: the vCPU, whose area may not exist
 */
void vtx_fpu_free(struct vtx_vcpu *vcpu)
{
	kfree(vcpu->fpu);
}

/*
 * What the guest can change, no more: PKRU and AMX's tiles stay where they are.
 * XSAVE and not XSAVEOPT, whose shortcut knows one area per set of registers.
 */
static __always_inline void save_fpu(void *area)
{
	if (cpu_feature_enabled(X86_FEATURE_XSAVE))
		asm volatile("xsave64 (%0)" : : "r"(area),
			     "a"((u32)fpu_mask), "d"((u32)(fpu_mask >> 32)) : "memory");
	else
		asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

/* The area may hold what KVM_SET_FPU wrote; a fault leaves the old state. */
static __always_inline void load_fpu(const void *area)
{
	if (cpu_feature_enabled(X86_FEATURE_XSAVE))
		asm volatile("1: xrstor64 (%0)\n2:" _ASM_EXTABLE(1b, 2b)
			     : : "r"(area), "a"((u32)fpu_mask),
			     "d"((u32)(fpu_mask >> 32)) : "memory");
	else
		asm volatile("1: fxrstor64 (%0)\n2:" _ASM_EXTABLE(1b, 2b)
			     : : "r"(area) : "memory");
}

static __always_inline void borrow_fpu(struct vtx_vcpu *vcpu)
{
	save_fpu(this_cpu_ptr(host_fpu));
	load_fpu(vcpu->fpu);
}

static __always_inline void return_fpu(struct vtx_vcpu *vcpu)
{
	save_fpu(vcpu->fpu);
	if (unlikely(vcpu->host.fpu_section)) {
		vcpu->host.fpu_section = false;
		kernel_fpu_end();
	} else {
		load_fpu(this_cpu_ptr(host_fpu));
	}
}

/* IRQs off. From the one way of borrowing to the other. */
static void enter_fpu_section(struct vtx_vcpu *vcpu)
{
	return_fpu(vcpu);
	kernel_fpu_begin_mask(0);
	vcpu->host.fpu_section = true;
	load_fpu(vcpu->fpu);
}

static noinline void learn_host_cpu(struct host_cpu *h)
{
	native_store_gdt(&h->gdt);
	store_idt(&h->idt);
	rdmsrq(MSR_STAR, h->msr[VTX_MSR_STAR]);
	rdmsrq(MSR_LSTAR, h->msr[VTX_MSR_LSTAR]);
	rdmsrq(MSR_SYSCALL_MASK, h->msr[VTX_MSR_FMASK]);
	if (vtx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP)
		rdmsrq(MSR_TSC_AUX, h->msr[VTX_MSR_TSC_AUX]);
	h->known = true;
}

static void load_msr(struct vtx_vcpu *vcpu, const struct host_cpu *h,
		     enum vtx_hw_msr i)
{
	if (vcpu->msrs[i] == h->msr[i])
		return;
	wrmsrq(hw_msrs[i], vcpu->msrs[i]);
	vcpu->host.msrs_loaded |= BIT(i);
}

/* Inlined, unlike wrmsrq(): this is done twice per exit to the VMM. */
static __always_inline void write_kernel_gs_base(u64 base)
{
	__wrmsrq(MSR_KERNEL_GS_BASE, base);
}

/*
 * The host's kernel needs none of these until it returns to user mode or
 * switches tasks, so they stay the guest's for the whole stay in the run loop.
 * A guest without SYSCALL (SDM vol. 2: EFER.SCE) can't tell what its three hold:
 * RDMSR and WRMSR exit. KERNEL_GS_BASE it reads and writes by itself.
 */
static void load_guest_msrs(struct vtx_vcpu *vcpu, const struct host_cpu *h)
{
	vcpu->host.kernel_gs_base = __rdmsr(MSR_KERNEL_GS_BASE);
	write_kernel_gs_base(vcpu->msrs[VTX_MSR_KERNEL_GS_BASE]);
	vcpu->host.msrs_loaded = BIT(VTX_MSR_KERNEL_GS_BASE);
	if (vcpu->efer & EFER_SCE) {
		load_msr(vcpu, h, VTX_MSR_STAR);
		load_msr(vcpu, h, VTX_MSR_LSTAR);
		load_msr(vcpu, h, VTX_MSR_FMASK);
	}
	if (vtx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP)
		load_msr(vcpu, h, VTX_MSR_TSC_AUX);
}

/**
 * vtx_host_reload_msrs() - vcpu->msrs or EFER have changed during a stay
 * @vcpu: the vCPU
 *
 * All but KERNEL_GS_BASE, of which the CPU has the newest value.
 *
 * Context: between vtx_host_enter() and vtx_host_leave().
 */
void vtx_host_reload_msrs(struct vtx_vcpu *vcpu)
{
	unsigned long which = vcpu->efer & EFER_SCE ? BIT(VTX_MSR_STAR) | BIT(VTX_MSR_LSTAR) |
					      BIT(VTX_MSR_FMASK) : 0;
	unsigned int i;

	if (vtx_caps.cpu2 & SECONDARY_EXEC_ENABLE_RDTSCP)
		which |= BIT(VTX_MSR_TSC_AUX);
	for_each_set_bit(i, &which, VTX_NR_HW_MSRS)
		wrmsrq(hw_msrs[i], vcpu->msrs[i]);
	vcpu->host.msrs_loaded |= which;
}

/**
 * vtx_host_has_guest_msrs() - is the guest's IA32_KERNEL_GS_BASE in the CPU?
 * @vcpu: the vCPU
 *
 * Context: preemption off.
 * Return: false: it is in @vcpu.
 */
bool vtx_host_has_guest_msrs(const struct vtx_vcpu *vcpu)
{
	return vcpu->host.msrs_loaded;
}

static noinline void load_constant_msrs(unsigned long loaded)
{
	const struct host_cpu *h = this_cpu_ptr(&host_cpu);
	unsigned int i;

	for_each_set_bit(i, &loaded, VTX_NR_HW_MSRS)
		wrmsrq(hw_msrs[i], h->msr[i]);
}

static void load_host_msrs(struct vtx_vcpu *vcpu)
{
	u32 constant = vcpu->host.msrs_loaded & ~BIT(VTX_MSR_KERNEL_GS_BASE);

	/* SWAPGS and WRMSR in the guest change it without an exit. */
	vcpu->msrs[VTX_MSR_KERNEL_GS_BASE] = __rdmsr(MSR_KERNEL_GS_BASE);
	write_kernel_gs_base(vcpu->host.kernel_gs_base);
	if (unlikely(constant))
		load_constant_msrs(constant);
	vcpu->host.msrs_loaded = 0;
}

/*
 * LDTR is 0 while the process has no LDT. That may change during a stay, by
 * modify_ldt() of another thread, whose IPI loads LDTR where it finds the CPU.
 */
static __always_inline bool may_have_ldt(void)
{
#ifdef CONFIG_MODIFY_LDT_SYSCALL
	return READ_ONCE(current->mm->context.ldt);
#else
	return false;
#endif
}

/* 0 after a VM exit, until the kernel loads it. */
static noinline void note_ldt(struct vtx_host *host)
{
	u16 sel;

	store_ldt(sel);
	if (sel)
		host->ldt_sel = sel;
}

/* HOST selectors with RPL or TI are not allowed: those fields hold 0. */
static void save_segments(struct vtx_host *host)
{
	unsigned long fs_base = x86_fsbase_read_cpu();

	savesegment(fs, host->fs_sel);
	savesegment(gs, host->gs_sel);
	savesegment(ds, host->ds_sel);
	savesegment(es, host->es_sel);
	host->ldt_sel = 0;
	if (unlikely(may_have_ldt()))
		note_ldt(host);
	if (unlikely(fs_base != host->fs_base)) {
		host->fs_base = fs_base;
		vmcs_writel(HOST_FS_BASE, fs_base);
	}
}

/* Threads of 64-bit programs have 0 in all of them. */
static noinline void restore_selectors(struct vtx_host *host)
{
	if (host->ldt_sel)
		asm volatile("lldt %w0" : : "q"(host->ldt_sel));
	loadsegment(ds, host->ds_sel);
	loadsegment(es, host->es_sel);
	if (host->fs_sel) {
		loadsegment(fs, host->fs_sel);
		wrmsrq(MSR_FS_BASE, host->fs_base);
	}
	if (host->gs_sel) {
		u64 base;

		rdmsrq(MSR_KERNEL_GS_BASE, base);
		load_gs_index(host->gs_sel);
		wrmsrq(MSR_KERNEL_GS_BASE, base);
	}
}

/* The task has an I/O bitmap by ioperm(): TR is loaded anew, here and now. */
static noinline void reload_tr(void)
{
	invalidate_tss_limit();
}

/* Each VM exit sets the limits of GDTR and IDTR to FFFFH. */
static void restore_segments(struct vtx_host *host)
{
	const struct host_cpu *h = this_cpu_ptr(&host_cpu);

	native_load_gdt(&h->gdt);
	native_load_idt(&h->idt);
	/* TR's limit is 67H now: too small for the I/O bitmap of ioperm(). */
	if (unlikely(test_thread_flag(TIF_IO_BITMAP)))
		reload_tr();
	else
		this_cpu_write(__tss_limit_invalid, true);
	if (unlikely(host->selectors | host->ldt_sel))
		restore_selectors(host);
}

/* CR3 follows the task's TLB state, CR4 what perf and prctl ask for. */
static __always_inline void refresh_host_fields(struct vtx_vmcs *vmcs)
{
	unsigned long cr3 = __read_cr3();
	unsigned long cr4 = __read_cr4();

	if (unlikely(cr3 != vmcs->host_cr3)) {
		vmcs->host_cr3 = cr3;
		vmcs_writel(HOST_CR3, cr3);
	}
	if (unlikely(cr4 != vmcs->host_cr4)) {
		vmcs->host_cr4 = cr4;
		vmcs_writel(HOST_CR4, cr4);
	}
	if (vtx_caps.exit & VM_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL) {
		u64 perf = __rdmsr(MSR_CORE_PERF_GLOBAL_CTRL);

		if (unlikely(perf != vmcs->host_perf)) {
			vmcs->host_perf = perf;
			vmcs_write64(HOST_IA32_PERF_GLOBAL_CTRL, perf);
		}
	}
}

static void load_guest_debugregs(struct vtx_vcpu *vcpu)
{
	/* No host breakpoint may fire on a guest's address. */
	set_debugreg(0, 7);
	set_debugreg(vcpu->debug.db[0], 0);
	set_debugreg(vcpu->debug.db[1], 1);
	set_debugreg(vcpu->debug.db[2], 2);
	set_debugreg(vcpu->debug.db[3], 3);
}

/* A record that is written late would land in the guest's memory. */
static noinline void stop_pebs(struct vtx_vcpu *vcpu)
{
	rdmsrq(MSR_IA32_PEBS_ENABLE, vcpu->host.pebs);
	if (vcpu->host.pebs)
		wrmsrq(MSR_IA32_PEBS_ENABLE, 0);
}

/* What interrupt handlers must not see: IRQs off until give_back(). */
static __always_inline void lend(struct vtx_vcpu *vcpu)
{
	/* perf changes it by IPI, ptrace for a thread that it stops at branches. */
	if (debugctl_used || unlikely(test_thread_flag(TIF_BLOCKSTEP)))
		vcpu->host.debugctl = __rdmsr(MSR_IA32_DEBUGCTLMSR);
	refresh_host_fields(&vcpu->vmcs);
	if (unlikely(vcpu->debug.dr7 & 0xff))
		load_guest_debugregs(vcpu);
	vcpu->host.xcr0_lent = vcpu->osxsave && vcpu->xcr0 != host_xcr0;
	if (vcpu->host.xcr0_lent)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->xcr0);
	if (unlikely(pebs_overshoots))
		stop_pebs(vcpu);
	if (vtx_l1d_leaks)
		vtx_l1d_flush(vcpu);
}

/* Idempotent: a stay may end where IRQs are on. */
static __always_inline void give_back(struct vtx_vcpu *vcpu)
{
	/* An exit served meanwhile may have changed the guest's XCR0 or CR4. */
	if (vcpu->host.xcr0_lent)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, host_xcr0);
	vcpu->host.xcr0_lent = false;
	/* VM exit clears DR7 and IA32_DEBUGCTL. */
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
	if (unlikely(vcpu->host.debugctl)) {
		update_debugctlmsr(vcpu->host.debugctl);
		vcpu->host.debugctl = 0;
	}
	if (unlikely(vcpu->host.pebs)) {
		wrmsrq(MSR_IA32_PEBS_ENABLE, vcpu->host.pebs);
		vcpu->host.pebs = 0;
	}
	vtx_ibpb_exit_to_user();
}

/**
 * vtx_host_irqs_on() - IRQs come on in the middle of a stay
 * @vcpu: the vCPU
 *
 * Context: IRQs still off.
 */
void vtx_host_irqs_on(struct vtx_vcpu *vcpu)
{
	give_back(vcpu);
	if (!vcpu->host.fpu_section)
		enter_fpu_section(vcpu);
}

/**
 * vtx_host_irqs_off() - the mirror of vtx_host_irqs_on()
 * @vcpu: the vCPU
 *
 * Context: IRQs off until the next VM exit at least.
 */
void vtx_host_irqs_off(struct vtx_vcpu *vcpu)
{
	if (unlikely(may_have_ldt()))
		note_ldt(&vcpu->host);
	lend(vcpu);
}

/**
 * vtx_host_enter() - put the host's state aside for a stay in the run loop
 * @vcpu: the vCPU, whose VMCS is current
 *
 * Context: preemption off until vtx_host_leave(), IRQs off until
 * vtx_host_irqs_on(). No FPU, no sleeping, no return to user mode.
 */
void vtx_host_enter(struct vtx_vcpu *vcpu)
{
	struct host_cpu *h = this_cpu_ptr(&host_cpu);

	if (unlikely(!h->known))
		learn_host_cpu(h);
	borrow_fpu(vcpu);
	save_segments(&vcpu->host);
	load_guest_msrs(vcpu, h);
	vcpu->l1d.dirty = true;
	lend(vcpu);
}

/**
 * vtx_host_leave() - give back what vtx_host_enter() put aside
 * @vcpu: the vCPU
 *
 * Context: IRQs off, on the same CPU.
 */
void vtx_host_leave(struct vtx_vcpu *vcpu)
{
	give_back(vcpu);
	load_host_msrs(vcpu);
	restore_segments(&vcpu->host);
	return_fpu(vcpu);
}
