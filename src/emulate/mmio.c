// SPDX-License-Identifier: GPL-2.0
/*
 * mmio.c - an instruction that touched device memory
 *
 * Has the instruction at RIP fetched and decoded and executes it for the guest,
 * with KVM_EXIT_MMIO for each piece that no slot has. An instruction that reads
 * is executed anew when the VMM has delivered the data; what it is, the data and
 * the translations of its addresses are kept in vcpu->mmio until it is done. Its
 * writes leave one by one at the end, when registers and RIP have moved on. What
 * the instruction does is insn.c's.
 */
#include "emulate/mmio.h"

#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <asm/processor-flags.h>

#include "emulate/decode.h"
#include "emulate/fetch.h"
#include "emulate/gwalk.h"
#include "emulate/insn.h"
#include "guest/cr.h"
#include "guest/event.h"
#include "guest/internal_error.h"
#include "mem/bus.h"
#include "mem/guest_mem.h"
#include "vmx/vmcs_init.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

/* SDM vol. 3 table "Exit Qualification for EPT Violations". */
#define QUAL_WRITE		BIT(1)
#define QUAL_LINEAR		BIT(7)	/* the linear address is valid, */
#define QUAL_TRANSLATED		BIT(8)	/* and not its translation failed */

/* Two operands of at most 8 bytes, each on at most two pages. */
#define MAX_PIECES	4

/**
 * struct piece - of an operand, on one page
 * @gpa:  where
 * @len:  bytes
 * @data: they; above them 0
 */
struct piece {
	gpa_t gpa;
	unsigned int len;
	u64 data;
};

static u64 only(u64 data, unsigned int len)
{
	return data & GENMASK_ULL(8 * len - 1, 0);
}

/**
 * struct translation - of a page that the instruction accesses
 * @gva:	linear address of the page
 * @gpa:	where it is
 * @access:	VTX_ACCESS_WRITE, or 0: good for reading only
 */
struct translation {
	gva_t gva;
	gpa_t gpa;
	u32 access;
};

/* Those of MAX_PIECES, and one that the CPU has made. */
#define MAX_TRANSLATIONS	(MAX_PIECES + 1)

/**
 * struct vtx_mmio - one instruction, from the exit until it is done
 * @vcpu:	the vCPU
 * @w:		its paging state
 * @code:	its bytes, and what they are
 * @gva:	where its operand is, if it has one only: on the stack this and the
 *		next would cost a stack protector at each access
 * @value:	what that held
 * @part:	the operand that is being accessed; the second one has no length if
 *		there is no page boundary within
 * @nr_translations: how many
 * @translations: those of its operands so far
 * @rip:	where it is
 * @rsp:	RSP before it
 * @rflags:	RFLAGS, given to the vCPU only when all is done, as GPRs are
 * @reads:	device reads so far in this attempt
 * @nr_reads:	reads that the VMM has answered
 * @reading:	the VMM has been asked for one more
 * @is_load:	all that is done with what is read is done in registers
 * @nr_writes:	writes to be done
 * @written:	how many of them the VMM has seen
 * @read:	in program order
 * @write:	likewise
 */
struct vtx_mmio {
	struct vtx_vcpu *vcpu;
	struct vtx_gwalk w;
	struct vtx_fetch code;
	gva_t gva;
	u64 value;
	struct piece part[2];
	unsigned int nr_translations;
	struct translation translations[MAX_TRANSLATIONS];
	u64 rip;
	u64 rsp;
	u64 rflags;
	unsigned int reads;
	unsigned int nr_reads;
	bool reading;
	bool is_load;
	unsigned int nr_writes;
	unsigned int written;
	struct piece read[MAX_PIECES];
	struct piece write[MAX_PIECES];
};

/* linear() takes the one for the other. */
#define SAME_SEGMENT(seg)	static_assert((int)VTX_INSN_##seg == (int)VTX_SEG_##seg)
SAME_SEGMENT(ES);
SAME_SEGMENT(CS);
SAME_SEGMENT(SS);
SAME_SEGMENT(DS);
SAME_SEGMENT(FS);
SAME_SEGMENT(GS);

/* Besides 0, -EFAULT (exception queued) and -ENXIO (can't be done). */
#define ASK_USER	1

/**
 * vtx_mmio_alloc() - room for a vCPU's device accesses
 * @vcpu: the vCPU
 *
 * Return: 0, -ENOMEM.
 */
int vtx_mmio_alloc(struct vtx_vcpu *vcpu)
{
	vcpu->mmio = kzalloc(sizeof(*vcpu->mmio), GFP_KERNEL_ACCOUNT);
	if (!vcpu->mmio)
		return -ENOMEM;
	vcpu->mmio->vcpu = vcpu;
	return 0;
}

/**
 * vtx_mmio_free() - the mirror of vtx_mmio_alloc()
 * @vcpu: the vCPU
 */
void vtx_mmio_free(struct vtx_vcpu *vcpu)
{
	kfree(vcpu->mmio);
}

static __always_inline int to_user(struct vtx_vcpu *vcpu, const struct piece *p, bool write)
{
	struct kvm_run *run = vcpu->run;
	u64 data = write ? p->data : 0;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = p->gpa;
	run->mmio.len = p->len;
	run->mmio.is_write = write;
	memcpy(run->mmio.data, &data, sizeof(data));
	vcpu->pending = VTX_IO_MMIO;
	return VTX_TO_USER;
}

static noinline int segment_fault(struct vtx_mmio *e, unsigned int seg)
{
	vtx_vcpu_load(e->vcpu);
	vtx_queue_exception_error(e->vcpu, seg == VTX_INSN_SS ? SS_VECTOR : GP_VECTOR, 0);
	vtx_vcpu_put(e->vcpu);
	return -EFAULT;
}

static __always_inline int linear(struct vtx_mmio *e, unsigned int seg, u64 offset,
				  bool write, gva_t *gva)
{
	bool ok = vtx_linear(e->vcpu, &e->w, seg, offset, e->code.insn.mem_size, write, gva);

	return likely(ok) ? 0 : segment_fault(e, seg);
}

static void remember(struct vtx_mmio *e, gva_t gva, gpa_t gpa, u32 access)
{
	if (e->nr_translations < MAX_TRANSLATIONS)
		e->translations[e->nr_translations++] = (struct translation){
			.gva = gva & PAGE_MASK, .gpa = gpa & PAGE_MASK, .access = access };
}

/* The CPU uses one translation for one instruction, and it has checked rights. */
static bool recall(struct vtx_mmio *e, gva_t gva, u32 access, gpa_t *gpa)
{
	unsigned int i;

	for (i = 0; i < e->nr_translations; i++) {
		const struct translation *t = &e->translations[i];

		if (t->gva == (gva & PAGE_MASK) && (t->access & access) == access) {
			*gpa = t->gpa | offset_in_page(gva);
			return true;
		}
	}
	return false;
}

static noinline int walk(struct vtx_mmio *e, gva_t gva, u32 access, gpa_t *gpa)
{
	u32 error = 0;
	int r;

	r = vtx_gwalk(e->vcpu, &e->w, gva,
		      access | (e->w.user ? VTX_ACCESS_USER : 0), gpa, &error);
	if (!r)
		remember(e, gva, *gpa, access);
	if (r == -EFAULT) {
		vtx_vcpu_load(e->vcpu);
		vtx_queue_pf(e->vcpu, gva, error);
		vtx_vcpu_put(e->vcpu);
	}
	return r;
}

/* @access: VTX_ACCESS_WRITE or 0. */
static int translate(struct vtx_mmio *e, gva_t gva, u32 access, gpa_t *gpa)
{
	return recall(e, gva, access, gpa) ? 0 : walk(e, gva, access, gpa);
}

/* Where the operand is: e->part. */
static int split(struct vtx_mmio *e, gva_t gva, u32 access)
{
	unsigned int len = e->code.insn.mem_size;
	struct piece *part = e->part;
	int r;

	part[0].len = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gva));
	part[1].len = len - part[0].len;
	r = translate(e, gva, access, &part[0].gpa);
	if (!r && unlikely(part[1].len))
		r = translate(e, gva + part[0].len, access, &part[1].gpa);
	return r;
}

/*
 * As vtx_guest_copy(), which need not look where the exit came from: there is no
 * memory, or for a write none that takes it.
 */
static int access_memory(struct vtx_mmio *e, struct piece *p, bool write)
{
	const struct vtx_exit *exit = &e->vcpu->exit;

	if (p->gpa >> PAGE_SHIFT == exit->gpa >> PAGE_SHIFT &&
	    (write || !(exit->qual & QUAL_WRITE)))
		return -ENXIO;
	return vtx_guest_copy(e->vcpu->vm, p->gpa, &p->data, p->len, write);
}

static int read_piece(struct vtx_mmio *e, struct piece *p)
{
	unsigned int n = e->reads;
	int r;

	p->data = 0;
	r = access_memory(e, p, false);
	if (r != -ENXIO)
		return r ? -ENXIO : 0;
	e->reads++;
	if (n < e->nr_reads) {
		p->data = e->read[n].data;
		return 0;
	}
	e->read[n].gpa = p->gpa;
	e->read[n].len = p->len;
	e->reading = true;
	return ASK_USER;
}

static int read_mem(struct vtx_mmio *e, gva_t gva, u64 *value)
{
	struct piece *part = e->part;
	int r = split(e, gva, 0);

	if (!r)
		r = read_piece(e, &part[0]);
	if (r)
		return r;
	*value = part[0].data;
	if (likely(!part[1].len))
		return 0;
	r = read_piece(e, &part[1]);
	*value |= part[1].data << 8 * part[0].len;
	return r;
}

static int write_piece(struct vtx_mmio *e, const struct piece *p, u64 data)
{
	struct piece *to_device = &e->write[e->nr_writes];
	int r;

	*to_device = (struct piece){ p->gpa, p->len, data };
	r = access_memory(e, to_device, true);
	if (r != -ENXIO)
		return r ? -ENXIO : 0;
	e->nr_writes++;
	return 0;
}

/* @value: above the operand 0. */
static int write_mem(struct vtx_mmio *e, gva_t gva, u64 value)
{
	const struct piece *part = e->part;
	int r = split(e, gva, VTX_ACCESS_WRITE);

	if (r)
		return r;
	if (likely(!part[1].len))
		return write_piece(e, &part[0], value);
	r = write_piece(e, &part[0], only(value, part[0].len));
	return r ? r : write_piece(e, &part[1], value >> 8 * part[0].len);
}

/* MOVS and CMPS: seg:rSI and ES:rDI. */
static noinline int execute_two(struct vtx_mmio *e)
{
	const struct vtx_insn *insn = &e->code.insn;
	bool copy = insn->op == VTX_INSN_MOVS;
	gva_t src, dst;
	u64 a, b;
	int r;

	r = linear(e, insn->seg, vtx_insn_effective_offset(insn, e->vcpu->regs, 0), false, &src);
	if (!r)
		r = linear(e, VTX_INSN_ES, vtx_insn_string_dest(insn, e->vcpu->regs), copy, &dst);
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

/* Read, modify, write. */
static noinline int execute_rmw(struct vtx_mmio *e, gva_t gva)
{
	const struct vtx_insn *insn = &e->code.insn;
	u64 rax = e->vcpu->regs[VTX_RAX], reg = e->vcpu->regs[insn->reg], value;
	/* It faults before the device sees the read. */
	int r = split(e, gva, VTX_ACCESS_WRITE);

	if (!r)
		r = read_mem(e, gva, &value);
	if (r)
		return r;
	value = vtx_insn_execute(insn, value, e->vcpu->regs, &e->rflags);
	r = write_mem(e, gva, value);
	if (unlikely(r)) {
		e->vcpu->regs[insn->reg] = reg;
		e->vcpu->regs[VTX_RAX] = rax;
	}
	return r;
}

static int execute_one(struct vtx_mmio *e, unsigned int seg, u64 offset)
{
	const struct vtx_insn *insn = &e->code.insn;
	bool write = vtx_insn_writes_mem(insn);
	int r = linear(e, seg, offset, write, &e->gva);

	if (r)
		return r;
	if (!vtx_insn_reads_mem(insn))
		return write_mem(e, e->gva, vtx_insn_store_value(insn, e->vcpu->regs));
	if (write)
		return execute_rmw(e, e->gva);
	e->is_load = true;
	r = read_mem(e, e->gva, &e->value);
	if (!r)
		vtx_insn_execute(insn, e->value, e->vcpu->regs, &e->rflags);
	return r;
}

/* SDM vol. 1 "Stack Address-Size Attribute": 64 bits, else SS.B decides. */
static u64 stack_mask(struct vtx_mmio *e)
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
static noinline int execute_stack(struct vtx_mmio *e)
{
	const struct vtx_insn *insn = &e->code.insn;
	bool push = insn->op == VTX_INSN_PUSH;
	u64 mask = stack_mask(e), old = e->vcpu->regs[VTX_RSP];
	u64 rsp = (push ? old - insn->op_size : old + insn->op_size) & mask;
	u64 offset = vtx_insn_effective_offset(insn, e->vcpu->regs, e->rip + insn->len);
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
		e->vcpu->regs[VTX_RSP] = (old & ~mask) | rsp;
	return r;
}

static bool is_string(const struct vtx_insn *insn)
{
	return insn->op >= VTX_INSN_MOVS && insn->op <= VTX_INSN_SCAS;
}

static noinline int execute_string(struct vtx_mmio *e)
{
	const struct vtx_insn *insn = &e->code.insn;
	u64 *regs = e->vcpu->regs;
	int r;

	if (!vtx_insn_string_count(insn, regs))
		return 0;
	if (insn->op == VTX_INSN_MOVS || insn->op == VTX_INSN_CMPS)
		r = execute_two(e);
	else if (insn->op == VTX_INSN_LODS)
		r = execute_one(e, insn->seg, vtx_insn_effective_offset(insn, regs, 0));
	else
		r = execute_one(e, VTX_INSN_ES, vtx_insn_string_dest(insn, regs));
	if (!r)
		vtx_insn_string_step(insn, regs, e->rflags, 1);
	return r;
}

static int execute(struct vtx_mmio *e)
{
	const struct vtx_insn *insn = &e->code.insn;

	if (unlikely(insn->op == VTX_INSN_PUSH || insn->op == VTX_INSN_POP))
		return execute_stack(e);
	if (unlikely(is_string(insn)))
		return execute_string(e);
	return execute_one(e, insn->seg, vtx_insn_effective_offset(insn, e->vcpu->regs,
								   e->rip + insn->len));
}

static void commit(struct vtx_mmio *e)
{
	struct vtx_vcpu *vcpu = e->vcpu;

	vtx_vcpu_load(vcpu);
	if (vcpu->regs[VTX_RSP] != e->rsp)
		vmcs_writel(GUEST_RSP, vcpu->regs[VTX_RSP]);
	if (e->rflags != e->w.rflags)
		vmcs_writel(GUEST_RFLAGS, e->rflags);
	if (!is_string(&e->code.insn) ||
	    vtx_insn_string_done(&e->code.insn, e->vcpu->regs, e->rflags))
		vtx_retire(vcpu, vtx_next_rip(vcpu, e->rip, e->code.insn.len));
	else
		vtx_retire_round(vcpu);
	vtx_vcpu_put(vcpu);
}

static int next_write(struct vtx_mmio *e)
{
	for (; e->written < e->nr_writes; e->written++) {
		const struct piece *p = &e->write[e->written];

		if (!vtx_bus_write(&e->vcpu->vm->bus, false, p->gpa, p->len, p->data))
			return to_user(e->vcpu, p, true);
	}
	return VTX_RESUME;
}

/* Return: as exit handlers. @r: 0 after fetching and decoding, or its error. */
static int attempt(struct vtx_mmio *e, int r)
{
	struct vtx_vcpu *vcpu = e->vcpu;

	e->reads = 0;
	e->is_load = false;
	e->nr_writes = 0;
	e->written = 0;
	if (!r)
		r = execute(e);
	if (r == ASK_USER)
		return to_user(vcpu, &e->read[e->nr_reads], false);
	if (r == -EFAULT)
		return VTX_RESUME;
	if (r)
		return vtx_emulation_failure(vcpu, e->code.bytes, e->code.nr_bytes);
	commit(e);
	return next_write(e);
}

/* VMCS current. Return: RIP. */
static u64 read_registers(struct vtx_mmio *e)
{
	e->rsp = vmcs_readl(GUEST_RSP);
	e->vcpu->regs[VTX_RSP] = e->rsp;
	return vmcs_readl(GUEST_RIP);
}

/**
 * vtx_mmio_exit() - the guest touched device memory
 * @vcpu: the vCPU; exit information in vcpu->exit
 *
 * Context: may sleep.
 * Return: VTX_RESUME, VTX_TO_USER.
 */
int vtx_mmio_exit(struct vtx_vcpu *vcpu)
{
	struct vtx_mmio *e = vcpu->mmio;
	u64 qual = vcpu->exit.qual;

	e->nr_reads = 0;
	e->reading = false;
	e->nr_translations = 0;
	if ((qual & QUAL_LINEAR) && (qual & QUAL_TRANSLATED))
		remember(e, vcpu->exit.gla, vcpu->exit.gpa,
			 qual & QUAL_WRITE ? VTX_ACCESS_WRITE : 0);
	vtx_vcpu_load(vcpu);
	vtx_gwalk_init(vcpu, &e->w);
	e->rflags = e->w.rflags;
	e->rip = read_registers(e);
	vtx_vcpu_put(vcpu);
	return attempt(e, vtx_fetch_insn(vcpu, &e->w, e->rip, &e->code));
}

/* Has a load its data: all of its operand, and the only one? */
static bool is_load_done(const struct vtx_mmio *e)
{
	return e->is_load && e->nr_reads == 1 && e->read[0].len == e->code.insn.mem_size &&
	       !is_string(&e->code.insn);
}

static int finish_load(struct vtx_mmio *e)
{
	vtx_insn_execute(&e->code.insn, e->read[0].data, e->vcpu->regs, &e->rflags);
	e->nr_writes = 0;
	commit(e);
	return VTX_RESUME;
}

/* The VMM may have changed registers; or put the vCPU elsewhere altogether. */
static int again(struct vtx_mmio *e)
{
	u64 rip;

	vtx_vcpu_load(e->vcpu);
	e->w.rflags = vmcs_readl(GUEST_RFLAGS);
	e->rflags = e->w.rflags;
	rip = read_registers(e);
	vtx_vcpu_put(e->vcpu);
	if (rip != e->rip)
		return VTX_RESUME;
	return is_load_done(e) ? finish_load(e) : attempt(e, 0);
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
	struct vtx_mmio *e = vcpu->mmio;
	struct piece *p;
	u64 data;

	vcpu->pending = VTX_IO_NONE;
	if (!e->reading) {
		e->written++;
		return next_write(e);
	}
	p = &e->read[e->nr_reads++];
	memcpy(&data, vcpu->run->mmio.data, sizeof(data));
	p->data = only(data, p->len);
	e->reading = false;
	return again(e);
}
