// SPDX-License-Identifier: GPL-2.0
/*
 * debug.c - a debugger outside the guest: breakpoints and single steps
 *
 * Stepping uses the monitor trap flag, which the guest can't see, or where the
 * CPU has none RFLAGS.TF, which it sees when it pushes its flags. Hardware breakpoints take the place of the guest's own in the
 * debug registers, which it goes on reading and writing in vcpu->dr and dr7.
 *
 * SDM vol. 3 "Monitor Trap Flag", "Debug Registers".
 */
#include "run/debug.h"

#include <linux/errno.h>
#include <linux/string.h>

#include <asm/processor-flags.h>

#include "guest/cr.h"
#include "guest/event.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

#define INJECT	(KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)

/*
 * A step over an instruction that vtx executed is still due when the debugger
 * goes: no longer, unless the guest steps itself.
 */
static void drop_step(void)
{
	if (!(vmcs_readl(GUEST_RFLAGS) & X86_EFLAGS_TF))
		vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS,
			    vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS) & ~VTX_DR6_BS);
}

/**
 * vtx_debug_set() - KVM_SET_GUEST_DEBUG
 * @vcpu: the vCPU; VMCS current
 * @dbg:  what the debugger wants from now on
 *
 * Return: 0; -EBUSY: an exception to be injected is in the way.
 */
int vtx_debug_set(struct vtx_vcpu *vcpu, const struct kvm_guest_debug *dbg)
{
	struct vtx_debug *d = &vcpu->debug;
	u32 bitmap = vmcs_read32(EXCEPTION_BITMAP) & ~BIT(BP_VECTOR);
	u32 *control = &vcpu->event.debug;
	bool stepped = *control & KVM_GUESTDBG_SINGLESTEP;

	if (dbg->control & INJECT) {
		if (vcpu->event.info)
			return -EBUSY;
		if (dbg->control & KVM_GUESTDBG_INJECT_DB)
			vtx_queue_exception(vcpu, DB_VECTOR);
		else
			vtx_queue_bp(vcpu, d->bp_len);
	}
	if (d->tf)
		vmcs_writel(GUEST_RFLAGS, vmcs_readl(GUEST_RFLAGS) & ~X86_EFLAGS_TF);
	d->tf = false;
	*control = dbg->control & KVM_GUESTDBG_ENABLE ? dbg->control & ~INJECT : 0;
	if (*control & KVM_GUESTDBG_USE_HW_BP) {
		memcpy(d->db, dbg->arch.debugreg, sizeof(d->db));
		d->dr7 = vtx_dr7(dbg->arch.debugreg[7]);
	}
	if (stepped && !(*control & KVM_GUESTDBG_SINGLESTEP))
		drop_step();
	vtx_dr_update(vcpu);
	if (*control & KVM_GUESTDBG_USE_SW_BP)
		bitmap |= BIT(BP_VECTOR);
	vmcs_write32(EXCEPTION_BITMAP, bitmap);
	return 0;
}

static int to_user(struct vtx_vcpu *vcpu, u8 vector, u64 dr6)
{
	struct kvm_run *run = vcpu->run;
	u64 pc = vmcs_readl(GUEST_RIP);

	if (vtx_code_bits(vcpu) != 64)
		pc = (u32)(pc + vmcs_readl(GUEST_CS_BASE));
	memset(&run->debug, 0, sizeof(run->debug));
	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch.exception = vector;
	run->debug.arch.pc = pc;
	run->debug.arch.dr6 = dr6 | VTX_DR6_FIXED;
	run->debug.arch.dr7 = vcpu->debug.dr7;
	return VTX_TO_USER;
}

/**
 * vtx_debug_exception() - is this #DB or #BP the debugger's?
 * @vcpu:   the vCPU; VMCS current since the exit
 * @vector: of the exception
 *
 * A debugger that steps or has breakpoints gets every #DB, and gives back with
 * KVM_GUESTDBG_INJECT_DB what turns out to be the guest's own.
 *
 * Return: VTX_TO_USER; VTX_RESUME: it is the guest's.
 */
int vtx_debug_exception(struct vtx_vcpu *vcpu, u8 vector)
{
	const u32 db = KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP;

	if (vector == BP_VECTOR) {
		vcpu->debug.bp_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
		return to_user(vcpu, BP_VECTOR, 0);
	}
	if (likely(!(vcpu->event.debug & db)))
		return VTX_RESUME;
	return to_user(vcpu, DB_VECTOR,
		       vmcs_readl(EXIT_QUALIFICATION) & VTX_DR6_CONDITIONS);
}

/**
 * vtx_debug_detect() - MOV DR with general detect (DR7.GD) in force
 * @vcpu: the vCPU; VMCS current since the exit
 *
 * Return: VTX_TO_USER; VTX_AROUND: it is the guest's.
 */
int vtx_debug_detect(struct vtx_vcpu *vcpu)
{
	if (vcpu->event.debug & KVM_GUESTDBG_USE_HW_BP)
		return to_user(vcpu, DB_VECTOR, VTX_DR6_BD);
	vtx_queue_db(vcpu, VTX_DR6_BD);
	return VTX_AROUND;
}

/**
 * vtx_debug_step() - exit by the monitor trap flag: one instruction is done
 * @vcpu: the vCPU; VMCS current since the exit
 *
 * SDM vol. 3 "Monitor Trap Flag": the exit comes before the debug traps of the same
 * instruction, which stay pending. They are the debugger's all the same: reported with
 * the step, they are not to follow it.
 *
 * Return: VTX_TO_USER.
 */
int vtx_debug_step(struct vtx_vcpu *vcpu)
{
	u64 pending = vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS);

	if (pending)
		vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	return to_user(vcpu, DB_VECTOR, (pending & VTX_DR6_CONDITIONS) | VTX_DR6_BS);
}

/**
 * vtx_get_debugregs() - KVM_GET_DEBUGREGS
 * @vcpu: the vCPU
 * @regs: result: the guest's view
 */
void vtx_get_debugregs(struct vtx_vcpu *vcpu, struct kvm_debugregs *regs)
{
	memset(regs, 0, sizeof(*regs));
	memcpy(regs->db, vcpu->dr, sizeof(regs->db));
	regs->dr6 = vcpu->dr6;
	regs->dr7 = vcpu->dr7;
}

/**
 * vtx_set_debugregs() - KVM_SET_DEBUGREGS
 * @vcpu: the vCPU; VMCS current
 * @regs: the values
 *
 * Return: 0; -EINVAL: a flag, or bits 63:32 of DR6 or DR7.
 */
int vtx_set_debugregs(struct vtx_vcpu *vcpu, const struct kvm_debugregs *regs)
{
	if (regs->flags || regs->dr6 >> 32 || regs->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->dr, regs->db, sizeof(vcpu->dr));
	/* As given, reserved bits included: that is what KVM_GET_DEBUGREGS gives back. */
	vcpu->dr6 = regs->dr6;
	vcpu->dr7 = regs->dr7;
	vtx_dr_update(vcpu);
	return 0;
}
