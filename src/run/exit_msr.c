// SPDX-License-Identifier: GPL-2.0
/*
 * exit_msr.c - RDMSR and WRMSR
 *
 * What msr.c does not have, or the VMM's filter takes away, is #GP in the
 * guest, unless the VMM wants to see it: KVM_CAP_X86_USER_SPACE_MSR.
 */
#include "run/exit_msr.h"

#include <linux/errno.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "guest/event.h"
#include "guest/msr.h"
#include "guest/msr_table.h"
#include "guest/msr_filter.h"
#include "vmx/host.h"
#include "vmx/vmcs_init.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

static u32 reason(struct vtx_vcpu *vcpu, bool filtered)
{
	if (filtered)
		return KVM_MSR_EXIT_REASON_FILTER;
	return vtx_msr_exists(vcpu->regs[VTX_RCX]) ? KVM_MSR_EXIT_REASON_INVAL :
						     KVM_MSR_EXIT_REASON_UNKNOWN;
}

/* VMCS current. */
static int refuse(struct vtx_vcpu *vcpu, bool filtered, bool write, u64 data)
{
	struct kvm_run *run = vcpu->run;
	u32 why = reason(vcpu, filtered);

	if (!(READ_ONCE(vcpu->vm->user_msrs) & why)) {
		vtx_queue_gp(vcpu);
		return VTX_RESUME;
	}
	memset(&run->msr, 0, sizeof(run->msr));
	run->exit_reason = write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	run->msr.reason = why;
	run->msr.index = vcpu->regs[VTX_RCX];
	run->msr.data = data;
	vcpu->pio.rip = vmcs_readl(GUEST_RIP);
	vcpu->pio.next_rip = vtx_next_rip(vcpu, vcpu->pio.rip,
					  vmcs_read32(VM_EXIT_INSTRUCTION_LEN));
	vcpu->pending = write ? VTX_IO_WRMSR : VTX_IO_RDMSR;
	return VTX_TO_USER;
}

static bool filtered(struct vtx_vcpu *vcpu, u32 access)
{
	return unlikely(rcu_access_pointer(vcpu->vm->msr_filter)) &&
	       !vtx_msr_allowed(vcpu->vm, vcpu->regs[VTX_RCX], access);
}

/**
 * vtx_exit_rdmsr() - RDMSR; a fast handler
 * @vcpu: the vCPU
 *
 * Return: see exit.c.
 */
int vtx_exit_rdmsr(struct vtx_vcpu *vcpu)
{
	bool taken = filtered(vcpu, KVM_MSR_FILTER_READ);

	if (taken || vtx_msr_get(vcpu, vcpu->regs[VTX_RCX], &vcpu->exit.msr, true))
		return refuse(vcpu, taken, false, 0);
	vcpu->regs[VTX_RAX] = (u32)vcpu->exit.msr;
	vcpu->regs[VTX_RDX] = vcpu->exit.msr >> 32;
	return vtx_skip_insn(vcpu);
}

/**
 * vtx_exit_wrmsr() - WRMSR; a fast handler
 * @vcpu: the vCPU
 *
 * Return: see exit.c.
 */
int vtx_exit_wrmsr(struct vtx_vcpu *vcpu)
{
	u64 data = (u32)vcpu->regs[VTX_RAX] | vcpu->regs[VTX_RDX] << 32;
	bool taken = filtered(vcpu, KVM_MSR_FILTER_WRITE);

	if (taken || vtx_msr_set(vcpu, vcpu->regs[VTX_RCX], data, true))
		return refuse(vcpu, taken, true, data);
	vtx_skip_insn(vcpu);
	if (likely(!vtx_msr_is_swapped(vcpu, vcpu->regs[VTX_RCX])))
		return VTX_RESUME;
	vtx_host_reload_msrs(vcpu);
	/* Around: the flush that a change of EFER.NXE implies is due. */
	return VTX_AROUND;
}

/**
 * vtx_msr_complete() - the VMM has done its part
 * @vcpu: the vCPU with vcpu->pending RDMSR or WRMSR
 *
 * Context: may sleep.
 * Return: VTX_RESUME.
 */
int vtx_msr_complete(struct vtx_vcpu *vcpu)
{
	bool read = vcpu->pending == VTX_IO_RDMSR;
	u64 data = READ_ONCE(vcpu->run->msr.data);

	vcpu->pending = VTX_IO_NONE;
	vtx_vcpu_load(vcpu);
	if (vmcs_readl(GUEST_RIP) != vcpu->pio.rip) {
		/* The VMM has put the vCPU elsewhere. */
	} else if (READ_ONCE(vcpu->run->msr.error)) {
		vtx_queue_gp(vcpu);
	} else {
		if (read) {
			vcpu->regs[VTX_RAX] = (u32)data;
			vcpu->regs[VTX_RDX] = data >> 32;
		}
		vtx_retire(vcpu, vcpu->pio.next_rip);
	}
	vtx_vcpu_put(vcpu);
	return VTX_RESUME;
}
