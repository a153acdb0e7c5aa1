// SPDX-License-Identifier: GPL-2.0
/*
 * vmcs_init.c - the first value of a VMCS's controls and host state
 *
 * Three functions, in the order of SDM vol. 3 "Virtual Machine Control
 * Structures": controls, host state that never changes, host state of a CPU. Host
 * state of a task (CR3, CR4, FS base, RSP) is host.c's and enter.S's, guest state
 * guest/reset.c's.
 */
#include "vmx/vmcs_init.h"

#include <linux/kernel.h>
#include <linux/sched.h>

#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>

#include "vmx/caps.h"
#include "vmx/compat.h"
#include "vmx/enter.h"
#include "vmx/root.h"
#include "vmx/tsc.h"
#include "vmx/vmcs.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/* SDM vol. 3 "VM-Execution Control Fields", "VM-Exit...", "VM-Entry...". */
static void write_controls(struct vtx_vcpu *vcpu)
{
	/* No CPUID yet: nothing that it would have to have. cpuid.c sees to the rest. */
	u32 cpu2 = vtx_caps.cpu2 &
		   ~(SECONDARY_EXEC_ENABLE_RDTSCP | SECONDARY_EXEC_ENABLE_INVPCID);

	/* SDM vol. 3 "Checks on VMX Controls": enable VPID needs a VPID. */
	if (!vcpu->tlb.vpid)
		cpu2 &= ~SECONDARY_EXEC_ENABLE_VPID;
	vmcs_write32(PIN_BASED_VM_EXEC_CONTROL, vtx_caps.pin);
	vmcs_write32(CPU_BASED_VM_EXEC_CONTROL, vtx_caps.cpu);
	vmcs_write32(SECONDARY_VM_EXEC_CONTROL, cpu2);
	vmcs_write32(VM_EXIT_CONTROLS, vtx_caps.exit);
	vmcs_write32(VM_ENTRY_CONTROLS, vtx_caps.entry);

	/*
	 * #DB and #AC must exit: delivered in the guest they can recur for ever
	 * without an instruction boundary (CVE-2015-5307, CVE-2015-8104).
	 */
	vmcs_write32(EXCEPTION_BITMAP,
		     BIT(DB_VECTOR) | BIT(AC_VECTOR) | BIT(MC_VECTOR));
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write32(CR3_TARGET_COUNT, 0);
	vmcs_write64(MSR_BITMAP, __pa(vcpu->msr_bitmap));
	vmcs_write64(EPT_POINTER, vcpu->vm->ept.eptp);
	if (vcpu->tlb.vpid)
		vmcs_write16(VIRTUAL_PROCESSOR_ID, vcpu->tlb.vpid);
	if (cpu2 & SECONDARY_EXEC_ENCLS_EXITING)
		vmcs_write64(ENCLS_EXITING_BITMAP, ~0ULL);

	vmcs_write32(VM_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write32(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write32(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
}

/* SDM vol. 3 "Host-State Area". DS, ES, FS, GS: host_leave() gives them back. */
static void write_host_const(void)
{
	struct desc_ptr idt;
	u64 msr;

	vmcs_writel(HOST_CR0, read_cr0() & ~X86_CR0_TS);
	vmcs_write16(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write16(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write16(HOST_DS_SELECTOR, 0);
	vmcs_write16(HOST_ES_SELECTOR, 0);
	vmcs_write16(HOST_FS_SELECTOR, 0);
	vmcs_write16(HOST_GS_SELECTOR, 0);
	vmcs_writel(HOST_FS_BASE, 0);
	vmcs_write16(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	store_idt(&idt);
	vmcs_writel(HOST_IDTR_BASE, idt.address);
	vmcs_writel(HOST_RIP, (unsigned long)vtx_exit_label);
	rdmsrq(MSR_IA32_SYSENTER_CS, msr);
	vmcs_write32(HOST_IA32_SYSENTER_CS, msr);
	rdmsrq(MSR_EFER, msr);
	vmcs_write64(HOST_IA32_EFER, msr);
	rdmsrq(MSR_IA32_CR_PAT, msr);
	vmcs_write64(HOST_IA32_PAT, msr);
}

/*
 * What differs between CPUs and over a suspend; on the CPU where the VMCS has
 * just become active.
 */
static void write_host_cpu(const struct vtx_vcpu *vcpu)
{
	int cpu = smp_processor_id();
	unsigned long base;

	vmcs_writel(HOST_TR_BASE,
		    (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_writel(HOST_GDTR_BASE, (unsigned long)get_current_gdt_ro());
	rdmsrq(MSR_GS_BASE, base);
	vmcs_writel(HOST_GS_BASE, base);
	rdmsrq(MSR_IA32_SYSENTER_ESP, base);
	vmcs_writel(HOST_IA32_SYSENTER_ESP, base);
	rdmsrq(MSR_IA32_SYSENTER_EIP, base);
	vmcs_writel(HOST_IA32_SYSENTER_EIP, base);
	vtx_tsc_load(vcpu);
}

/**
 * vtx_vmcs_init() - write controls and host state of a new vCPU's VMCS
 * @vcpu: the vCPU; its VMCS is current and all other members are set up
 *
 * Context: preemption off.
 */
void vtx_vmcs_init(struct vtx_vcpu *vcpu)
{
	write_controls(vcpu);
	write_host_const();
	vmcs_writel(HOST_RSP, (unsigned long)vcpu->regs);
	write_host_cpu(vcpu);
}

/**
 * vtx_vcpu_make_current() - vtx_vcpu_load_here() when the VMCS is not current
 * @vcpu: the vCPU
 *
 * Context: preemption off.
 * Return: 0, -EAGAIN or -EIO as vtx_vmcs_make_current().
 */
int vtx_vcpu_make_current(struct vtx_vcpu *vcpu)
{
	int r = vtx_vmcs_make_current(&vcpu->vmcs);

	if (r > 0) {
		vtx_tsc_carry(vcpu);
		write_host_cpu(vcpu);
		/* Written when they differ from this: never valid values. */
		vcpu->vmcs.host_cr3 = ~0UL;
		vcpu->vmcs.host_perf = ~0ULL;
		r = 0;
	}
	if (r == -EIO)
		vcpu->vmcs.failed = true;
	return r;
}

/**
 * vtx_vcpu_make_current_wait() - the same, also if this CPU goes offline
 * @vcpu: the vCPU
 *
 * A CPU that goes offline leaves VMX operation before its tasks leave it: wait
 * to be moved. When the machine goes down VMCS fields read as 0.
 *
 * Context: preemption off, which comes back on for the wait.
 */
void vtx_vcpu_make_current_wait(struct vtx_vcpu *vcpu)
{
	while (vtx_vcpu_load_here(vcpu) == -EAGAIN && !vtx_root_stopped()) {
		preempt_enable();
		schedule_timeout_uninterruptible(1);
		preempt_disable();
	}
}
