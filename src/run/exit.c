// SPDX-License-Identifier: GPL-2.0
/*
 * exit.c - why the guest came out, and what to do about it
 *
 * Owns the table of all exit reasons and the small handlers. Three kinds:
 *
 *	fast	called with IRQs off, VMCS current, guest FPU and MSRs in the
 *		CPU, a few instructions after the exit.
 *	atomic	the same with IRQs on: may take ept_lock.
 *	slow	called after the run loop has given all that back, with the exit
 *		information that the others left in vcpu->exit. May sleep;
 *		brackets its accesses to the VMCS with vtx_vcpu_load() and
 *		vtx_vcpu_put().
 *
 * A handler returns VTX_RESUME (into the guest again), VTX_TO_USER (vcpu->run
 * is filled in), a negative errno for KVM_RUN. A fast one also VTX_AROUND: into
 * the guest, but through all checks of an entry, since an interrupt waits or
 * debug, XCR0, paging or CPU state has changed; VTX_ATOMIC or VTX_SLOW: call the
 * other handler, as an atomic one may, too.
 *
 * SDM vol. 3 "VM-Exit Information Fields", appendix "VMX Basic Exit Reasons".
 */
#include "run/exit.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kvm_para.h>
#include <linux/nospec.h>

#include <asm/cpu.h>
#include <asm/cpufeature.h>
#include <asm/mce.h>
#include <asm/processor-flags.h>
#include <asm/ptrace.h>

#include "emulate/mmio.h"
#include "guest/cpuid.h"
#include "guest/cr.h"
#include "guest/event.h"
#include "guest/internal_error.h"
#include "guest/xstate.h"
#include "mem/dirty.h"
#include "mem/ept_entry.h"
#include "mem/fault.h"
#include "run/debug.h"
#include "run/exit_cr.h"
#include "run/exit_io.h"
#include "run/exit_msr.h"
#include "vmx/vmcs_init.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/*
 * SDM vol. 3 "Information About NMI Unblocking Due to IRET": the exit came in
 * the middle of an IRET that had ended blocking by NMI already. Its next
 * attempt will do that again, until then it holds.
 */
static void reblock_nmi(u32 info)
{
	if (likely(!(info & INTR_INFO_UNBLOCK_NMI)))
		return;
	if (vmcs_read32(IDT_VECTORING_INFO_FIELD) & VECTORING_INFO_VALID_MASK)
		return;
	vmcs_write32(GUEST_INTERRUPTIBILITY_INFO,
		     vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) | GUEST_INTR_STATE_NMI);
}

static void handle_db(struct vtx_vcpu *vcpu, u32 info)
{
	/* INT1 is an instruction: the handler returns behind it. */
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_PRIV_SW_EXCEPTION) {
		vmcs_write32(GUEST_INTERRUPTIBILITY_INFO,
			     vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) &
			     ~VTX_BLOCKED_STI_MOVSS);
		vmcs_writel(GUEST_RIP, vtx_next_rip(vcpu, vmcs_readl(GUEST_RIP),
						    vmcs_read32(VM_EXIT_INSTRUCTION_LEN)));
	}
	vtx_queue_db(vcpu, vmcs_readl(EXIT_QUALIFICATION) & VTX_DR6_CONDITIONS);
}

/* The machine check hit the guest; the handler may kill this process for it. */
static int forward_machine_check(void)
{
	struct pt_regs regs = {
		.cs = 3,	/* fake ring 3, whatever the guest ran on */
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
	return VTX_AROUND;
}

/*
 * For the exits that can interrupt the delivery of an event: SDM vol. 3
 * "Information for VM Exits That Occur During Event Delivery".
 */
static void save_vectoring(struct vtx_vcpu *vcpu)
{
	u32 info = vmcs_read32(IDT_VECTORING_INFO_FIELD);

	if (unlikely(info & VECTORING_INFO_VALID_MASK))
		vtx_event_save_vectoring(vcpu, info);
}

/*
 * Alignment checks of the guest's own, or the host's split-lock detection,
 * which a guest knows nothing of (SDM vol. 3 "Features to Disable Bus Locks")?
 */
static bool is_guests_own_ac(void)
{
	if (!boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT))
		return true;
	return vtx_cpl() == 3 && (vtx_cr0_read() & X86_CR0_AM) &&
	       (vmcs_readl(GUEST_RFLAGS) & X86_EFLAGS_AC);
}

/* Exceptions that vtx intercepts to look at, not to keep. */
static int handle_exception(struct vtx_vcpu *vcpu)
{
	u32 info = vmcs_read32(VM_EXIT_INTR_INFO);

	save_vectoring(vcpu);
	/* The run loop has called the host's handler. */
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		return VTX_AROUND;
	reblock_nmi(info);
	switch (info & INTR_INFO_VECTOR_MASK) {
	case MC_VECTOR:
		return forward_machine_check();
	case DB_VECTOR:
		if (vtx_debug_exception(vcpu, DB_VECTOR) == VTX_TO_USER)
			return VTX_TO_USER;
		handle_db(vcpu, info);
		return VTX_AROUND;
	case BP_VECTOR:
		return vtx_debug_exception(vcpu, BP_VECTOR);
	case AC_VECTOR:
		if (!is_guests_own_ac())
			return VTX_SLOW;
		vtx_queue_exception_error(vcpu, AC_VECTOR,
					  vmcs_read32(VM_EXIT_INTR_ERROR_CODE));
		return VTX_RESUME;
	default:
		return vtx_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	}
}

/*
 * A split lock: the kernel warns, makes the thread wait and lets it go on, or
 * sends it SIGBUS.
 */
static int handle_split_lock_slow(struct vtx_vcpu *vcpu)
{
	unsigned long rip;

	vtx_vcpu_load(vcpu);
	rip = vmcs_readl(GUEST_RIP);
	vtx_vcpu_put(vcpu);
	if (handle_guest_split_lock(rip))
		return VTX_RESUME;
	vcpu->run->exit_reason = KVM_EXIT_EXCEPTION;
	vcpu->run->ex.exception = AC_VECTOR;
	vcpu->run->ex.error_code = 0;
	return VTX_TO_USER;
}

/* External interrupts: their handler runs as soon as IRQs are on. */
static int handle_nothing(struct vtx_vcpu *vcpu)
{
	return VTX_AROUND;
}

static int handle_nothing_slow(struct vtx_vcpu *vcpu)
{
	return VTX_RESUME;
}

/**
 * vtx_exit_shutdown() - the guest's CPU has stopped for good
 * @vcpu: the vCPU
 *
 * Return: VTX_TO_USER.
 */
int vtx_exit_shutdown(struct vtx_vcpu *vcpu)
{
	vcpu->event.shutdown = false;
	vcpu->event.info = 0;
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return VTX_TO_USER;
}

static int handle_interrupt_window(struct vtx_vcpu *vcpu)
{
	/* The VMM's own interrupt, queued before, goes first. */
	if (!vcpu->event.user_window || vcpu->event.irq || vcpu->event.info)
		return VTX_RESUME;
	vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
	return VTX_TO_USER;
}

static int handle_task_switch(struct vtx_vcpu *vcpu)
{
	save_vectoring(vcpu);
	return VTX_SLOW;
}

/* Hardware task switches have no VMX support beyond the exit: not done. */
static int handle_task_switch_slow(struct vtx_vcpu *vcpu)
{
	return vtx_task_switch_failure(vcpu);
}

static int handle_hlt(struct vtx_vcpu *vcpu)
{
	vtx_skip_insn(vcpu);
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return VTX_TO_USER;
}

/*
 * INVD would drop the host's dirty lines; WBINVD is the same to the guest. MONITOR
 * and MWAIT do nothing as on KVM (KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS), offered or not.
 */
static int handle_skip(struct vtx_vcpu *vcpu)
{
	return vtx_skip_insn(vcpu);
}

static int handle_gp(struct vtx_vcpu *vcpu)
{
	vtx_queue_gp(vcpu);
	return VTX_RESUME;
}

/* VMX, ENCLS, RDRAND...: not in this guest's CPUID. */
static int handle_ud(struct vtx_vcpu *vcpu)
{
	vtx_queue_exception(vcpu, UD_VECTOR);
	return VTX_RESUME;
}

/* KVM's hypercall interface with no hypercall in it; user mode: -EPERM. */
static int handle_vmcall(struct vtx_vcpu *vcpu)
{
	long r = vtx_cpl() ? -KVM_EPERM : -KVM_ENOSYS;

	vcpu->regs[VTX_RAX] = vtx_code_bits(vcpu) == 64 ? (u64)r : (u32)r;
	return vtx_skip_insn(vcpu);
}

static int handle_xsetbv(struct vtx_vcpu *vcpu)
{
	u64 xcr0 = (u32)vcpu->regs[VTX_RAX] | vcpu->regs[VTX_RDX] << 32;

	if (vtx_cpl() || (u32)vcpu->regs[VTX_RCX] ||
	    !vtx_xcr0_valid(xcr0, vtx_cpuid_xcr0(vcpu))) {
		vtx_queue_gp(vcpu);
		return VTX_RESUME;
	}
	vcpu->xcr0 = xcr0;
	vtx_skip_insn(vcpu);
	return VTX_AROUND;
}

/* SDM vol. 3 table "Exit Qualification for EPT Violations". */
#define EPT_WRITE	BIT(1)
#define EPT_FETCH	BIT(2)
#define EPT_GVA		BIT(7)	/* there is a linear address */
#define EPT_GVA_DONE	BIT(8)	/* the access to what it translates to */

static int ept_violation_slowly(struct vtx_vcpu *vcpu)
{
	vcpu->exit.gla = vmcs_readl(GUEST_LINEAR_ADDRESS);
	return VTX_SLOW;
}

/*
 * Where the last access was a device's, the next one is likely to be, too: then
 * there is nothing to look up here. The slow handler looks if anything has changed.
 */
static int handle_ept_violation(struct vtx_vcpu *vcpu)
{
	vcpu->exit.gpa = vmcs_read64(GUEST_PHYSICAL_ADDRESS);
	vcpu->exit.qual = vmcs_readl(EXIT_QUALIFICATION);
	save_vectoring(vcpu);
	reblock_nmi(vcpu->exit.qual);
	if (vcpu->exit.gpa >> PAGE_SHIFT != vcpu->device.gfn)
		return VTX_ATOMIC;
	return ept_violation_slowly(vcpu);
}

static int handle_ept_violation_atomic(struct vtx_vcpu *vcpu)
{
	int r = vtx_fault_fast(vcpu, vcpu->exit.gpa, vcpu->exit.qual);

	if (r < 0)
		return r;
	return r == VTX_FAULT_MAPPED ? VTX_RESUME : ept_violation_slowly(vcpu);
}

/*
 * With accessed and dirty flags for EPT, the CPU's look at the guest's page
 * tables counts as a write, which ROM does not take (SDM vol. 3 "Accessed and
 * Dirty Flags for EPT"). A guest with tables in ROM runs without the flags.
 * Return: false: it does already, or there is no ROM.
 */
static bool is_walk_of_rom(struct vtx_vcpu *vcpu)
{
	u64 eptp;

	if ((vcpu->exit.qual & (EPT_WRITE | EPT_GVA | EPT_GVA_DONE)) != (EPT_WRITE | EPT_GVA))
		return false;
	vtx_vcpu_load(vcpu);
	eptp = vmcs_read64(EPT_POINTER);
	vtx_vcpu_put(vcpu);
	if (!(eptp & VTX_EPTP_AD) || !vtx_dirty_stop_ad(vcpu->vm, vcpu->exit.gpa))
		return false;
	vtx_vcpu_load(vcpu);
	vmcs_write64(EPT_POINTER, vcpu->vm->ept.eptp);
	vtx_vcpu_put(vcpu);
	return true;
}

/**
 * vtx_exit_init() - no device has been accessed yet
 * @vcpu: a new vCPU
 */
void vtx_exit_init(struct vtx_vcpu *vcpu)
{
	vcpu->device.gfn = VTX_NO_GFN;
}

/* Loops that poll a device are common: no map without memory there is asked twice. */
static int find_memory(struct vtx_vcpu *vcpu)
{
	gfn_t gfn = vcpu->exit.gpa >> PAGE_SHIFT;
	unsigned long gen = READ_ONCE(vcpu->vm->map_gen);
	int r;

	if (gfn == vcpu->device.gfn && gen == vcpu->device.map_gen)
		return VTX_FAULT_MMIO;
	r = vtx_fault_slow(vcpu, vcpu->exit.gpa, vcpu->exit.qual);
	vcpu->device.gfn = r == VTX_FAULT_MMIO || r == VTX_FAULT_ROM ? gfn : VTX_NO_GFN;
	vcpu->device.map_gen = r == VTX_FAULT_MMIO ? gen : 0;
	return r;
}

static int handle_ept_violation_slow(struct vtx_vcpu *vcpu)
{
	int r = find_memory(vcpu);

	if (r < 0)
		return r;
	if (r == VTX_FAULT_MAPPED || (r == VTX_FAULT_ROM && is_walk_of_rom(vcpu)))
		return VTX_RESUME;
	/* No device answers while the CPU delivers an event. */
	if (vcpu->event.info)
		return vtx_delivery_error(vcpu);
	if (vcpu->exit.qual & EPT_FETCH)
		return vtx_emulation_failure(vcpu, NULL, 0);
	return vtx_mmio_exit(vcpu);
}

static int handle_unknown(struct vtx_vcpu *vcpu)
{
	return vtx_internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
}

/**
 * struct exit_row - one exit reason
 * @fast:	see above
 * @atomic:	see above
 * @slow:	see above
 */
struct exit_row {
	int (*fast)(struct vtx_vcpu *vcpu);
	int (*atomic)(struct vtx_vcpu *vcpu);
	int (*slow)(struct vtx_vcpu *vcpu);
};

#define NEVER	{ .fast = handle_unknown }	/* its control is off */
#define UD	{ .fast = handle_ud }

/* Every reason of SDM vol. 3 table "Basic Exit Reasons", used or not. */
static const struct exit_row rows[] = {
	[EXIT_REASON_EXCEPTION_NMI] = { .fast = handle_exception, .slow = handle_split_lock_slow },
	[EXIT_REASON_EXTERNAL_INTERRUPT] = { .fast = handle_nothing },
	[EXIT_REASON_TRIPLE_FAULT] = { .fast = vtx_exit_shutdown },
	[EXIT_REASON_INIT_SIGNAL] = { .fast = handle_nothing },
	[EXIT_REASON_SIPI_SIGNAL] = NEVER,
	[5] = NEVER,	/* I/O SMI: dual-monitor treatment */
	[6] = NEVER,	/* other SMI: likewise */
	[EXIT_REASON_INTERRUPT_WINDOW] = { .fast = handle_interrupt_window },
	[EXIT_REASON_NMI_WINDOW] = { .fast = handle_nothing },
	[EXIT_REASON_TASK_SWITCH] = { .fast = handle_task_switch, .slow = handle_task_switch_slow },
	[EXIT_REASON_CPUID] = { .fast = vtx_exit_cpuid },
	[11] = UD,	/* GETSEC: CR4.SMXE is never set */
	[EXIT_REASON_HLT] = { .fast = handle_hlt },
	[EXIT_REASON_INVD] = { .fast = handle_skip },
	[EXIT_REASON_INVLPG] = NEVER,
	[EXIT_REASON_RDPMC] = { .fast = handle_gp },
	[EXIT_REASON_RDTSC] = NEVER,
	[17] = UD,	/* RSM outside SMM */
	[EXIT_REASON_VMCALL] = { .fast = handle_vmcall },
	[EXIT_REASON_VMCLEAR] = UD,
	[EXIT_REASON_VMLAUNCH] = UD,
	[EXIT_REASON_VMPTRLD] = UD,
	[EXIT_REASON_VMPTRST] = UD,
	[EXIT_REASON_VMREAD] = UD,
	[EXIT_REASON_VMRESUME] = UD,
	[EXIT_REASON_VMWRITE] = UD,
	[EXIT_REASON_VMOFF] = UD,
	[EXIT_REASON_VMON] = UD,
	/* Slow: nothing but the PDPTEs, which every entry from there loads. */
	[EXIT_REASON_CR_ACCESS] = { .fast = vtx_exit_cr, .slow = handle_nothing_slow },
	[EXIT_REASON_DR_ACCESS] = { .fast = vtx_exit_dr },
	[EXIT_REASON_IO_INSTRUCTION] = { .fast = vtx_pio_exit, .atomic = vtx_pio_exit_atomic,
					 .slow = vtx_pio_exit_string },
	[EXIT_REASON_MSR_READ] = { .fast = vtx_exit_rdmsr },
	[EXIT_REASON_MSR_WRITE] = { .fast = vtx_exit_wrmsr },
	[EXIT_REASON_INVALID_STATE] = NEVER,	/* has bit 31 set */
	[EXIT_REASON_MSR_LOAD_FAIL] = NEVER,	/* likewise */
	[35] = NEVER,	/* reserved */
	[EXIT_REASON_MWAIT_INSTRUCTION] = { .fast = handle_skip },
	[EXIT_REASON_MONITOR_TRAP_FLAG] = { .fast = vtx_debug_step },
	[38] = NEVER,	/* reserved */
	[EXIT_REASON_MONITOR_INSTRUCTION] = { .fast = handle_skip },
	[EXIT_REASON_PAUSE_INSTRUCTION] = NEVER,
	[EXIT_REASON_MCE_DURING_VMENTRY] = NEVER,	/* has bit 31 set */
	[42] = NEVER,	/* reserved */
	[EXIT_REASON_TPR_BELOW_THRESHOLD] = NEVER,
	[EXIT_REASON_APIC_ACCESS] = NEVER,
	[EXIT_REASON_EOI_INDUCED] = NEVER,
	[EXIT_REASON_GDTR_IDTR] = NEVER,
	[EXIT_REASON_LDTR_TR] = NEVER,
	[EXIT_REASON_EPT_VIOLATION] = { .fast = handle_ept_violation,
					.atomic = handle_ept_violation_atomic,
					.slow = handle_ept_violation_slow },
	[EXIT_REASON_EPT_MISCONFIG] = NEVER,	/* ept_entry.h makes none */
	[EXIT_REASON_INVEPT] = UD,
	[EXIT_REASON_RDTSCP] = NEVER,
	[EXIT_REASON_PREEMPTION_TIMER] = NEVER,
	[EXIT_REASON_INVVPID] = UD,
	[EXIT_REASON_WBINVD] = { .fast = handle_skip },
	[EXIT_REASON_XSETBV] = { .fast = handle_xsetbv },
	[EXIT_REASON_APIC_WRITE] = NEVER,
	[EXIT_REASON_RDRAND] = UD,
	[EXIT_REASON_INVPCID] = NEVER,
	[EXIT_REASON_VMFUNC] = UD,
	[EXIT_REASON_ENCLS] = UD,
	[EXIT_REASON_RDSEED] = UD,
	[EXIT_REASON_PML_FULL] = NEVER,
	[EXIT_REASON_XSAVES] = UD,
	[EXIT_REASON_XRSTORS] = UD,
	[65] = UD,	/* PCONFIG */
	[66] = NEVER,	/* SPP-related event */
	[EXIT_REASON_UMWAIT] = UD,
	[EXIT_REASON_TPAUSE] = UD,
	[69] = UD,	/* LOADIWKEY */
	[70] = UD,	/* ENCLV */
	[71] = NEVER,	/* reserved */
	[72] = NEVER,	/* ENQCMD PASID translation failure */
	[73] = NEVER,	/* ENQCMDS PASID translation failure */
	[EXIT_REASON_BUS_LOCK] = NEVER,
	[EXIT_REASON_NOTIFY] = NEVER,
	[76] = UD,	/* SEAMCALL */
	[77] = UD,	/* TDCALL */
};

/* SDM vol. 3 "VM-Entry Failures During or After Loading Guest State". */
static noinline int handle_failed_entry(struct vtx_vcpu *vcpu)
{
	if ((u16)vcpu->exit.reason == EXIT_REASON_MCE_DURING_VMENTRY)
		forward_machine_check();
	return vtx_fail_entry(vcpu, vcpu->exit.reason);
}

/* A reason that no row is for: new kinds of exits, none of which is enabled. */
static noinline int handle_strange(struct vtx_vcpu *vcpu)
{
	if (vcpu->exit.reason & VMX_EXIT_REASONS_FAILED_VMENTRY)
		return handle_failed_entry(vcpu);
	vcpu->vmcs.launched = true;
	return handle_unknown(vcpu);
}

static const struct exit_row *row_of(const struct vtx_vcpu *vcpu)
{
	return &rows[array_index_nospec(vcpu->exit.reason, ARRAY_SIZE(rows))];
}

/**
 * vtx_exit_fast() - handle the exit in vcpu->exit.reason on the spot
 * @vcpu: the vCPU
 *
 * The other two kinds are only asked for by handlers here: their row exists.
 *
 * Context: IRQs off, VMCS current since the exit.
 * Return: see the head of this file.
 */
int vtx_exit_fast(struct vtx_vcpu *vcpu)
{
	if (unlikely(vcpu->exit.reason >= ARRAY_SIZE(rows)))
		return handle_strange(vcpu);
	/* A failed entry leaves the launch state: SDM vol. 3 "VM Entries". */
	vcpu->vmcs.launched = true;
	return row_of(vcpu)->fast(vcpu);
}

/**
 * vtx_exit_atomic() - handle an exit that takes spinlocks
 * @vcpu: the vCPU
 *
 * Context: preemption off, IRQs on, VMCS current since the exit.
 * Return: see the head of this file.
 */
int vtx_exit_atomic(struct vtx_vcpu *vcpu)
{
	return row_of(vcpu)->atomic(vcpu);
}

/**
 * vtx_exit_slow() - handle an exit that may sleep
 * @vcpu: the vCPU
 *
 * Context: may sleep.
 * Return: see the head of this file.
 */
int vtx_exit_slow(struct vtx_vcpu *vcpu)
{
	int r = row_of(vcpu)->slow(vcpu);

	return unlikely(vcpu->event.shutdown) ? vtx_exit_shutdown(vcpu) : r;
}
