// SPDX-License-Identifier: GPL-2.0
/*
 * vmcs_init.c - every VMCS field's first value
 *
 * Four functions, in the order of SDM vol. 3 "Virtual Machine Control
 * Structures": controls, host state that never changes, host state of a CPU,
 * guest state after reset. Host state of a task (CR3, CR4, FS base, RSP) is
 * host.c's and enter.S's.
 */
#include "vmcs_init.h"

#include <linux/kernel.h>
#include <linux/sched.h>

#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/segment.h>

#include "caps.h"
#include "cr.h"
#include "enter.h"
#include "root.h"
#include "tsc.h"
#include "vmx_insn.h"
#include "vtx.h"

/* SDM vol. 3 "VM-Execution Control Fields", "VM-Exit...", "VM-Entry...". */
static void write_controls(struct vtx_vcpu *vcpu)
{
	u32 cpu2 = vtx_caps.cpu2;

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
	rdmsrl(MSR_IA32_SYSENTER_CS, msr);
	vmcs_write32(HOST_IA32_SYSENTER_CS, msr);
	rdmsrl(MSR_EFER, msr);
	vmcs_write64(HOST_IA32_EFER, msr);
	rdmsrl(MSR_IA32_CR_PAT, msr);
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
	rdmsrl(MSR_GS_BASE, base);
	vmcs_writel(HOST_GS_BASE, base);
	rdmsrl(MSR_IA32_SYSENTER_ESP, base);
	vmcs_writel(HOST_IA32_SYSENTER_ESP, base);
	rdmsrl(MSR_IA32_SYSENTER_EIP, base);
	vmcs_writel(HOST_IA32_SYSENTER_EIP, base);
	vtx_tsc_load(vcpu);
}

/* Access rights: type, S, P; SDM vol. 3 "Guest Register State". */
#define AR_DATA		0x93
#define AR_CODE		0x9b
#define AR_LDT		0x82
#define AR_TSS_BUSY	0x8b

static void write_segment(unsigned int seg, u16 selector, unsigned long base, u32 ar)
{
	/* Encodings of the eight registers are 2 apart in each field group. */
	vmcs_write16(GUEST_ES_SELECTOR + 2 * seg, selector);
	vmcs_writel(GUEST_ES_BASE + 2 * seg, base);
	vmcs_write32(GUEST_ES_LIMIT + 2 * seg, 0xffff);
	vmcs_write32(GUEST_ES_AR_BYTES + 2 * seg, ar);
}

static const struct {
	u16 field;
	unsigned long value;
} guest_reset[] = {
	{ GUEST_GDTR_BASE, 0 },
	{ GUEST_GDTR_LIMIT, 0xffff },
	{ GUEST_IDTR_BASE, 0 },
	{ GUEST_IDTR_LIMIT, 0xffff },
	{ GUEST_CR3, 0 },
	{ GUEST_DR7, VTX_DR7_FIXED },
	{ GUEST_RSP, 0 },
	{ GUEST_RIP, 0xfff0 },
	{ GUEST_RFLAGS, X86_EFLAGS_FIXED },
	{ GUEST_IA32_DEBUGCTL, 0 },
	{ GUEST_SYSENTER_CS, 0 },
	{ GUEST_SYSENTER_ESP, 0 },
	{ GUEST_SYSENTER_EIP, 0 },
	{ GUEST_IA32_PAT, 0x0007040600070406ULL },
	{ GUEST_INTERRUPTIBILITY_INFO, 0 },
	{ GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE },
	{ GUEST_PENDING_DBG_EXCEPTIONS, 0 },
	{ GUEST_PDPTR0, 0 },
	{ GUEST_PDPTR1, 0 },
	{ GUEST_PDPTR2, 0 },
	{ GUEST_PDPTR3, 0 },
	{ VMCS_LINK_POINTER, ~0UL },
};

/* SDM vol. 3 "Processor State After Reset". */
static void write_guest_reset(struct vtx_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(guest_reset); i++)
		__vmwrite(guest_reset[i].field, guest_reset[i].value);
	for (i = VTX_SEG_ES; i <= VTX_SEG_GS; i++)
		write_segment(i, 0, 0, AR_DATA);
	write_segment(VTX_SEG_CS, 0xf000, 0xffff0000, AR_CODE);
	write_segment(VTX_SEG_LDTR, 0, 0, AR_LDT);
	write_segment(VTX_SEG_TR, 0, 0, AR_TSS_BUSY);
	if (vtx_caps.entry & VM_ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL)
		vmcs_write64(GUEST_IA32_PERF_GLOBAL_CTRL, 0);
	vtx_efer_write(vcpu, 0);
	vtx_cr0_write(vcpu, X86_CR0_NW | X86_CR0_CD | X86_CR0_ET);
	vtx_cr4_write(vcpu, 0);
}

/**
 * vtx_vmcs_init() - write every field of a new vCPU's VMCS
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
	write_guest_reset(vcpu);
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
