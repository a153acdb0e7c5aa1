// SPDX-License-Identifier: GPL-2.0
/*
 * event.c - exceptions, interrupts and NMIs into the guest
 *
 * Owns vcpu->event, the VM-entry interruption fields and the window-exiting
 * controls. One event is injected per VM entry; what a VM exit interrupted
 * comes before anything new.
 *
 * SDM vol. 3 "Event Injection", "Information for VM Exits That Occur During
 * Event Delivery", "Interrupt 8 - Double Fault Exception (#DF)".
 */
#include "guest/event.h"

#include <asm/processor-flags.h>

#include "guest/cr.h"
#include "vmx/caps.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/* SDM vol. 3 table "Interrupt and Exception Classes". */
static bool contributory(u8 vector)
{
	const u32 mask = BIT(DE_VECTOR) | BIT(TS_VECTOR) | BIT(NP_VECTOR) |
			 BIT(SS_VECTOR) | BIT(GP_VECTOR);

	return vector < 32 && (mask & BIT(vector));
}

static bool has_exception(const struct vtx_event *e)
{
	return (e->info & VECTORING_INFO_VALID_MASK) &&
	       (e->info & VECTORING_INFO_TYPE_MASK) == INTR_TYPE_HARD_EXCEPTION;
}

static void queue(struct vtx_vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	struct vtx_event *e = &vcpu->event;
	u8 prev = e->info & VECTORING_INFO_VECTOR_MASK;

	if (has_exception(e)) {
		if (prev == DF_VECTOR) {
			e->shutdown = true;
			return;
		}
		/* SDM vol. 3 table "Conditions for Generating a Double Fault". */
		if ((contributory(prev) && contributory(vector)) ||
		    (prev == PF_VECTOR &&
		     (contributory(vector) || vector == PF_VECTOR))) {
			vector = DF_VECTOR;
			has_error = true;
			error = 0;
		}
	}
	e->info = vector | INTR_TYPE_HARD_EXCEPTION | INTR_INFO_VALID_MASK;
	e->error = error;
	e->cut_off = false;
	/* SDM vol. 3 "Masking Instruction Breakpoints": faults are pushed with RF. */
	if (vector != DB_VECTOR && vector != DF_VECTOR)
		vmcs_writel(GUEST_RFLAGS, vmcs_readl(GUEST_RFLAGS) | X86_EFLAGS_RF);
	/*
	 * SDM vol. 3 "Checks on VM-Entry Control Fields": with unrestricted
	 * guest no error code is delivered in real-address mode.
	 */
	if (has_error && (vmcs_readl(GUEST_CR0) & X86_CR0_PE))
		e->info |= INTR_INFO_DELIVER_CODE_MASK;
}

/**
 * vtx_queue_exception() - the guest gets an exception without error code
 * @vcpu:   the vCPU; VMCS current
 * @vector: exception vector
 *
 * RIP stays at the instruction that faulted. An exception while another one is
 * being delivered becomes #DF or a triple fault as in the CPU.
 */
void vtx_queue_exception(struct vtx_vcpu *vcpu, u8 vector)
{
	queue(vcpu, vector, false, 0);
}

/**
 * vtx_queue_exception_error() - the same with an error code
 * @vcpu:   the vCPU; VMCS current
 * @vector: exception vector
 * @error:  error code
 */
void vtx_queue_exception_error(struct vtx_vcpu *vcpu, u8 vector, u32 error)
{
	queue(vcpu, vector, true, error);
}

/**
 * vtx_queue_gp() - #GP(0)
 * @vcpu: the vCPU; VMCS current
 */
void vtx_queue_gp(struct vtx_vcpu *vcpu)
{
	queue(vcpu, GP_VECTOR, true, 0);
}

/**
 * vtx_queue_pf() - #PF
 * @vcpu:  the vCPU; VMCS current
 * @cr2:   faulting linear address
 * @error: error code
 */
void vtx_queue_pf(struct vtx_vcpu *vcpu, u64 cr2, u32 error)
{
	vcpu->cr2 = cr2;
	queue(vcpu, PF_VECTOR, true, error);
}

/**
 * vtx_queue_db() - #DB
 * @vcpu: the vCPU; VMCS current
 * @dr6:  condition bits, as in the exit qualification
 *
 * SDM vol. 3 "Debug Exceptions": B0-B3 and BS report this one, DR7.GD clears.
 */
void vtx_queue_db(struct vtx_vcpu *vcpu, u64 dr6)
{
	vcpu->dr6 = vtx_dr6((vcpu->dr6 & ~0xfULL) | dr6);
	if (vcpu->dr7 & VTX_DR7_GD) {
		vcpu->dr7 &= ~VTX_DR7_GD;
		vtx_dr_update(vcpu);
	}
	queue(vcpu, DB_VECTOR, false, 0);
}

/**
 * vtx_queue_bp() - #BP on behalf of INT3
 * @vcpu: the vCPU; VMCS current
 * @len:  length of the instruction that the handler returns behind
 */
void vtx_queue_bp(struct vtx_vcpu *vcpu, u32 len)
{
	vcpu->event.info = BP_VECTOR | INTR_TYPE_SOFT_EXCEPTION | INTR_INFO_VALID_MASK;
	vcpu->event.insn_len = len ? len : 1;
	vcpu->event.cut_off = false;
}

/**
 * vtx_event_restore() - an exception as vtx_get_events() reported it
 * @vcpu:      the vCPU; VMCS current
 * @vector:    exception vector
 * @has_error: with error code
 * @error:     it
 *
 * Or as a debugger gives back an INT3 that turned out to be the guest's: #BP and
 * #OF come from instructions, behind which their handlers return.
 */
void vtx_event_restore(struct vtx_vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	struct vtx_event *e = &vcpu->event;

	if (vector == BP_VECTOR || vector == OF_VECTOR) {
		e->info = vector | INTR_TYPE_SOFT_EXCEPTION | INTR_INFO_VALID_MASK;
		e->insn_len = 1;
		if (vector == BP_VECTOR && vcpu->debug.bp_len)
			e->insn_len = vcpu->debug.bp_len;
	} else {
		e->info = vector | INTR_TYPE_HARD_EXCEPTION | INTR_INFO_VALID_MASK;
		e->error = error;
		if (has_error && (vmcs_readl(GUEST_CR0) & X86_CR0_PE))
			e->info |= INTR_INFO_DELIVER_CODE_MASK;
	}
	e->cut_off = true;
}

/**
 * vtx_event_nmi() - KVM_NMI
 * @vcpu: the vCPU; VMCS current
 *
 * SDM vol. 3 "Handling Multiple NMIs": one is served, one is latched behind it.
 */
void vtx_event_nmi(struct vtx_vcpu *vcpu)
{
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);

	if (vcpu->event.nmi < vtx_event_nmi_limit(blocked))
		vcpu->event.nmi++;
}

/**
 * vtx_dr_update() - the guest's debug registers or their use have changed
 * @vcpu: the vCPU; VMCS current
 *
 * What the CPU gets is the guest's, unless a debugger has taken them.
 */
void vtx_dr_update(struct vtx_vcpu *vcpu)
{
	struct vtx_debug *d = &vcpu->debug;

	if (!(vcpu->event.debug & KVM_GUESTDBG_USE_HW_BP)) {
		memcpy(d->db, vcpu->dr, sizeof(d->db));
		d->dr7 = vtx_dr7(vcpu->dr7);
	}
	vmcs_writel(GUEST_DR7, d->dr7);
}

/**
 * vtx_event_pend_step() - a single-step #DB is due before the next instruction
 *
 * Context: VMCS current.
 */
void vtx_event_pend_step(void)
{
	vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS,
		    vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS) | VTX_DR6_BS);
}

/**
 * vtx_wrapped_rip() - RIP after it has crossed a multiple of 4 GBytes
 * @vcpu: the vCPU; VMCS current
 * @rip:  the sum
 *
 * Return: what the mode makes of it, see vtx_next_rip().
 */
u64 vtx_wrapped_rip(const struct vtx_vcpu *vcpu, u64 rip)
{
	return vtx_code_bits(vcpu) == 64 ? rip : (u32)rip;
}

/* The rare part of retire(): @wrapped: RIP has crossed a multiple of 4 GBytes. */
static noinline void retire_rare(struct vtx_vcpu *vcpu, u32 blocked,
				 unsigned long rflags, bool wrapped)
{
	if (wrapped)
		vmcs_writel(GUEST_RIP, vtx_wrapped_rip(vcpu, vmcs_readl(GUEST_RIP)));
	if (blocked & VTX_BLOCKED_STI_MOVSS)
		vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, blocked & ~VTX_BLOCKED_STI_MOVSS);
	if (rflags & X86_EFLAGS_RF)
		vmcs_writel(GUEST_RFLAGS, rflags & ~X86_EFLAGS_RF);
	/* The monitor trap flag does not count instructions that we execute. */
	if ((rflags & X86_EFLAGS_TF) || (vcpu->event.debug & KVM_GUESTDBG_SINGLESTEP))
		vtx_event_pend_step();
}

static __always_inline void retire(struct vtx_vcpu *vcpu, u64 rip, bool wrapped)
{
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	unsigned long rflags = vmcs_readl(GUEST_RFLAGS);

	vmcs_writel(GUEST_RIP, rip);
	if (unlikely((blocked & VTX_BLOCKED_STI_MOVSS) | vcpu->event.debug | wrapped |
		     (rflags & (X86_EFLAGS_RF | X86_EFLAGS_TF))))
		retire_rare(vcpu, blocked, rflags, wrapped);
}

/**
 * vtx_retire() - an instruction that vtx executed for the guest is done
 * @vcpu: the vCPU; VMCS current
 * @rip:  the next instruction
 *
 * What the end of an instruction means besides RIP: the STI and MOV SS shadows
 * are over, RF clears, and with RFLAGS.TF a single-step #DB is pending (SDM vol. 3 "Debug
 * Exceptions", "Pending Debug Exceptions" for guest non-register state).
 */
void vtx_retire(struct vtx_vcpu *vcpu, u64 rip)
{
	retire(vcpu, rip, false);
}

/**
 * vtx_retire_round() - one round of a REP instruction that vtx executes is done, more are left
 * @vcpu: the vCPU; VMCS current
 *
 * SDM vol. 2 "REP/REPE/REPZ/REPNE/REPNZ": interrupts and exceptions are handled
 * before the next one, so an STI or MOV SS shadow is over and a step is due. SDM vol.
 * 3 "Instruction-Breakpoint Exception Condition": RF is set at the pushes meanwhile,
 * lest the instruction's own breakpoint hits each round.
 */
void vtx_retire_round(struct vtx_vcpu *vcpu)
{
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	unsigned long rflags = vmcs_readl(GUEST_RFLAGS);

	if (blocked & VTX_BLOCKED_STI_MOVSS)
		vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, blocked & ~VTX_BLOCKED_STI_MOVSS);
	if (!(rflags & X86_EFLAGS_RF))
		vmcs_writel(GUEST_RFLAGS, rflags | X86_EFLAGS_RF);
	if ((rflags & X86_EFLAGS_TF) || (vcpu->event.debug & KVM_GUESTDBG_SINGLESTEP))
		vtx_event_pend_step();
}

/**
 * vtx_skip_insn() - retire the instruction that caused this VM exit
 * @vcpu: the vCPU; VMCS current since the exit
 *
 * Return: VTX_RESUME.
 */
int vtx_skip_insn(struct vtx_vcpu *vcpu)
{
	u64 rip = vmcs_readl(GUEST_RIP);
	u64 next = rip + vmcs_read32(VM_EXIT_INSTRUCTION_LEN);

	retire(vcpu, next, (next ^ rip) >> 32);
	return VTX_RESUME;
}

/**
 * vtx_event_save_vectoring() - the exit interrupted the delivery of an event
 * @vcpu:     the vCPU; VMCS current
 * @idt_info: IDT-vectoring information field, valid
 *
 * It is injected again at the next entry unless the handler queues an
 * exception on top.
 */
void vtx_event_save_vectoring(struct vtx_vcpu *vcpu, u32 idt_info)
{
	struct vtx_event *e = &vcpu->event;
	u32 type = idt_info & VECTORING_INFO_TYPE_MASK;

	/* Bit 12 is undefined here and reserved there. */
	e->info = idt_info & ~INTR_INFO_UNBLOCK_NMI;
	e->cut_off = true;
	if (idt_info & VECTORING_INFO_DELIVER_CODE_MASK)
		e->error = vmcs_read32(IDT_VECTORING_ERROR_CODE);
	/* Injecting it again, VM entry allows none in real-address mode. */
	if (!(vmcs_readl(GUEST_CR0) & X86_CR0_PE))
		e->info &= ~INTR_INFO_DELIVER_CODE_MASK;
	if (type == INTR_TYPE_SOFT_INTR || type == INTR_TYPE_SOFT_EXCEPTION ||
	    type == INTR_TYPE_PRIV_SW_EXCEPTION)
		e->insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	/* SDM vol. 3: an injected NMI needs blocking by NMI clear. */
	if (type == INTR_TYPE_NMI_INTR)
		vmcs_write32(GUEST_INTERRUPTIBILITY_INFO,
			     vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) &
			     ~GUEST_INTR_STATE_NMI);
}

/**
 * vtx_event_unwind() - the VMM gets to see the vCPU: nothing half-delivered
 * @e: the vCPU's events, one of which is to be injected
 *
 * An interrupt or NMI whose delivery was cut off goes back to waiting, where
 * the VMM's changes of state can't lose it and RFLAGS.IF counts again.
 */
void vtx_event_unwind(struct vtx_event *e)
{
	u32 type = e->info & INTR_INFO_INTR_TYPE_MASK;

	if (type == INTR_TYPE_EXT_INTR && !e->irq)
		e->irq = VTX_IRQ_WAITS | (e->info & INTR_INFO_VECTOR_MASK);
	else if (type == INTR_TYPE_NMI_INTR)
		e->nmi++;
	else
		return;
	e->info = 0;
}

/* Turn what waits into an event if the guest can take it now. */
static void take_waiting(struct vtx_event *e)
{
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);

	/*
	 * SDM vol. 3 "Delivery of Pending Debug Exceptions after VM Entry": an
	 * event that is injected would make the CPU forget them. They come first.
	 */
	if (vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS) & (VTX_DR6_BS | BIT(12)))
		return;
	if (e->nmi && !(blocked & (VTX_BLOCKED_STI_MOVSS | GUEST_INTR_STATE_NMI))) {
		e->nmi--;
		e->info = X86_TRAP_NMI | INTR_TYPE_NMI_INTR | INTR_INFO_VALID_MASK;
	} else if (e->irq && !(blocked & VTX_BLOCKED_STI_MOVSS) &&
		   (vmcs_readl(GUEST_RFLAGS) & X86_EFLAGS_IF)) {
		e->info = (u8)e->irq | INTR_TYPE_EXT_INTR | INTR_INFO_VALID_MASK;
		e->irq = 0;
	}
}

/*
 * SDM vol. 3 "Checks on Guest Non-Register State": with RFLAGS.TF set in a shadow
 * of STI or MOV SS a step must be pending, even where it is what gets injected.
 */
static noinline void before_db(void)
{
	if ((vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & VTX_BLOCKED_STI_MOVSS) &&
	    (vmcs_readl(GUEST_RFLAGS) & X86_EFLAGS_TF))
		vtx_event_pend_step();
}

/*
 * The valid bit is cleared by the CPU at VM exit. SDM vol. 3 "Checks on VM-Entry
 * Control Fields": an error code has 16 bits, a VMM's field 32.
 */
static void inject(struct vtx_event *e)
{
	if (unlikely((u8)e->info == DB_VECTOR))
		before_db();
	if (e->info & INTR_INFO_DELIVER_CODE_MASK)
		vmcs_write32(VM_ENTRY_EXCEPTION_ERROR_CODE, (u16)e->error);
	vmcs_write32(VM_ENTRY_INSTRUCTION_LEN, e->insn_len);
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, e->info);
	e->info = 0;
}

/*
 * A CPU without the monitor trap flag steps by RFLAGS.TF, for which VM entry
 * in a shadow of STI or MOV SS would want a #DB to be pending already.
 */
static void step_by_tf(struct vtx_vcpu *vcpu)
{
	unsigned long rflags = vmcs_readl(GUEST_RFLAGS);
	u32 blocked = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);

	if (blocked & VTX_BLOCKED_STI_MOVSS)
		vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, blocked & ~VTX_BLOCKED_STI_MOVSS);
	if (rflags & X86_EFLAGS_TF)
		return;
	vmcs_writel(GUEST_RFLAGS, rflags | X86_EFLAGS_TF);
	vcpu->debug.tf = true;
}

/* Exit as soon as what still waits can be delivered, at each step of a debugger. */
static void update_windows(struct vtx_vcpu *vcpu)
{
	struct vtx_event *e = &vcpu->event;
	u32 want = 0;

	/*
	 * SDM vol. 3 "NMI-Window Exiting" does not promise to wait for the end
	 * of blocking by STI, in which no NMI can be injected.
	 */
	if (e->nmi)
		want |= vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_STI ?
			CPU_BASED_INTR_WINDOW_EXITING : CPU_BASED_NMI_WINDOW_EXITING;
	if (e->irq || e->user_window)
		want |= CPU_BASED_INTR_WINDOW_EXITING;
	if (vcpu->event.debug & KVM_GUESTDBG_BLOCKIRQ)
		want = 0;
	if (vcpu->event.debug & KVM_GUESTDBG_SINGLESTEP) {
		if (vtx_caps.mtf)
			want |= CPU_BASED_MONITOR_TRAP_FLAG;
		else
			step_by_tf(vcpu);
	}
	if (want == e->window)
		return;
	e->window = want;
	vmcs_write32(CPU_BASED_VM_EXEC_CONTROL, vtx_caps.cpu | want);
}

/**
 * vtx_event_prepare() - write the VM-entry interruption fields and the windows
 * @vcpu: the vCPU; VMCS current
 *
 * Context: IRQs off, nothing between here and VM entry can fail.
 */
void vtx_event_prepare(struct vtx_vcpu *vcpu)
{
	struct vtx_event *e = &vcpu->event;

	if (!e->info && !(vcpu->event.debug & KVM_GUESTDBG_BLOCKIRQ))
		take_waiting(e);
	if (e->info)
		inject(e);
	update_windows(vcpu);
}
