// SPDX-License-Identifier: GPL-2.0
/*
 * mmio.c - an instruction that touched device memory
 *
 * Fetches and decodes the instruction at RIP and executes it for the guest,
 * with KVM_EXIT_MMIO for each piece that no slot has. An instruction that reads
 * is started anew when the VMM has delivered the data, which is kept in
 * vcpu->mmio until it is done; its writes leave one by one at the end, when
 * registers and RIP have moved on. What the instruction does is insn.c's.
 */
#include "mmio.h"

#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <asm/processor-flags.h>

#include "bus.h"
#include "cr.h"
#include "decode.h"
#include "event.h"
#include "fault.h"
#include "gwalk.h"
#include "insn.h"
#include "internal_error.h"
#include "vmcs_init.h"
#include "vmx_insn.h"
#include "vtx.h"

/* Two operands of at most 8 bytes, each on at most two pages. */
#define MAX_PIECES	4

struct piece {
	gpa_t gpa;
	unsigned int len;
	u8 data[8];
};

/**
 * struct vtx_mmio - the device accesses of one instruction
 * @rip:	the instruction
 * @nr_reads:	reads that the VMM has answered
 * @reading:	the VMM has been asked for one more
 * @nr_writes:	writes to be done
 * @written:	how many of them the VMM has seen
 * @reads:	in program order
 * @writes:	likewise
 */
struct vtx_mmio {
	u64 rip;
	unsigned int nr_reads;
	bool reading;
	unsigned int nr_writes;
	unsigned int written;
	struct piece reads[MAX_PIECES];
	struct piece writes[MAX_PIECES];
};

/**
 * struct emu - one attempt to execute the instruction
 * @vcpu:	the vCPU
 * @w:		its paging state
 * @insn:	the instruction, decoded
 * @regs:	GPRs, given to the vCPU only when all is done
 * @rip:	the instruction
 * @rflags:	likewise
 * @reads:	device reads so far in this attempt
 * @nr_bytes:	bytes fetched
 * @bytes:	they
 */
struct emu {
	struct vtx_vcpu *vcpu;
	struct vtx_gwalk w;
	struct vtx_insn insn;
	u64 regs[VTX_NR_GPRS];
	u64 rip;
	u64 rflags;
	unsigned int reads;
	unsigned int nr_bytes;
	u8 bytes[VTX_INSN_MAX_LEN];
};

/* Besides 0, -EFAULT (exception queued) and -ENXIO (can't be done). */
#define ASK_USER	1

static const u8 vmcs_seg[] = {
	[VTX_INSN_CS] = VTX_SEG_CS, [VTX_INSN_DS] = VTX_SEG_DS,
	[VTX_INSN_ES] = VTX_SEG_ES, [VTX_INSN_FS] = VTX_SEG_FS,
	[VTX_INSN_GS] = VTX_SEG_GS, [VTX_INSN_SS] = VTX_SEG_SS,
};

/**
 * vtx_mmio_alloc() - room for a vCPU's device accesses
 * @vcpu: the vCPU
 *
 * Return: 0, -ENOMEM.
 */
int vtx_mmio_alloc(struct vtx_vcpu *vcpu)
{
	vcpu->mmio = kzalloc(sizeof(*vcpu->mmio), GFP_KERNEL_ACCOUNT);
	return vcpu->mmio ? 0 : -ENOMEM;
}

/**
 * vtx_mmio_free() - the mirror of vtx_mmio_alloc()
 * @vcpu: the vCPU
 */
void vtx_mmio_free(struct vtx_vcpu *vcpu)
{
	kfree(vcpu->mmio);
}

static int to_user(struct vtx_vcpu *vcpu, const struct piece *p, bool write)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = p->gpa;
	run->mmio.len = p->len;
	run->mmio.is_write = write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (write)
		memcpy(run->mmio.data, p->data, p->len);
	vcpu->pending = VTX_IO_MMIO;
	return VTX_TO_USER;
}

/* Fetch to the end of the page, then to the end of the next if need be. */
static int fetch(struct emu *e, unsigned int upto)
{
	gva_t gva;
	int r;

	while (e->nr_bytes < upto) {
		unsigned int n;
		bool ok;

		vtx_vcpu_load(e->vcpu);
		ok = vtx_linear(&e->w, VTX_SEG_CS, e->rip + e->nr_bytes, 1, false, &gva);
		if (!ok)
			vtx_queue_gp(e->vcpu);
		vtx_vcpu_put(e->vcpu);
		if (!ok)
			return -EFAULT;
		n = min_t(unsigned int, upto - e->nr_bytes,
			  PAGE_SIZE - offset_in_page(gva));
		r = vtx_gva_read(e->vcpu, &e->w, gva, e->bytes + e->nr_bytes, n,
				 VTX_ACCESS_FETCH);
		if (r)
			return r;
		e->nr_bytes += n;
		if (!offset_in_page(gva + n))
			break;
	}
	return 0;
}

static int fetch_and_decode(struct emu *e)
{
	int r = fetch(e, VTX_INSN_MAX_LEN);

	if (r)
		return r;
	r = vtx_decode(e->bytes, e->nr_bytes, e->w.bits, &e->insn);
	if (r == -ENODATA) {
		r = fetch(e, VTX_INSN_MAX_LEN);
		if (r)
			return r;
		r = vtx_decode(e->bytes, e->nr_bytes, e->w.bits, &e->insn);
	}
	return r ? -ENXIO : 0;
}

static int linear(struct emu *e, unsigned int seg, u64 offset, bool write, gva_t *gva)
{
	bool ok;

	vtx_vcpu_load(e->vcpu);
	ok = vtx_linear(&e->w, vmcs_seg[seg], offset, e->insn.mem_size, write, gva);
	if (!ok)
		vtx_queue_exception_error(e->vcpu, seg == VTX_INSN_SS ? SS_VECTOR :
					  GP_VECTOR, 0);
	vtx_vcpu_put(e->vcpu);
	return ok ? 0 : -EFAULT;
}

static int translate(struct emu *e, gva_t gva, u32 access, gpa_t *gpa)
{
	u32 error = 0;
	int r = vtx_gwalk(e->vcpu, &e->w, gva,
			  access | (e->w.user ? VTX_ACCESS_USER : 0), gpa, &error);

	if (r == -EFAULT) {
		vtx_vcpu_load(e->vcpu);
		vtx_queue_pf(e->vcpu, gva, error);
		vtx_vcpu_put(e->vcpu);
	}
	return r;
}

/* Split at the page boundary; @pieces[1].len is 0 if there is none within. */
static int split(struct emu *e, gva_t gva, u32 access, struct piece *pieces)
{
	unsigned int len = e->insn.mem_size;
	int r;

	pieces[0].len = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gva));
	pieces[1].len = len - pieces[0].len;
	r = translate(e, gva, access, &pieces[0].gpa);
	if (!r && pieces[1].len)
		r = translate(e, gva + pieces[0].len, access, &pieces[1].gpa);
	return r;
}

static int read_piece(struct emu *e, struct piece *p)
{
	struct vtx_mmio *m = e->vcpu->mmio;
	unsigned int n = e->reads;
	int r = vtx_guest_copy(e->vcpu->vm, p->gpa, p->data, p->len, false);

	if (r != -ENXIO)
		return r ? -ENXIO : 0;
	e->reads++;
	if (n < m->nr_reads) {
		memcpy(p->data, m->reads[n].data, p->len);
		return 0;
	}
	m->reads[n] = *p;
	m->reading = true;
	return ASK_USER;
}

static int read_mem(struct emu *e, gva_t gva, u64 *value)
{
	struct piece pieces[2];
	unsigned int i;
	u8 *to = (u8 *)value;
	int r = split(e, gva, 0, pieces);

	*value = 0;
	for (i = 0; !r && i < 2 && pieces[i].len; i++) {
		r = read_piece(e, &pieces[i]);
		if (!r)
			memcpy(to, pieces[i].data, pieces[i].len);
		to += pieces[i].len;
	}
	return r;
}

static int write_mem(struct emu *e, gva_t gva, u64 value)
{
	struct vtx_mmio *m = e->vcpu->mmio;
	const u8 *from = (const u8 *)&value;
	struct piece pieces[2];
	unsigned int i;
	int r = split(e, gva, VTX_ACCESS_WRITE, pieces);

	for (i = 0; !r && i < 2 && pieces[i].len; i++) {
		struct piece *p = &pieces[i];

		memcpy(p->data, from, p->len);
		from += p->len;
		r = vtx_guest_copy(e->vcpu->vm, p->gpa, p->data, p->len, true);
		if (r == -ENXIO) {
			m->writes[m->nr_writes++] = *p;
			r = 0;
		}
	}
	return r == -EFAULT ? -ENXIO : r;
}

/* MOVS and CMPS: seg:rSI and ES:rDI. */
static int execute_two(struct emu *e)
{
	const struct vtx_insn *insn = &e->insn;
	bool copy = insn->op == VTX_INSN_MOVS;
	gva_t src, dst;
	u64 a, b;
	int r;

	r = linear(e, insn->seg, vtx_insn_effective_offset(insn, e->regs, 0), false, &src);
	if (!r)
		r = linear(e, VTX_INSN_ES, vtx_insn_string_dest(insn, e->regs), copy, &dst);
	if (!r)
		r = read_mem(e, src, &a);
	if (r)
		return r;
	if (copy)
		return write_mem(e, dst, a);
	r = read_mem(e, dst, &b);
	if (!r)
		vtx_insn_alu(insn, b, a, &e->rflags);
	return r;
}

static int execute_one(struct emu *e)
{
	const struct vtx_insn *insn = &e->insn;
	bool write = vtx_insn_writes_mem(insn);
	u32 touch = write ? VTX_ACCESS_WRITE : 0;
	unsigned int seg = insn->seg;
	struct piece pieces[2];
	u64 offset, value = 0;
	gva_t gva;
	int r;

	if (insn->op == VTX_INSN_STOS || insn->op == VTX_INSN_SCAS) {
		seg = VTX_INSN_ES;
		offset = vtx_insn_string_dest(insn, e->regs);
	} else {
		offset = vtx_insn_effective_offset(insn, e->regs, e->rip + insn->len);
	}
	r = linear(e, seg, offset, write, &gva);
	if (r)
		return r;
	if (!vtx_insn_reads_mem(insn))
		return write_mem(e, gva, vtx_insn_store_value(insn, e->regs));
	/* A read-modify-write faults before the device sees the read. */
	r = split(e, gva, touch, pieces);
	if (!r)
		r = read_mem(e, gva, &value);
	if (r)
		return r;
	value = vtx_insn_execute(insn, value, e->regs, &e->rflags);
	return write ? write_mem(e, gva, value) : 0;
}

/* SDM vol. 1 "Stack Address-Size Attribute": 64 bits, else SS.B decides. */
static u64 stack_mask(struct emu *e)
{
	u32 ar;

	if (e->w.bits == 64)
		return ~0ULL;
	vtx_vcpu_load(e->vcpu);
	ar = vmcs_read32(GUEST_SS_AR_BYTES);
	vtx_vcpu_put(e->vcpu);
	return ar & VMX_AR_DB_MASK ? 0xffffffffU : 0xffffU;
}

/* PUSH and POP with a memory operand: the stack is the other one. */
static int execute_stack(struct emu *e)
{
	const struct vtx_insn *insn = &e->insn;
	bool push = insn->op == VTX_INSN_PUSH;
	u64 mask = stack_mask(e), old = e->regs[VTX_RSP];
	u64 rsp = (push ? old - insn->op_size : old + insn->op_size) & mask;
	u64 offset = vtx_insn_effective_offset(insn, e->regs, e->rip + insn->len);
	gva_t mem, stack;
	u64 value;
	int r;

	r = linear(e, insn->seg, offset, !push, &mem);
	if (!r)
		r = linear(e, VTX_INSN_SS, push ? rsp : old & mask, push, &stack);
	if (!r)
		r = read_mem(e, push ? mem : stack, &value);
	if (!r)
		r = write_mem(e, push ? stack : mem, value);
	if (!r)
		e->regs[VTX_RSP] = (old & ~mask) | rsp;
	return r;
}

static bool is_string(const struct vtx_insn *insn)
{
	return insn->op >= VTX_INSN_MOVS && insn->op <= VTX_INSN_SCAS;
}

static int execute(struct emu *e)
{
	const struct vtx_insn *insn = &e->insn;
	int r;

	if (insn->op == VTX_INSN_PUSH || insn->op == VTX_INSN_POP)
		return execute_stack(e);
	if (is_string(insn) && !vtx_insn_string_count(insn, e->regs))
		return 0;
	if (insn->op == VTX_INSN_MOVS || insn->op == VTX_INSN_CMPS)
		r = execute_two(e);
	else
		r = execute_one(e);
	if (!r && is_string(insn))
		vtx_insn_string_step(insn, e->regs, e->rflags, 1);
	return r;
}

static void commit(struct emu *e)
{
	struct vtx_vcpu *vcpu = e->vcpu;

	memcpy(vcpu->regs, e->regs, sizeof(vcpu->regs));
	vtx_vcpu_load(vcpu);
	vmcs_writel(GUEST_RSP, e->regs[VTX_RSP]);
	if (e->rflags != e->w.rflags)
		vmcs_writel(GUEST_RFLAGS, e->rflags);
	/* Between rounds of a string instruction RIP stays, interrupts may come. */
	if (!is_string(&e->insn) ||
	    vtx_insn_string_done(&e->insn, e->regs, e->rflags))
		vtx_retire(vcpu, vtx_next_rip(e->rip, e->insn.len));
	vtx_vcpu_put(vcpu);
}

static int next_write(struct vtx_vcpu *vcpu)
{
	struct vtx_mmio *m = vcpu->mmio;

	for (; m->written < m->nr_writes; m->written++) {
		const struct piece *p = &m->writes[m->written];
		u64 value = 0;

		memcpy(&value, p->data, p->len);
		if (!vtx_bus_write(&vcpu->vm->bus, false, p->gpa, p->len, value))
			return to_user(vcpu, p, true);
	}
	return VTX_RESUME;
}

static int attempt(struct vtx_vcpu *vcpu)
{
	struct vtx_mmio *m = vcpu->mmio;
	struct emu e = { .vcpu = vcpu };
	int r;

	vtx_vcpu_load(vcpu);
	vtx_gwalk_init(&e.w);
	e.rip = vmcs_readl(GUEST_RIP);
	vcpu->regs[VTX_RSP] = vmcs_readl(GUEST_RSP);
	vtx_vcpu_put(vcpu);
	e.rflags = e.w.rflags;
	memcpy(e.regs, vcpu->regs, sizeof(e.regs));
	/* The VMM put the vCPU elsewhere in place of answering. */
	if (m->nr_reads && e.rip != m->rip)
		return VTX_RESUME;
	m->rip = e.rip;
	m->nr_writes = 0;
	m->written = 0;

	r = fetch_and_decode(&e);
	if (!r)
		r = execute(&e);
	if (r == ASK_USER)
		return to_user(vcpu, &m->reads[m->nr_reads], false);
	if (r == -EFAULT)
		return VTX_RESUME;
	if (r)
		return vtx_emulation_failure(vcpu, e.bytes, e.nr_bytes);
	commit(&e);
	return next_write(vcpu);
}

/**
 * vtx_mmio_exit() - the guest touched device memory
 * @vcpu: the vCPU
 *
 * Context: may sleep.
 * Return: VTX_RESUME, VTX_TO_USER.
 */
int vtx_mmio_exit(struct vtx_vcpu *vcpu)
{
	vcpu->mmio->nr_reads = 0;
	vcpu->mmio->reading = false;
	return attempt(vcpu);
}

/**
 * vtx_mmio_complete() - the VMM has answered KVM_EXIT_MMIO
 * @vcpu: the vCPU with vcpu->pending MMIO
 *
 * Context: may sleep.
 * Return: as vtx_mmio_exit().
 */
int vtx_mmio_complete(struct vtx_vcpu *vcpu)
{
	struct vtx_mmio *m = vcpu->mmio;
	struct piece *p;

	vcpu->pending = VTX_IO_NONE;
	if (!m->reading) {
		m->written++;
		return next_write(vcpu);
	}
	p = &m->reads[m->nr_reads++];
	memcpy(p->data, vcpu->run->mmio.data, p->len);
	m->reading = false;
	return attempt(vcpu);
}
