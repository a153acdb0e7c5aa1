// SPDX-License-Identifier: GPL-2.0
/*
 * internal_error.c - exits that tell the VMM what went wrong, and how
 *
 * Nothing is printed: a guest or a VMM can cause these at will. The state that
 * explains a failed VM entry goes to the tracepoint vtx_entry_failed.
 */
#include "guest/internal_error.h"

#include <linux/kernel.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "guest/cr.h"
#include "guest/event.h"
#include "vmx/vmcs_init.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/**
 * vtx_emulation_failure() - the guest did what vtx can't do for it
 * @vcpu:  the vCPU
 * @bytes: the instruction, may be NULL
 * @n:     how many bytes are known
 *
 * The guest gets #UD. Before its kernel does, the VMM gets KVM_EXIT_INTERNAL_ERROR
 * with the bytes and may mend it: KVM_SET_REGS takes the exception back. A user
 * program of the guest must not be able to stop its VM.
 *
 * Context: may sleep.
 * Return: VTX_RESUME or VTX_TO_USER.
 */
int vtx_emulation_failure(struct vtx_vcpu *vcpu, const u8 *bytes, unsigned int n)
{
	struct kvm_run *run = vcpu->run;
	unsigned int cpl, words = 1;
	u64 info[5] = { vcpu->exit.reason };

	vtx_vcpu_load(vcpu);
	cpl = vtx_cpl();
	vtx_queue_exception(vcpu, UD_VECTOR);
	info[1] = vmcs_readl(EXIT_QUALIFICATION);
	info[2] = vmcs_read32(IDT_VECTORING_INFO_FIELD);
	info[3] = vmcs_read32(VM_EXIT_INTR_INFO);
	vtx_vcpu_put(vcpu);
	if (cpl)
		return VTX_RESUME;

	memset(&run->emulation_failure, 0, sizeof(run->emulation_failure));
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	/* Words: the flags; size and bytes if there are any; as KVM's, about the exit. */
	if (n) {
		words = 3;
		run->emulation_failure.flags =
			KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
		run->emulation_failure.insn_size = n;
		memset(run->emulation_failure.insn_bytes, 0x90,
		       sizeof(run->emulation_failure.insn_bytes));
		memcpy(run->emulation_failure.insn_bytes, bytes, n);
	}
	memcpy(&run->internal.data[words], info, sizeof(info));
	run->internal.ndata = words + ARRAY_SIZE(info);
	return VTX_TO_USER;
}

/**
 * vtx_task_switch_failure() - the guest wants a hardware task switch
 * @vcpu: the vCPU
 *
 * A user program gets #UD. Nothing is queued for the guest's kernel: a VMM could do
 * the switch in vtx's place.
 *
 * Context: may sleep.
 * Return: VTX_RESUME or VTX_TO_USER.
 */
int vtx_task_switch_failure(struct vtx_vcpu *vcpu)
{
	unsigned int cpl;

	vtx_vcpu_load(vcpu);
	cpl = vtx_cpl();
	if (cpl)
		vtx_queue_exception(vcpu, UD_VECTOR);
	vtx_vcpu_put(vcpu);
	if (cpl)
		return VTX_RESUME;
	vcpu->run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	vcpu->run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	vcpu->run->internal.ndata = 0;
	return VTX_TO_USER;
}

/**
 * vtx_internal_error() - KVM_EXIT_INTERNAL_ERROR with the exit that caused it
 * @vcpu:     the vCPU
 * @suberror: KVM_INTERNAL_ERROR_*
 *
 * Return: VTX_TO_USER.
 */
int vtx_internal_error(struct vtx_vcpu *vcpu, u32 suberror)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	run->internal.ndata = 2;
	run->internal.data[0] = vcpu->exit.reason;
	run->internal.data[1] = raw_smp_processor_id();
	return VTX_TO_USER;
}

/**
 * vtx_delivery_error() - no memory for what the CPU pushes or reads for an event
 * @vcpu: the vCPU; slow exit
 *
 * Return: VTX_TO_USER.
 */
int vtx_delivery_error(struct vtx_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	run->internal.ndata = 5;
	run->internal.data[0] = vcpu->event.info;
	run->internal.data[1] = vcpu->exit.reason;
	run->internal.data[2] = vcpu->exit.qual;
	run->internal.data[3] = vcpu->exit.gpa;
	run->internal.data[4] = raw_smp_processor_id();
	return VTX_TO_USER;
}

/**
 * vtx_fail_entry() - KVM_EXIT_FAIL_ENTRY
 * @vcpu:   the vCPU
 * @reason: exit reason with bit 31, or VM-instruction error
 *
 * The CPU has not consumed what was to be injected; state that the VMM puts in
 * order must not find it there.
 *
 * Context: VMCS current.
 * Return: VTX_TO_USER.
 */
int vtx_fail_entry(struct vtx_vcpu *vcpu, u64 reason)
{
	struct kvm_run *run = vcpu->run;

	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = reason;
	run->fail_entry.cpu = raw_smp_processor_id();
	return VTX_TO_USER;
}
