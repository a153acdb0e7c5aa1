// SPDX-License-Identifier: GPL-2.0
/*
 * exit_io.c - port I/O exits
 *
 * Every port belongs to the VMM: KVM_EXIT_IO, data in the second page of the
 * run page's mapping. IN, OUT and INS are retired by the next KVM_RUN, unless
 * the VMM has moved RIP in between (a reset by port write); OUTS, whose element is
 * read by then, before the exit. As in KVM: whoever changes registers meanwhile
 * finds them so.
 *
 * SDM vol. 3 "Exit Qualification for I/O Instructions", "VM-Exit
 * Instruction-Information Field as Used for INS and OUTS".
 */
#include "run/exit_io.h"

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

#include <asm/processor-flags.h>

#include "emulate/fetch.h"
#include "emulate/gwalk.h"
#include "guest/cr.h"
#include "guest/event.h"
#include "guest/internal_error.h"
#include "mem/bus.h"
#include "vmx/vmcs_init.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

#define QUAL_SIZE(q)	(((q) & 7) + 1)
#define QUAL_IN		BIT(3)
#define QUAL_STRING	BIT(4)
#define QUAL_REP	BIT(5)
#define QUAL_PORT(q)	((q) >> 16 & 0xffff)

static __always_inline int to_user(struct vtx_vcpu *vcpu, u64 qual, u32 count)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = qual & QUAL_IN ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = QUAL_SIZE(qual);
	run->io.port = QUAL_PORT(qual);
	run->io.count = count;
	run->io.data_offset = KVM_PIO_PAGE_OFFSET * PAGE_SIZE;
	return VTX_TO_USER;
}

/**
 * vtx_pio_exit() - IN, OUT; the string forms are left to the slow handler
 * @vcpu: the vCPU; VMCS current since the exit
 *
 * Return: VTX_TO_USER or VTX_SLOW; VTX_ATOMIC: something is on the bus.
 */
int vtx_pio_exit(struct vtx_vcpu *vcpu)
{
	u64 qual = vmcs_readl(EXIT_QUALIFICATION);
	struct vtx_pio *pio = &vcpu->pio;
	u32 insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);

	if (qual & QUAL_STRING) {
		vcpu->exit.qual = qual;
		vcpu->exit.insn_len = insn_len;
		return VTX_SLOW;
	}
	pio->rip = vmcs_readl(GUEST_RIP);
	pio->next_rip = vtx_next_rip(vcpu, pio->rip, insn_len);
	pio->size = QUAL_SIZE(qual);
	pio->in = qual & QUAL_IN;
	if (!pio->in) {
		*(u32 *)vcpu->pio_data = vcpu->regs[VTX_RAX];
		if (!vtx_bus_is_empty(&vcpu->vm->bus)) {
			vcpu->exit.qual = qual;
			return VTX_ATOMIC;
		}
	}
	vcpu->pending = VTX_IO_PIO;
	return to_user(vcpu, qual, 1);
}

/**
 * vtx_pio_exit_atomic() - OUT, where the bus may have it
 * @vcpu: the vCPU; after vtx_pio_exit()
 *
 * The VMM's threads hold the lock of the bus as long as they have registered much.
 *
 * Context: preemption off, IRQs on, VMCS current since the exit.
 * Return: VTX_RESUME: the bus took it; VTX_TO_USER.
 */
int vtx_pio_exit_atomic(struct vtx_vcpu *vcpu)
{
	struct vtx_pio *pio = &vcpu->pio;
	u64 qual = vcpu->exit.qual;
	u32 value = (u32)vcpu->regs[VTX_RAX] & (u32)(~0U >> (32 - 8 * pio->size));

	if (vtx_bus_write(&vcpu->vm->bus, true, QUAL_PORT(qual), pio->size, value)) {
		vtx_retire(vcpu, pio->next_rip);
		return VTX_RESUME;
	}
	vcpu->pending = VTX_IO_PIO;
	return to_user(vcpu, qual, 1);
}

static u64 reg_mask(unsigned int addr_size)
{
	return addr_size == 8 ? ~0ULL : (1ULL << (addr_size * 8)) - 1;
}

/* 16-bit addresses leave the upper bits of a register, 32-bit ones clear them. */
static void reg_add(u64 *reg, s64 value, unsigned int addr_size)
{
	u64 mask = reg_mask(addr_size);
	u64 keep = addr_size == 2 ? *reg & ~mask : 0;

	*reg = keep | ((*reg + value) & mask);
}

/* Elements of INS that one exit may carry: within the page, without a wrap of rDI. */
static u32 batch(const struct vtx_pio *pio, u64 offset, u64 left)
{
	u64 in_page = offset_in_page(pio->gva);
	u64 n, to_wrap;

	if (in_page + pio->size > PAGE_SIZE)
		return 1;
	if (pio->down) {
		n = in_page / pio->size + 1;
		to_wrap = offset / pio->size + 1;
	} else {
		n = (PAGE_SIZE - in_page) / pio->size;
		to_wrap = (reg_mask(pio->addr_size) - offset) / pio->size;
	}
	return max_t(u64, min3(n, to_wrap, left), 1);
}

/* The batch as memory has it and as the port sees it are mirror images. */
static void reverse(struct vtx_vcpu *vcpu)
{
	const struct vtx_pio *pio = &vcpu->pio;
	u8 *low = vcpu->pio_data, *high = low + (pio->count - 1) * pio->size;
	unsigned int i;

	for (; low < high; low += pio->size, high -= pio->size)
		for (i = 0; i < pio->size; i++)
			swap(low[i], high[i]);
}

/* -EFAULT: #PF is queued. Device memory as the other operand is not done. */
static int string_fault(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, int error)
{
	struct vtx_fetch f = { };

	if (error == -EFAULT)
		return VTX_RESUME;
	/* Not for what it is, which the decoder does not know: for its bytes. */
	vtx_fetch_insn(vcpu, w, vcpu->pio.rip, &f);
	return vtx_emulation_failure(vcpu, f.bytes, min(f.nr_bytes, vcpu->exit.insn_len));
}

/*
 * Where the operand is and how many elements are next, @most at most, by the
 * registers as they are: while INS is with the VMM, it may change them.
 *
 * VMCS current. Return: true; false: none, the instruction is done or has faulted.
 */
static bool aim(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u32 most)
{
	struct vtx_pio *pio = &vcpu->pio;
	u64 mask = reg_mask(pio->addr_size), offset, left, low;
	gva_t gva;
	u32 n;

	left = pio->rep ? vcpu->regs[VTX_RCX] & mask : 1;
	offset = vcpu->regs[pio->in ? VTX_RDI : VTX_RSI] & mask;
	if (!left) {
		vtx_retire(vcpu, pio->next_rip);
		return false;
	}
	if (!vtx_linear(vcpu, w, pio->seg, offset, pio->size, pio->in, &gva)) {
		vtx_queue_exception_error(vcpu, pio->seg == VTX_SEG_SS ? SS_VECTOR :
					  GP_VECTOR, 0);
		return false;
	}
	pio->gva = gva;
	pio->count = 1;
	pio->down = w->rflags & X86_EFLAGS_DF;
	n = most == 1 ? 1 : min(batch(pio, offset, left), most);
	low = pio->down ? offset - (n - 1) * pio->size : offset;
	/* The limit may be nearer than the page's end. */
	if (n > 1 && vtx_linear(vcpu, w, pio->seg, low, n * pio->size, pio->in, &gva)) {
		pio->count = n;
		pio->gva = gva;
	}
	return true;
}

static void retire_string(struct vtx_vcpu *vcpu)
{
	const struct vtx_pio *pio = &vcpu->pio;
	s64 step = (s64)pio->count * pio->size;
	u64 *index = &vcpu->regs[pio->in ? VTX_RDI : VTX_RSI];
	bool last = true;

	vtx_vcpu_load(vcpu);
	reg_add(index, pio->down ? -step : step, pio->addr_size);
	if (pio->rep) {
		reg_add(&vcpu->regs[VTX_RCX], -(s64)pio->count, pio->addr_size);
		last = !(vcpu->regs[VTX_RCX] & reg_mask(pio->addr_size));
	}
	if (last)
		vtx_retire(vcpu, pio->next_rip);
	else
		vtx_retire_round(vcpu);
	vtx_vcpu_put(vcpu);
}

static int outs(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u64 qual)
{
	const struct vtx_pio *pio = &vcpu->pio;
	u32 value = 0;
	int r = vtx_gva_read(vcpu, w, pio->gva, vcpu->pio_data, pio->size);

	if (r)
		return string_fault(vcpu, w, r);
	retire_string(vcpu);
	memcpy(&value, vcpu->pio_data, pio->size);
	if (vtx_bus_write(&vcpu->vm->bus, true, QUAL_PORT(qual), pio->size, value))
		return VTX_RESUME;
	return to_user(vcpu, qual, 1);
}

/* A fault comes before the device is asked. */
static int ins(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u64 qual)
{
	const struct vtx_pio *pio = &vcpu->pio;
	int r = vtx_gva_check_write(vcpu, w, pio->gva, pio->count * pio->size);

	if (r)
		return string_fault(vcpu, w, r);
	vcpu->pending = VTX_IO_STRING;
	return to_user(vcpu, qual, pio->count);
}

/**
 * vtx_pio_exit_string() - INS, OUTS
 * @vcpu: the vCPU; exit information in vcpu->exit
 *
 * INS comes in batches, OUTS in single elements: so does KVM, and there are VMMs
 * that look at no count.
 *
 * Context: may sleep.
 * Return: VTX_RESUME, VTX_TO_USER.
 */
int vtx_pio_exit_string(struct vtx_vcpu *vcpu)
{
	u64 qual = vcpu->exit.qual;
	struct vtx_pio *pio = &vcpu->pio;
	struct vtx_gwalk w;
	bool aimed;
	u32 info;

	vtx_vcpu_load(vcpu);
	vtx_gwalk_init(vcpu, &w);
	info = vmcs_read32(VMX_INSTRUCTION_INFO);
	pio->rip = vmcs_readl(GUEST_RIP);
	pio->next_rip = vtx_next_rip(vcpu, pio->rip, vcpu->exit.insn_len);
	pio->size = QUAL_SIZE(qual);
	pio->in = qual & QUAL_IN;
	pio->rep = qual & QUAL_REP;
	pio->addr_size = 2 << ((info >> 7) & 7);
	pio->seg = pio->in ? VTX_SEG_ES : (info >> 15) & 7;
	aimed = aim(vcpu, &w, pio->in ? ~0U : 1);
	vtx_vcpu_put(vcpu);
	if (!aimed)
		return VTX_RESUME;
	return pio->in ? ins(vcpu, &w, qual) : outs(vcpu, &w, qual);
}

static void retire_single(struct vtx_vcpu *vcpu)
{
	const struct vtx_pio *pio = &vcpu->pio;

	if (pio->in) {
		u64 *rax = &vcpu->regs[VTX_RAX];
		u32 data = 0;

		memcpy(&data, vcpu->pio_data, pio->size);
		if (pio->size == 4)
			*rax = data;
		else
			memcpy(rax, &data, pio->size);
	}
	vtx_retire(vcpu, pio->next_rip);
}

/* What the VMM has left of RCX is stored and retired, never more. */
static noinline int complete_ins(struct vtx_vcpu *vcpu)
{
	const struct vtx_pio *pio = &vcpu->pio;
	struct vtx_gwalk w;
	bool aimed;
	int r;

	vtx_vcpu_load(vcpu);
	vtx_gwalk_init(vcpu, &w);
	aimed = vmcs_readl(GUEST_RIP) == pio->rip && aim(vcpu, &w, pio->count);
	vtx_vcpu_put(vcpu);
	if (!aimed)
		return VTX_RESUME;
	if (pio->down)
		reverse(vcpu);
	r = vtx_gva_write(vcpu, &w, pio->gva, vcpu->pio_data, pio->count * pio->size);
	if (r)
		return string_fault(vcpu, &w, r);
	retire_string(vcpu);
	return VTX_RESUME;
}

/**
 * vtx_pio_complete() - the VMM has done its part
 * @vcpu: the vCPU with vcpu->pending PIO or STRING
 *
 * Context: may sleep.
 * Return: VTX_RESUME, or VTX_TO_USER if the memory operand is gone.
 */
int vtx_pio_complete(struct vtx_vcpu *vcpu)
{
	bool single = vcpu->pending == VTX_IO_PIO;

	vcpu->pending = VTX_IO_NONE;
	if (unlikely(!single))
		return complete_ins(vcpu);
	vtx_vcpu_load(vcpu);
	if (likely(vmcs_readl(GUEST_RIP) == vcpu->pio.rip))
		retire_single(vcpu);
	vtx_vcpu_put(vcpu);
	return VTX_RESUME;
}
