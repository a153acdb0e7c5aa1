// SPDX-License-Identifier: GPL-2.0
/*
 * Bytes to instruction, for the instructions that compilers and kernels use on
 * device memory. Owns the opcode tables; knows nothing of guests: no access to
 * guest memory, no allocation, no lock, callable from any context, compiled
 * unchanged in userspace by tests/unit.
 *
 * It does not check what the processor checked before it took the EPT
 * violation (privilege, segment limits, canonical addresses), and it decodes
 * memory operands only: a register operand causes no MMIO.
 *
 * SDM vol 2 "Instruction Format" and appendix "Opcode Map".
 */
#include "emulate/decode.h"

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

/* Where the operands are, in the order the SDM writes them. */
enum form {
	UNKNOWN,
	M,			/* ModRM memory alone */
	M_REG,			/* ModRM memory, ModRM register */
	REG_M,			/* ModRM register, ModRM memory */
	M_IMM,			/* ModRM memory, immediate */
	ACC_MOFFS,		/* accumulator, offset in the instruction */
	MOFFS_ACC,
	STR_SI,			/* string whose first read is seg:rSI */
	STR_DI,			/* string with ES:rDI alone */
	GROUP,			/* ModRM.reg selects a row of the group */
};

enum {
	BYTE	= BIT(0),	/* byte operands, else by operand size */
	IMM	= BIT(1),	/* immediate of operand size, 4 bytes at most */
	IMM8	= BIT(2),	/* immediate of one byte */
	MEM8	= BIT(3),	/* memory narrower than the register */
	MEM16	= BIT(4),
	MEM32	= BIT(5),
	LOCKS	= BIT(6),	/* LOCK is allowed */
	ONLY64	= BIT(7),	/* in 64-bit mode only */
	NO64	= BIT(8),	/* in 64-bit mode #UD */
	DEF64	= BIT(9),	/* operand size is 64 in 64-bit mode */
	MIN32	= BIT(10),	/* operand size is 32 even in 16-bit mode */
	NP	= BIT(11),	/* 66, F2, F3 make it another instruction */
};

struct opcode {
	u8 op;
	u8 form;
	u16 flags;
	const struct opcode *group;
};

static const struct opcode group_alu[8] = {
	[0] = { VTX_INSN_ADD,	M_IMM, LOCKS },
	[1] = { VTX_INSN_OR,	M_IMM, LOCKS },
	[2] = { VTX_INSN_ADC,	M_IMM, LOCKS },
	[3] = { VTX_INSN_SBB,	M_IMM, LOCKS },
	[4] = { VTX_INSN_AND,	M_IMM, LOCKS },
	[5] = { VTX_INSN_SUB,	M_IMM, LOCKS },
	[6] = { VTX_INSN_XOR,	M_IMM, LOCKS },
	[7] = { VTX_INSN_CMP,	M_IMM },
};

static const struct opcode group_mov[8] = {
	[0] = { VTX_INSN_STORE_IMM, M_IMM, IMM },
};

static const struct opcode group_pop[8] = {
	[0] = { VTX_INSN_POP,	M, DEF64 },
};

static const struct opcode group_f6[8] = {
	[0] = { VTX_INSN_TEST,	M_IMM, IMM },
	[1] = { VTX_INSN_TEST,	M_IMM, IMM },
	[2] = { VTX_INSN_NOT,	M, LOCKS },
	[3] = { VTX_INSN_NEG,	M, LOCKS },
};

static const struct opcode group_fe[8] = {
	[0] = { VTX_INSN_INC,	M, LOCKS },
	[1] = { VTX_INSN_DEC,	M, LOCKS },
};

static const struct opcode group_ff[8] = {
	[0] = { VTX_INSN_INC,	M, LOCKS },
	[1] = { VTX_INSN_DEC,	M, LOCKS },
	[6] = { VTX_INSN_PUSH,	M, DEF64 },
};

static const struct opcode group_bt[8] = {
	[4] = { VTX_INSN_BT,	M_IMM },
	[5] = { VTX_INSN_BTS,	M_IMM, LOCKS },
	[6] = { VTX_INSN_BTR,	M_IMM, LOCKS },
	[7] = { VTX_INSN_BTC,	M_IMM, LOCKS },
};

static const struct opcode one_byte[256] = {
	[0x00] = { VTX_INSN_ADD,	M_REG, BYTE | LOCKS },
	[0x01] = { VTX_INSN_ADD,	M_REG, LOCKS },
	[0x02] = { VTX_INSN_ADD,	REG_M, BYTE },
	[0x03] = { VTX_INSN_ADD,	REG_M },
	[0x08] = { VTX_INSN_OR,		M_REG, BYTE | LOCKS },
	[0x09] = { VTX_INSN_OR,		M_REG, LOCKS },
	[0x0a] = { VTX_INSN_OR,		REG_M, BYTE },
	[0x0b] = { VTX_INSN_OR,		REG_M },
	[0x10] = { VTX_INSN_ADC,	M_REG, BYTE | LOCKS },
	[0x11] = { VTX_INSN_ADC,	M_REG, LOCKS },
	[0x12] = { VTX_INSN_ADC,	REG_M, BYTE },
	[0x13] = { VTX_INSN_ADC,	REG_M },
	[0x18] = { VTX_INSN_SBB,	M_REG, BYTE | LOCKS },
	[0x19] = { VTX_INSN_SBB,	M_REG, LOCKS },
	[0x1a] = { VTX_INSN_SBB,	REG_M, BYTE },
	[0x1b] = { VTX_INSN_SBB,	REG_M },
	[0x20] = { VTX_INSN_AND,	M_REG, BYTE | LOCKS },
	[0x21] = { VTX_INSN_AND,	M_REG, LOCKS },
	[0x22] = { VTX_INSN_AND,	REG_M, BYTE },
	[0x23] = { VTX_INSN_AND,	REG_M },
	[0x28] = { VTX_INSN_SUB,	M_REG, BYTE | LOCKS },
	[0x29] = { VTX_INSN_SUB,	M_REG, LOCKS },
	[0x2a] = { VTX_INSN_SUB,	REG_M, BYTE },
	[0x2b] = { VTX_INSN_SUB,	REG_M },
	[0x30] = { VTX_INSN_XOR,	M_REG, BYTE | LOCKS },
	[0x31] = { VTX_INSN_XOR,	M_REG, LOCKS },
	[0x32] = { VTX_INSN_XOR,	REG_M, BYTE },
	[0x33] = { VTX_INSN_XOR,	REG_M },
	[0x38] = { VTX_INSN_CMP,	M_REG, BYTE },
	[0x39] = { VTX_INSN_CMP,	M_REG },
	[0x3a] = { VTX_INSN_CMP,	REG_M, BYTE },
	[0x3b] = { VTX_INSN_CMP,	REG_M },
	[0x63] = { VTX_INSN_MOVSX,	REG_M, MEM32 | ONLY64 },
	[0x80] = { 0,			GROUP, BYTE | IMM, group_alu },
	[0x81] = { 0,			GROUP, IMM, group_alu },
	[0x82] = { 0,			GROUP, BYTE | IMM | NO64, group_alu },
	[0x83] = { 0,			GROUP, IMM8, group_alu },
	[0x84] = { VTX_INSN_TEST,	M_REG, BYTE },
	[0x85] = { VTX_INSN_TEST,	M_REG },
	[0x86] = { VTX_INSN_XCHG,	M_REG, BYTE | LOCKS },
	[0x87] = { VTX_INSN_XCHG,	M_REG, LOCKS },
	[0x88] = { VTX_INSN_MOV_STORE,	M_REG, BYTE },
	[0x89] = { VTX_INSN_MOV_STORE,	M_REG },
	[0x8a] = { VTX_INSN_MOV_LOAD,	REG_M, BYTE },
	[0x8b] = { VTX_INSN_MOV_LOAD,	REG_M },
	[0x8f] = { 0,			GROUP, 0, group_pop },
	[0xa0] = { VTX_INSN_MOV_LOAD,	ACC_MOFFS, BYTE },
	[0xa1] = { VTX_INSN_MOV_LOAD,	ACC_MOFFS },
	[0xa2] = { VTX_INSN_MOV_STORE,	MOFFS_ACC, BYTE },
	[0xa3] = { VTX_INSN_MOV_STORE,	MOFFS_ACC },
	[0xa4] = { VTX_INSN_MOVS,	STR_SI, BYTE },
	[0xa5] = { VTX_INSN_MOVS,	STR_SI },
	[0xa6] = { VTX_INSN_CMPS,	STR_SI, BYTE },
	[0xa7] = { VTX_INSN_CMPS,	STR_SI },
	[0xaa] = { VTX_INSN_STOS,	STR_DI, BYTE },
	[0xab] = { VTX_INSN_STOS,	STR_DI },
	[0xac] = { VTX_INSN_LODS,	STR_SI, BYTE },
	[0xad] = { VTX_INSN_LODS,	STR_SI },
	[0xae] = { VTX_INSN_SCAS,	STR_DI, BYTE },
	[0xaf] = { VTX_INSN_SCAS,	STR_DI },
	[0xc6] = { 0,			GROUP, BYTE, group_mov },
	[0xc7] = { 0,			GROUP, 0, group_mov },
	[0xf6] = { 0,			GROUP, BYTE, group_f6 },
	[0xf7] = { 0,			GROUP, 0, group_f6 },
	[0xfe] = { 0,			GROUP, BYTE, group_fe },
	[0xff] = { 0,			GROUP, 0, group_ff },
};

/* After 0F. */
static const struct opcode two_byte[256] = {
	[0xa3] = { VTX_INSN_BT,		M_REG },
	[0xab] = { VTX_INSN_BTS,	M_REG, LOCKS },
	[0xb0] = { VTX_INSN_CMPXCHG,	M_REG, BYTE | LOCKS },
	[0xb1] = { VTX_INSN_CMPXCHG,	M_REG, LOCKS },
	[0xb3] = { VTX_INSN_BTR,	M_REG, LOCKS },
	[0xb6] = { VTX_INSN_MOVZX,	REG_M, MEM8 },
	[0xb7] = { VTX_INSN_MOVZX,	REG_M, MEM16 },
	[0xba] = { 0,			GROUP, IMM8, group_bt },
	[0xbb] = { VTX_INSN_BTC,	M_REG, LOCKS },
	[0xbe] = { VTX_INSN_MOVSX,	REG_M, MEM8 },
	[0xbf] = { VTX_INSN_MOVSX,	REG_M, MEM16 },
	[0xc0] = { VTX_INSN_XADD,	M_REG, BYTE | LOCKS },
	[0xc1] = { VTX_INSN_XADD,	M_REG, LOCKS },
	[0xc3] = { VTX_INSN_MOV_STORE,	M_REG, MIN32 | NP },	/* MOVNTI */
};

/* Base and index of a 16-bit address, by ModRM.rm. */
static const u8 base16[8] = {
	VTX_INSN_RBX, VTX_INSN_RBX, VTX_INSN_RBP, VTX_INSN_RBP,
	VTX_INSN_RSI, VTX_INSN_RDI, VTX_INSN_RBP, VTX_INSN_RBX,
};

static const u8 index16[8] = {
	VTX_INSN_RSI, VTX_INSN_RDI, VTX_INSN_RSI, VTX_INSN_RDI,
	VTX_INSN_NO_REG, VTX_INSN_NO_REG, VTX_INSN_NO_REG, VTX_INSN_NO_REG,
};

#define REX_B	BIT(0)
#define REX_X	BIT(1)
#define REX_R	BIT(2)
#define REX_W	BIT(3)

struct cursor {
	const u8 *bytes;
	unsigned int n;
	unsigned int pos;
	int err;		/* first failure; fetches after it give 0 */
};

struct prefixes {
	bool opsize;
	bool addrsize;
	bool lock;
	u8 rep;			/* F2 or F3, the last one wins */
	u8 rex;			/* 0 without, else 40-4F */
	bool has_seg;
	u8 seg;
};

/* Little-endian, sign-extended. */
static s64 fetch(struct cursor *c, unsigned int size)
{
	u64 value = 0;
	unsigned int i;

	if (!c->err && c->pos + size > VTX_INSN_MAX_LEN)
		c->err = -EINVAL;
	else if (!c->err && c->pos + size > c->n)
		c->err = -ENODATA;
	if (c->err || !size)
		return 0;
	for (i = 0; i < size; i++)
		value |= (u64)c->bytes[c->pos++] << (8 * i);
	return (s64)(value << (64 - 8 * size)) >> (64 - 8 * size);
}

/*
 * ES, CS, SS and DS overrides are ignored in 64-bit mode, and do not cancel an
 * FS or GS before them: SDM vol 1 "Segmentation in 64-Bit Mode".
 */
static void override_segment(struct prefixes *p, unsigned int mode, u8 seg)
{
	if (mode == VTX_INSN_MODE_64 && seg != VTX_INSN_FS && seg != VTX_INSN_GS)
		return;
	p->has_seg = true;
	p->seg = seg;
}

/* Take all prefixes; return the first byte of the opcode. */
static u8 fetch_prefixes(struct cursor *c, unsigned int mode, struct prefixes *p)
{
	for (;;) {
		u8 byte = fetch(c, 1);

		if (mode == VTX_INSN_MODE_64 && (byte & 0xf0) == 0x40) {
			p->rex = byte;
			continue;
		}
		switch (byte) {
		case 0x26:
			override_segment(p, mode, VTX_INSN_ES);
			break;
		case 0x2e:
			override_segment(p, mode, VTX_INSN_CS);
			break;
		case 0x36:
			override_segment(p, mode, VTX_INSN_SS);
			break;
		case 0x3e:
			override_segment(p, mode, VTX_INSN_DS);
			break;
		case 0x64:
			override_segment(p, mode, VTX_INSN_FS);
			break;
		case 0x65:
			override_segment(p, mode, VTX_INSN_GS);
			break;
		case 0x66:
			p->opsize = true;
			break;
		case 0x67:
			p->addrsize = true;
			break;
		case 0xf0:
			p->lock = true;
			break;
		case 0xf2:
		case 0xf3:
			p->rep = byte;
			break;
		default:
			return byte;
		}
		/* Not directly before the opcode, a REX prefix is ignored. */
		p->rex = 0;
	}
}

static void set_sizes(struct vtx_insn *insn, const struct prefixes *p,
		      unsigned int mode, unsigned int flags)
{
	bool wide = (mode != VTX_INSN_MODE_16) != p->opsize || (flags & MIN32);

	if (flags & BYTE)
		insn->op_size = 1;
	else if (p->rex & REX_W)
		insn->op_size = 8;
	else if (mode == VTX_INSN_MODE_64 && (flags & DEF64) && wide)
		insn->op_size = 8;
	else
		insn->op_size = wide ? 4 : 2;

	if (flags & MEM8)
		insn->mem_size = 1;
	else if (flags & MEM16)
		insn->mem_size = 2;
	else if (flags & MEM32)
		insn->mem_size = min_t(u8, insn->op_size, 4);
	else
		insn->mem_size = insn->op_size;

	if (mode == VTX_INSN_MODE_64)
		insn->addr_size = p->addrsize ? 4 : 8;
	else
		insn->addr_size = (mode == VTX_INSN_MODE_32) != p->addrsize ? 4 : 2;
}

static void decode_address16(struct cursor *c, u8 modrm, struct vtx_insn *insn)
{
	u8 mod = modrm >> 6, rm = modrm & 7;

	if (mod == 0 && rm == 6) {
		insn->disp = fetch(c, 2);
		return;
	}
	insn->base = base16[rm];
	insn->index = index16[rm];
	insn->disp = fetch(c, mod);
}

static void decode_address(struct cursor *c, u8 modrm, u8 rex, bool mode64,
			   struct vtx_insn *insn)
{
	u8 mod = modrm >> 6, rm = modrm & 7;

	if (rm == 4) {
		u8 sib = fetch(c, 1);
		u8 index = ((sib >> 3) & 7) | (rex & REX_X ? 8 : 0);

		/* RSP cannot be an index, R12 can. */
		if (index != VTX_INSN_RSP) {
			insn->index = index;
			insn->scale = 1 << (sib >> 6);
		}
		rm = sib & 7;
	} else if (mod == 0 && rm == 5) {
		insn->rip_relative = mode64;
	}

	/* This rule looks at three bits: it takes in R13 as well. */
	if (mod == 0 && rm == 5) {
		insn->disp = fetch(c, 4);
		return;
	}
	insn->base = rm | (rex & REX_B ? 8 : 0);
	insn->disp = fetch(c, mod == 2 ? 4 : mod);
}

static void decode_operands(struct cursor *c, const struct prefixes *p, u8 form,
			    u8 modrm, unsigned int mode, struct vtx_insn *insn)
{
	insn->base = VTX_INSN_NO_REG;
	insn->index = VTX_INSN_NO_REG;
	insn->scale = 1;
	insn->to_reg = form == REG_M || form == ACC_MOFFS;
	insn->has_imm = form == M_IMM;

	switch (form) {
	case ACC_MOFFS:
	case MOFFS_ACC:
		insn->disp = fetch(c, insn->addr_size);
		break;
	case STR_SI:
		insn->base = VTX_INSN_RSI;
		break;
	case STR_DI:
		insn->base = VTX_INSN_RDI;
		insn->seg = VTX_INSN_ES;
		return;
	default:
		insn->reg = ((modrm >> 3) & 7) | (p->rex & REX_R ? 8 : 0);
		if (insn->addr_size == 2)
			decode_address16(c, modrm, insn);
		else
			decode_address(c, modrm, p->rex, mode == VTX_INSN_MODE_64, insn);
		/* A REX prefix, whatever its bits, trades AH..BH for SPL..DIL. */
		if (insn->op_size == 1 && !p->rex && insn->reg >= 4) {
			insn->reg -= 4;
			insn->high8 = true;
		}
	}

	insn->seg = VTX_INSN_DS;
	if (insn->base == VTX_INSN_RSP || insn->base == VTX_INSN_RBP)
		insn->seg = VTX_INSN_SS;
	if (p->has_seg)
		insn->seg = p->seg;
}

static u64 fetch_immediate(struct cursor *c, unsigned int flags, u8 op_size)
{
	unsigned int size = 0;

	if (flags & IMM8)
		size = 1;
	else if (flags & IMM)
		size = min_t(u8, op_size, 4);
	return fetch(c, size) & GENMASK_ULL(8 * op_size - 1, 0);
}

/* Fill in what follows from the opcode; the prefixes have been taken. */
static int decode_opcode(struct cursor *c, const struct prefixes *p, u8 byte,
			 unsigned int mode, struct vtx_insn *insn)
{
	const struct opcode *oc = &one_byte[byte];
	unsigned int flags;
	u8 modrm = 0;

	if (byte == 0x0f)
		oc = &two_byte[(u8)fetch(c, 1)];
	if (!c->err && oc->form == UNKNOWN)
		return -EOPNOTSUPP;
	flags = oc->flags;
	if (flags & (mode == VTX_INSN_MODE_64 ? NO64 : ONLY64))
		return -EOPNOTSUPP;
	if ((flags & NP) && (p->opsize || p->rep))
		return -EOPNOTSUPP;

	if (oc->form < ACC_MOFFS || oc->form == GROUP) {
		modrm = fetch(c, 1);
		if (!c->err && modrm >> 6 == 3)
			return -EOPNOTSUPP;
	}
	if (oc->form == GROUP) {
		oc = &oc->group[(modrm >> 3) & 7];
		flags |= oc->flags;
	}
	if (c->err)
		return c->err;
	if (oc->form == UNKNOWN)
		return -EOPNOTSUPP;
	if (p->lock && !(flags & LOCKS))
		return -EINVAL;

	insn->op = oc->op;
	set_sizes(insn, p, mode, flags);
	decode_operands(c, p, oc->form, modrm, mode, insn);
	insn->imm = fetch_immediate(c, flags, insn->op_size);
	insn->bit_string = oc->form == M_REG &&
			   oc->op >= VTX_INSN_BT && oc->op <= VTX_INSN_BTC;
	insn->lock = p->lock || oc->op == VTX_INSN_XCHG;
	if (oc->form == STR_SI || oc->form == STR_DI) {
		insn->rep = p->rep == 0xf3;
		insn->repne = p->rep == 0xf2;
	}
	return c->err;
}

/**
 * vtx_decode - decode one instruction
 * @bytes: the instruction, from its first prefix on
 * @n: how many bytes are there; those behind the instruction are ignored
 * @mode: default sizes, VTX_INSN_MODE_16, _32 or _64
 * @insn: filled in on success, undefined after an error
 *
 * Context: any; pure.
 *
 * Return: 0; -ENODATA if the instruction goes on behind @n; -EINVAL if it gives
 * #UD or #GP on a processor (LOCK where it is not allowed, over 15 bytes);
 * -EOPNOTSUPP for every other instruction, known to processors or not.
 */
int vtx_decode(const u8 *bytes, unsigned int n, unsigned int mode,
	       struct vtx_insn *insn)
{
	struct cursor c = { .bytes = bytes, .n = n };
	struct prefixes p = { 0 };
	u8 byte;
	int err;

	if (mode != VTX_INSN_MODE_16 && mode != VTX_INSN_MODE_32 &&
	    mode != VTX_INSN_MODE_64)
		return -EINVAL;

	byte = fetch_prefixes(&c, mode, &p);
	if (c.err)
		return c.err;
	memset(insn, 0, sizeof(*insn));
	err = decode_opcode(&c, &p, byte, mode, insn);
	insn->len = c.pos;
	return err;
}
