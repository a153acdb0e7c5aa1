// SPDX-License-Identifier: GPL-2.0
/*
 * tsc.c - the guest's time-stamp counter
 *
 * An offset to the host's, which the CPU adds (SDM vol. 3 "Time-Stamp Counter
 * Offsetting"); the vCPUs of a VM share one as long as nobody sets theirs apart.
 * Owns what becomes of it over suspends and between CPUs whose TSCs differ.
 */
#include "vmx/tsc.h"

#include <linux/math.h>

#include <asm/tsc.h>

#include "vmx/root.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/**
 * vtx_tsc_vm_init() - the TSC starts at 0 with the VM
 * @vm: the VM
 */
void vtx_tsc_vm_init(struct vtx_vm *vm)
{
	vm->tsc.offset = -vtx_root_tsc();
}

/**
 * vtx_tsc_vcpu_init() - a new vCPU's TSC goes with the VM's
 * @vcpu: the vCPU
 */
void vtx_tsc_vcpu_init(struct vtx_vcpu *vcpu)
{
	vcpu->tsc.offset = READ_ONCE(vcpu->vm->tsc.offset);
}

/**
 * vtx_tsc_load() - tell the CPU
 * @vcpu: the vCPU; VMCS current
 */
void vtx_tsc_load(const struct vtx_vcpu *vcpu)
{
	vmcs_write64(TSC_OFFSET, vcpu->tsc.offset + vtx_root_tsc_lost());
}

/**
 * vtx_tsc_carry() - the vCPU has come to this CPU
 * @vcpu: the vCPU; VMCS current
 *
 * CPUs' TSCs may differ; the guest's never goes back. Where Linux has found that
 * they do, it goes on from where it was when the VMCS was last active.
 */
void vtx_tsc_carry(struct vtx_vcpu *vcpu)
{
	u64 behind = vcpu->vmcs.left_at - vtx_root_tsc();

	if (vcpu->vmcs.left_at && ((s64)behind > 0 || check_tsc_unstable()))
		vcpu->tsc.offset += behind;
}

/**
 * vtx_tsc_read() - the guest's TSC, now
 * @vcpu: the vCPU; VMCS current
 *
 * Return: ticks.
 */
u64 vtx_tsc_read(const struct vtx_vcpu *vcpu)
{
	return vtx_root_tsc() + vcpu->tsc.offset;
}

static void set_offset(struct vtx_vcpu *vcpu, u64 offset)
{
	vcpu->tsc.offset = offset;
	vtx_tsc_load(vcpu);
}

/*
 * A VMM that writes the vCPUs' TSCs one after the other means one and the same
 * time: within a second of the VM's, and 0 (reset), it gets the VM's.
 */
static u64 vm_offset(struct vtx_vm *vm, u64 data, u64 offset)
{
	u64 shared = READ_ONCE(vm->tsc.offset);

	if (!data || abs((s64)(offset - shared)) < tsc_khz * 1000LL)
		return shared;
	WRITE_ONCE(vm->tsc.offset, offset);
	return offset;
}

/**
 * vtx_tsc_set() - IA32_TIME_STAMP_COUNTER is written
 * @vcpu:       the vCPU; VMCS current
 * @data:       ticks
 * @from_guest: WRMSR, else the VMM sets state
 *
 * SDM vol. 3 "Time-Stamp Counter Adjustment": a guest's write to one shows in
 * the other. The VMM's writes do not: it restores both.
 */
void vtx_tsc_set(struct vtx_vcpu *vcpu, u64 data, bool from_guest)
{
	u64 offset = data - vtx_root_tsc();

	if (from_guest)
		vcpu->tsc.adjust += offset - vcpu->tsc.offset;
	else
		offset = vm_offset(vcpu->vm, data, offset);
	set_offset(vcpu, offset);
}

/**
 * vtx_tsc_adjust() - IA32_TSC_ADJUST
 * @vcpu: the vCPU
 *
 * Return: ticks.
 */
u64 vtx_tsc_adjust(const struct vtx_vcpu *vcpu)
{
	return vcpu->tsc.adjust;
}

/**
 * vtx_tsc_set_adjust() - IA32_TSC_ADJUST is written
 * @vcpu:       the vCPU; VMCS current
 * @data:       ticks
 * @from_guest: as for vtx_tsc_set()
 */
void vtx_tsc_set_adjust(struct vtx_vcpu *vcpu, u64 data, bool from_guest)
{
	if (from_guest)
		set_offset(vcpu, vcpu->tsc.offset + data - vcpu->tsc.adjust);
	vcpu->tsc.adjust = data;
}
