/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instruction decoder for MMIO: bytes in, struct vtx_insn out. What an
 * instruction then does to registers, flags and memory is in insn.h.
 */
#ifndef _VTX_DECODE_H
#define _VTX_DECODE_H

#include <linux/types.h>

/* No instruction is longer: SDM vol 2 "Instruction Format", vol 3 #GP(0). */
#define VTX_INSN_MAX_LEN	15

/* The default operand and address size: CS.L = 1, else CS.D = 1, else neither. */
#define VTX_INSN_MODE_16	16
#define VTX_INSN_MODE_32	32
#define VTX_INSN_MODE_64	64

/* "No such register" in the base and index of a memory operand. */
#define VTX_INSN_NO_REG		0xff

/* Indices into the register file that the decoder's callers hold. */
enum vtx_insn_gpr {
	VTX_INSN_RAX,
	VTX_INSN_RCX,
	VTX_INSN_RDX,
	VTX_INSN_RBX,
	VTX_INSN_RSP,
	VTX_INSN_RBP,
	VTX_INSN_RSI,
	VTX_INSN_RDI,
	VTX_INSN_GPRS = 16,
};

/* By their encoding in instructions, which is that of VMCS fields: enum vtx_seg. */
enum vtx_insn_seg {
	VTX_INSN_ES,
	VTX_INSN_CS,
	VTX_INSN_SS,
	VTX_INSN_DS,
	VTX_INSN_FS,
	VTX_INSN_GS,
};

enum vtx_insn_op {
	VTX_INSN_NONE,
	VTX_INSN_MOV_LOAD,	/* reg = mem */
	VTX_INSN_MOV_STORE,	/* mem = reg */
	VTX_INSN_STORE_IMM,	/* mem = imm */
	VTX_INSN_MOVZX,		/* reg = zero-extended mem */
	VTX_INSN_MOVSX,		/* reg = sign-extended mem */

	/* String instructions, see vtx_insn.rep. */
	VTX_INSN_MOVS,		/* ES:rDI = seg:rSI */
	VTX_INSN_STOS,		/* ES:rDI = accumulator */
	VTX_INSN_LODS,		/* accumulator = seg:rSI */
	VTX_INSN_CMPS,		/* flags of seg:rSI - ES:rDI */
	VTX_INSN_SCAS,		/* flags of accumulator - ES:rDI */

	/* Two operands, either of which may be the memory: vtx_insn.to_reg. */
	VTX_INSN_ADD,
	VTX_INSN_OR,
	VTX_INSN_ADC,
	VTX_INSN_SBB,
	VTX_INSN_AND,
	VTX_INSN_SUB,
	VTX_INSN_XOR,
	VTX_INSN_CMP,

	VTX_INSN_TEST,
	VTX_INSN_INC,
	VTX_INSN_DEC,
	VTX_INSN_NEG,
	VTX_INSN_NOT,
	VTX_INSN_BT,
	VTX_INSN_BTS,
	VTX_INSN_BTR,
	VTX_INSN_BTC,
	VTX_INSN_XCHG,
	VTX_INSN_XADD,
	VTX_INSN_CMPXCHG,
	VTX_INSN_PUSH,		/* stack = mem */
	VTX_INSN_POP,		/* mem = stack */
};

/**
 * struct vtx_insn - a decoded instruction with one memory operand
 * @op: what it does, &enum vtx_insn_op
 * @len: bytes of the whole instruction
 * @op_size: operand size in bytes: 1, 2, 4 or 8
 * @mem_size: bytes of the memory operand; below @op_size where it is extended
 * @addr_size: address size in bytes: 2, 4 or 8
 * @reg: the register operand, &enum vtx_insn_gpr; meaningless with @has_imm
 *	and for one-operand instructions
 * @high8: @reg is AH, CH, DH or BH: bits 15:8 of RAX, RCX, RDX or RBX
 * @to_reg: @reg is the first operand (ADD reg, mem), not the second; not set
 *	for string instructions
 * @has_imm: the second operand is @imm
 * @bit_string: BT* with the bit offset in @reg, which reaches outside the
 *	addressed operand; vtx_insn_effective_offset() takes it into account
 * @lock: LOCK prefix, or XCHG, which locks without
 * @rep: string instruction repeated while rCX != 0 (CMPS, SCAS: and ZF = 1)
 * @repne: as @rep, but for CMPS and SCAS: while ZF = 0
 * @rip_relative: the address is relative to the next instruction
 * @seg: effective segment of the memory operand, &enum vtx_insn_seg
 * @base: base register or %VTX_INSN_NO_REG
 * @index: index register or %VTX_INSN_NO_REG
 * @scale: factor of @index: 1, 2, 4 or 8
 * @disp: displacement, sign-extended; for A0-A3 the whole offset
 * @imm: immediate, sign-extended to @op_size, zero above
 *
 * Of the two memory operands of MOVS and CMPS, @seg and @base are the first
 * read (seg:rSI); the other is always ES:rDI.
 */
struct vtx_insn {
	u8 op;
	u8 len;
	u8 op_size;
	u8 mem_size;
	u8 addr_size;
	u8 reg;
	bool high8;
	bool to_reg;
	bool has_imm;
	bool bit_string;
	bool lock;
	bool rep;
	bool repne;
	bool rip_relative;
	u8 seg;
	u8 base;
	u8 index;
	u8 scale;
	s64 disp;
	u64 imm;
};

int vtx_decode(const u8 *bytes, unsigned int n, unsigned int mode,
	       struct vtx_insn *insn);

#endif /* _VTX_DECODE_H */
