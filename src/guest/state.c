// SPDX-License-Identifier: GPL-2.0
/*
 * state.c - register state to and from the VMM
 *
 * Owns the conversion between the KVM API's structures and the VMCS, and what
 * may be set. A setter first checks all of its input, then cannot fail. State
 * that passes here may still be refused by the CPU at VM entry: the VMM then
 * gets KVM_EXIT_FAIL_ENTRY.
 *
 * All functions need the VMCS current.
 */
#include "guest/state.h"

#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include <asm/page_types.h>
#include <asm/fpu/types.h>
#include <asm/processor-flags.h>

#include "guest/cr.h"
#include "guest/msr.h"
#include "vmx/host.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

#define AR_UNUSABLE	VMX_AR_UNUSABLE_MASK

static void get_segment(struct kvm_segment *s, enum vtx_seg seg)
{
	u32 ar = vmcs_read32(GUEST_ES_AR_BYTES + 2 * seg);

	s->base = vmcs_readl(GUEST_ES_BASE + 2 * seg);
	s->limit = vmcs_read32(GUEST_ES_LIMIT + 2 * seg);
	s->selector = vmcs_read16(GUEST_ES_SELECTOR + 2 * seg);
	s->unusable = !!(ar & AR_UNUSABLE);
	s->type = ar & 15;
	s->s = (ar >> 4) & 1;
	s->dpl = (ar >> 5) & 3;
	/* A segment that can't be used is not present, whatever its P bit. */
	s->present = !s->unusable;
	s->avl = (ar >> 12) & 1;
	s->l = (ar >> 13) & 1;
	s->db = (ar >> 14) & 1;
	s->g = (ar >> 15) & 1;
	s->padding = 0;
}

static void set_segment(const struct kvm_segment *s, enum vtx_seg seg)
{
	u32 ar;

	if (s->unusable || !s->present)
		ar = AR_UNUSABLE;
	else
		ar = (s->type & 15) | (s->s & 1) << 4 | (s->dpl & 3) << 5 |
		     (s->present & 1) << 7 | (s->avl & 1) << 12 |
		     (s->l & 1) << 13 | (s->db & 1) << 14 | (s->g & 1) << 15;
	/*
	 * SDM vol. 3 "Checks on Guest Segment Registers" wants usable segments
	 * accessed; a descriptor that a VMM wrote by hand often is not.
	 */
	if (seg != VTX_SEG_LDTR && !(ar & AR_UNUSABLE) && (ar & 0x10))
		ar |= 1;
	vmcs_write16(GUEST_ES_SELECTOR + 2 * seg, s->selector);
	vmcs_writel(GUEST_ES_BASE + 2 * seg, s->base);
	vmcs_write32(GUEST_ES_LIMIT + 2 * seg, s->limit);
	vmcs_write32(GUEST_ES_AR_BYTES + 2 * seg, ar);
}

/**
 * vtx_get_regs() - KVM_GET_REGS
 * @vcpu: the vCPU
 * @regs: result
 */
void vtx_get_regs(struct vtx_vcpu *vcpu, struct kvm_regs *regs)
{
	const u64 *r = vcpu->regs;

	*regs = (struct kvm_regs){
		.rax = r[VTX_RAX], .rbx = r[VTX_RBX], .rcx = r[VTX_RCX],
		.rdx = r[VTX_RDX], .rsi = r[VTX_RSI], .rdi = r[VTX_RDI],
		.rbp = r[VTX_RBP], .r8 = r[VTX_R8], .r9 = r[VTX_R9],
		.r10 = r[VTX_R10], .r11 = r[VTX_R11], .r12 = r[VTX_R12],
		.r13 = r[VTX_R13], .r14 = r[VTX_R14], .r15 = r[VTX_R15],
		.rsp = vmcs_readl(GUEST_RSP),
		.rip = vmcs_readl(GUEST_RIP),
		.rflags = vmcs_readl(GUEST_RFLAGS),
	};
	if (unlikely(vcpu->debug.tf))
		regs->rflags &= ~(u64)X86_EFLAGS_TF;
}

/*
 * What belongs to the instruction where the vCPU was ends with it: a VMM that
 * resets it finds no STI shadow (which VM entry refuses with IF clear).
 */
static void leave_instruction(const struct kvm_regs *regs)
{
	u64 flags = vmcs_readl(GUEST_RFLAGS) ^ regs->rflags;

	if (regs->rip == vmcs_readl(GUEST_RIP) &&
	    !(flags & (X86_EFLAGS_IF | X86_EFLAGS_TF)))
		return;
	vmcs_write32(GUEST_INTERRUPTIBILITY_INFO,
		     vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) &
		     ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS, 0);
}

/**
 * vtx_set_regs() - KVM_SET_REGS
 * @vcpu: the vCPU
 * @regs: the values; bit 1 of RFLAGS is always set
 *
 * An exception of the instruction where the vCPU was is dropped, as KVM does: the
 * VMM has put it somewhere else. Not so one whose delivery was cut off.
 */
void vtx_set_regs(struct vtx_vcpu *vcpu, const struct kvm_regs *regs)
{
	u64 *r = vcpu->regs;

	r[VTX_RAX] = regs->rax;
	r[VTX_RBX] = regs->rbx;
	r[VTX_RCX] = regs->rcx;
	r[VTX_RDX] = regs->rdx;
	r[VTX_RSI] = regs->rsi;
	r[VTX_RDI] = regs->rdi;
	r[VTX_RBP] = regs->rbp;
	r[VTX_R8] = regs->r8;
	r[VTX_R9] = regs->r9;
	r[VTX_R10] = regs->r10;
	r[VTX_R11] = regs->r11;
	r[VTX_R12] = regs->r12;
	r[VTX_R13] = regs->r13;
	r[VTX_R14] = regs->r14;
	r[VTX_R15] = regs->r15;
	leave_instruction(regs);
	vmcs_writel(GUEST_RSP, regs->rsp);
	vmcs_writel(GUEST_RIP, regs->rip);
	vmcs_writel(GUEST_RFLAGS, regs->rflags | X86_EFLAGS_FIXED);
	vcpu->debug.tf = false;
	if (!vcpu->event.cut_off || vcpu->event.shutdown)
		vcpu->event.info = 0;
	vcpu->event.shutdown = false;
}

/**
 * vtx_get_sregs() - KVM_GET_SREGS
 * @vcpu:  the vCPU
 * @sregs: result
 */
void vtx_get_sregs(struct vtx_vcpu *vcpu, struct kvm_sregs *sregs)
{
	memset(sregs, 0, sizeof(*sregs));
	get_segment(&sregs->cs, VTX_SEG_CS);
	get_segment(&sregs->ds, VTX_SEG_DS);
	get_segment(&sregs->es, VTX_SEG_ES);
	get_segment(&sregs->fs, VTX_SEG_FS);
	get_segment(&sregs->gs, VTX_SEG_GS);
	get_segment(&sregs->ss, VTX_SEG_SS);
	get_segment(&sregs->tr, VTX_SEG_TR);
	get_segment(&sregs->ldt, VTX_SEG_LDTR);
	sregs->gdt.base = vmcs_readl(GUEST_GDTR_BASE);
	sregs->gdt.limit = vmcs_read32(GUEST_GDTR_LIMIT);
	sregs->idt.base = vmcs_readl(GUEST_IDTR_BASE);
	sregs->idt.limit = vmcs_read32(GUEST_IDTR_LIMIT);
	sregs->cr0 = vtx_cr0_read();
	sregs->cr2 = vcpu->cr2;
	sregs->cr3 = vmcs_readl(GUEST_CR3);
	sregs->cr4 = vtx_cr4_read(vcpu);
	sregs->cr8 = vcpu->cr8;
	sregs->efer = vtx_efer_read(vcpu);
	sregs->apic_base = vcpu->apic_base;
	if (vcpu->event.irq)
		sregs->interrupt_bitmap[(u8)vcpu->event.irq / 64] =
			1ULL << (vcpu->event.irq % 64);
}

/* What no sequence of instructions could have led to. */
static bool sregs_valid(struct vtx_vcpu *vcpu, const struct kvm_sregs *s)
{
	u64 cr3_reserved = ~GENMASK_ULL(boot_cpu_data.x86_phys_bits - 1, 0);

	if ((s->efer & EFER_LME) && (s->cr0 & X86_CR0_PG)) {
		if (!(s->cr4 & X86_CR4_PAE) || !(s->efer & EFER_LMA))
			return false;
		if (s->cr3 & cr3_reserved)
			return false;
	} else if ((s->efer & EFER_LMA) || s->cs.l) {
		return false;
	}
	return !(s->cr4 & ~vcpu->cr4.allowed) && vtx_cr0_valid(s->cr0) &&
	       !(s->efer & ~vtx_efer_supported()) && s->cr8 < 16 &&
	       (s->apic_base == vcpu->apic_base ||
		vtx_apic_base_valid(vcpu, s->apic_base));
}

static int pending_irq(const struct kvm_sregs *s)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(s->interrupt_bitmap); i++)
		if (s->interrupt_bitmap[i])
			return i * 64 + __ffs64(s->interrupt_bitmap[i]);
	return -1;
}

/**
 * vtx_set_sregs() - KVM_SET_SREGS
 * @vcpu:  the vCPU
 * @sregs: the values
 *
 * Return: 0; -EINVAL and nothing changed.
 */
int vtx_set_sregs(struct vtx_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	int irq;

	if (!sregs_valid(vcpu, sregs))
		return -EINVAL;

	set_segment(&sregs->cs, VTX_SEG_CS);
	set_segment(&sregs->ds, VTX_SEG_DS);
	set_segment(&sregs->es, VTX_SEG_ES);
	set_segment(&sregs->fs, VTX_SEG_FS);
	set_segment(&sregs->gs, VTX_SEG_GS);
	set_segment(&sregs->ss, VTX_SEG_SS);
	set_segment(&sregs->tr, VTX_SEG_TR);
	set_segment(&sregs->ldt, VTX_SEG_LDTR);
	vmcs_writel(GUEST_GDTR_BASE, sregs->gdt.base);
	vmcs_write32(GUEST_GDTR_LIMIT, sregs->gdt.limit);
	vmcs_writel(GUEST_IDTR_BASE, sregs->idt.base);
	vmcs_write32(GUEST_IDTR_LIMIT, sregs->idt.limit);
	vcpu->cr2 = sregs->cr2;
	vcpu->cr8 = sregs->cr8;
	vcpu->apic_base = sregs->apic_base;
	vmcs_writel(GUEST_CR3, sregs->cr3);
	/* Each of these asks for the flush that the real instruction implies. */
	vtx_efer_write(vcpu, sregs->efer);
	vtx_cr0_write(vcpu, sregs->cr0);
	vtx_cr4_write(vcpu, sregs->cr4);
	vcpu->pdptes_stale = true;
	irq = pending_irq(sregs);
	if (irq >= 0)
		vcpu->event.irq = VTX_IRQ_WAITS | irq;
	return 0;
}

/* The legacy region of the XSAVE area is FXSAVE's, struct kvm_fpu is not. */
struct fxsave {
	u16 fcw, fsw;
	u8 ftwx, zero;
	u16 last_opcode;
	u64 last_ip, last_dp;
	u32 mxcsr, mxcsr_mask;
	u8 fpr[8][16];
	u8 xmm[16][16];
};

static_assert(sizeof(struct fxsave) == 416);

/**
 * vtx_get_fpu() - KVM_GET_FPU
 * @vcpu: the vCPU
 * @fpu:  result
 */
void vtx_get_fpu(struct vtx_vcpu *vcpu, struct kvm_fpu *fpu)
{
	const struct fxsave *fx = vcpu->fpu;

	memset(fpu, 0, sizeof(*fpu));
	memcpy(fpu->fpr, fx->fpr, sizeof(fpu->fpr));
	memcpy(fpu->xmm, fx->xmm, sizeof(fpu->xmm));
	fpu->fcw = fx->fcw;
	fpu->fsw = fx->fsw;
	fpu->ftwx = fx->ftwx;
	fpu->last_opcode = fx->last_opcode;
	fpu->last_ip = fx->last_ip;
	fpu->last_dp = fx->last_dp;
	fpu->mxcsr = fx->mxcsr;
}

/**
 * vtx_set_fpu() - KVM_SET_FPU
 * @vcpu: the vCPU
 * @fpu:  the values
 *
 * MXCSR is not taken over: KVM does not, and callers leave it 0, which would
 * unmask all SSE exceptions.
 *
 * Return: 0.
 */
int vtx_set_fpu(struct vtx_vcpu *vcpu, const struct kvm_fpu *fpu)
{
	struct fxsave *fx = vcpu->fpu;
	struct xstate_header *header = vcpu->fpu + sizeof(struct fxregs_state);

	memcpy(fx->fpr, fpu->fpr, sizeof(fx->fpr));
	memcpy(fx->xmm, fpu->xmm, sizeof(fx->xmm));
	fx->fcw = fpu->fcw;
	fx->fsw = fpu->fsw;
	fx->ftwx = fpu->ftwx;
	fx->last_opcode = fpu->last_opcode;
	fx->last_ip = fpu->last_ip;
	fx->last_dp = fpu->last_dp;
	/* XRSTOR would take a component as being in its initial state. */
	if (vtx_fpu_xcr0_supported())
		header->xfeatures |= XFEATURE_MASK_FPSSE;
	return 0;
}
