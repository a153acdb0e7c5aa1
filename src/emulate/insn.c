// SPDX-License-Identifier: GPL-2.0
/*
 * Executes decoded instructions on values: registers in, registers, flags and
 * the value to store out. Owns the arithmetic and the register merging rules;
 * reads and writes no guest memory, which is exit_io.c's part. Pure as
 * decode.c is, and tested in userspace against the processor itself.
 *
 * Flags that the SDM leaves undefined are given the values that processors
 * give them: AF is 0 after logical instructions, and bit tests change CF only.
 */
#include "emulate/insn.h"

#include <linux/bits.h>
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/log2.h>

#include <asm/processor-flags.h>

#define ARITH_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

static u64 value_mask(unsigned int size)
{
	return GENMASK_ULL(8 * size - 1, 0);
}

static u64 sign_bit(unsigned int size)
{
	return BIT_ULL(8 * size - 1);
}

/* As the processor writes a register: 8 and 16 bits merge, 32 zero-extend. */
static void write_gpr(u64 *gpr, unsigned int size, u64 value)
{
	if (size < 4)
		*gpr = (*gpr & ~value_mask(size)) | (value & value_mask(size));
	else
		*gpr = value & value_mask(size);
}

static u64 read_reg(const struct vtx_insn *insn, const u64 *gprs)
{
	return (gprs[insn->reg] >> (insn->high8 ? 8 : 0)) & value_mask(insn->op_size);
}

/**
 * vtx_insn_effective_offset - where the memory operand is in its segment
 * @insn: decoded instruction
 * @gprs: registers before the instruction
 * @rip_next: RIP of the next instruction
 *
 * Return: the offset in segment @insn->seg; for MOVS and CMPS that of the
 * operand read first.
 */
u64 vtx_insn_effective_offset(const struct vtx_insn *insn, const u64 *gprs,
			      u64 rip_next)
{
	u64 offset = insn->disp;

	if (insn->rip_relative)
		offset += rip_next;
	if (insn->base != VTX_INSN_NO_REG)
		offset += gprs[insn->base];
	if (insn->index != VTX_INSN_NO_REG)
		offset += gprs[insn->index] * insn->scale;
	/* POP computes its address after it has incremented RSP. */
	if (insn->op == VTX_INSN_POP && insn->base == VTX_INSN_RSP)
		offset += insn->op_size;
	/*
	 * The bit offset is signed and counts from the operand's bit 0; what
	 * lies outside the operand moves the operand, by its own size.
	 */
	if (insn->bit_string) {
		s64 bit = sign_extend64(read_reg(insn, gprs), 8 * insn->op_size - 1);

		offset += (bit >> (ilog2(insn->op_size) + 3)) * insn->op_size;
	}
	return offset & value_mask(insn->addr_size);
}

/**
 * vtx_insn_string_dest - the offset rDI of a string instruction in ES
 * @insn: decoded MOVS, CMPS, STOS or SCAS
 * @gprs: registers
 *
 * Return: rDI by address size.
 */
u64 vtx_insn_string_dest(const struct vtx_insn *insn, const u64 *gprs)
{
	return gprs[VTX_INSN_RDI] & value_mask(insn->addr_size);
}

/**
 * vtx_insn_store_value - the second operand where it is not memory
 * @insn: decoded instruction
 * @gprs: registers
 *
 * Return: what MOV, STORE_IMM and STOS write: immediate, register or
 * accumulator, zero above the operand.
 */
u64 vtx_insn_store_value(const struct vtx_insn *insn, const u64 *gprs)
{
	return insn->has_imm ? insn->imm : read_reg(insn, gprs);
}

/**
 * vtx_insn_load_result - write the register operand
 * @insn: decoded instruction
 * @gprs: registers, of which @insn->reg is changed
 * @value: what memory gave; only the operand's bytes of it count
 *
 * Extends as MOVZX and MOVSX ask for.
 */
void vtx_insn_load_result(const struct vtx_insn *insn, u64 *gprs, u64 value)
{
	u64 *gpr = &gprs[insn->reg];

	value &= value_mask(insn->mem_size);
	if (insn->op == VTX_INSN_MOVSX)
		value = sign_extend64(value, 8 * insn->mem_size - 1);
	if (insn->high8)
		*gpr = (*gpr & ~0xff00ULL) | value << 8;
	else
		write_gpr(gpr, insn->op_size, value);
}

static void set_flags(u64 *rflags, u64 affected, u64 flags)
{
	*rflags = (*rflags & ~affected) | (flags & affected);
}

static u64 flag_if(bool condition, u64 flag)
{
	return condition ? flag : 0;
}

/* SF, ZF and PF, which every result sets alike. */
static u64 result_flags(u64 result, unsigned int size)
{
	return flag_if(result & sign_bit(size), X86_EFLAGS_SF) |
	       flag_if(!result, X86_EFLAGS_ZF) |
	       flag_if(!(hweight8(result & 0xff) & 1), X86_EFLAGS_PF);
}

/* CF and AF are the carries out of the top bit and out of bit 3. */
static u64 carry_flags(u64 carries, bool overflow, unsigned int size)
{
	return flag_if(carries & sign_bit(size), X86_EFLAGS_CF) |
	       flag_if(carries & BIT(3), X86_EFLAGS_AF) |
	       flag_if(overflow, X86_EFLAGS_OF);
}

static u64 add(u64 a, u64 b, bool carry, unsigned int size, u64 affected, u64 *rflags)
{
	u64 r = (a + b + carry) & value_mask(size);
	bool overflow = (a ^ r) & (b ^ r) & sign_bit(size);

	set_flags(rflags, affected, result_flags(r, size) |
		  carry_flags((a & b) | ((a | b) & ~r), overflow, size));
	return r;
}

static u64 subtract(u64 a, u64 b, bool borrow, unsigned int size, u64 affected,
		    u64 *rflags)
{
	u64 r = (a - b - borrow) & value_mask(size);
	bool overflow = (a ^ b) & (a ^ r) & sign_bit(size);

	set_flags(rflags, affected, result_flags(r, size) |
		  carry_flags((~a & b) | ((~a | b) & r), overflow, size));
	return r;
}

static u64 logic(u64 r, unsigned int size, u64 *rflags)
{
	set_flags(rflags, ARITH_FLAGS, result_flags(r, size));
	return r;
}

static u64 bit_test(u8 op, u64 value, u64 offset, unsigned int size, u64 *rflags)
{
	u64 bit = BIT_ULL(offset & (8 * size - 1));

	set_flags(rflags, X86_EFLAGS_CF, flag_if(value & bit, X86_EFLAGS_CF));
	switch (op) {
	case VTX_INSN_BTS:
		return value | bit;
	case VTX_INSN_BTR:
		return value & ~bit;
	case VTX_INSN_BTC:
		return value ^ bit;
	default:
		return value;
	}
}

/**
 * vtx_insn_alu - the arithmetic of an instruction
 * @insn: decoded instruction
 * @mem: memory operand
 * @regval: the other operand: @insn->reg's value (ignored with an immediate and
 *	for one operand), the accumulator for CMPXCHG, [seg:rSI] for CMPS
 * @rflags: changed as the processor changes it
 *
 * Return: the result, zero above the operand; for CMP, CMPS, SCAS and CMPXCHG
 * the difference, which nobody stores.
 */
u64 vtx_insn_alu(const struct vtx_insn *insn, u64 mem, u64 regval, u64 *rflags)
{
	unsigned int size = insn->op_size;
	bool carry = *rflags & X86_EFLAGS_CF;
	u64 other = insn->has_imm ? insn->imm : regval & value_mask(size);
	u64 a, b;

	mem &= value_mask(size);
	a = insn->to_reg ? other : mem;
	b = insn->to_reg ? mem : other;

	switch (insn->op) {
	case VTX_INSN_ADD:
	case VTX_INSN_XADD:
		return add(a, b, false, size, ARITH_FLAGS, rflags);
	case VTX_INSN_ADC:
		return add(a, b, carry, size, ARITH_FLAGS, rflags);
	case VTX_INSN_INC:
		return add(mem, 1, false, size, ARITH_FLAGS & ~X86_EFLAGS_CF, rflags);
	case VTX_INSN_SUB:
	case VTX_INSN_CMP:
		return subtract(a, b, false, size, ARITH_FLAGS, rflags);
	case VTX_INSN_SBB:
		return subtract(a, b, carry, size, ARITH_FLAGS, rflags);
	case VTX_INSN_DEC:
		return subtract(mem, 1, false, size, ARITH_FLAGS & ~X86_EFLAGS_CF, rflags);
	case VTX_INSN_NEG:
		return subtract(0, mem, false, size, ARITH_FLAGS, rflags);
	case VTX_INSN_CMPS:
	case VTX_INSN_SCAS:
	case VTX_INSN_CMPXCHG:
		return subtract(other, mem, false, size, ARITH_FLAGS, rflags);
	case VTX_INSN_OR:
		return logic(a | b, size, rflags);
	case VTX_INSN_XOR:
		return logic(a ^ b, size, rflags);
	case VTX_INSN_AND:
	case VTX_INSN_TEST:
		return logic(a & b, size, rflags);
	case VTX_INSN_NOT:
		return ~mem & value_mask(size);
	case VTX_INSN_BT:
	case VTX_INSN_BTS:
	case VTX_INSN_BTR:
	case VTX_INSN_BTC:
		return bit_test(insn->op, mem, other, size, rflags);
	default:
		return mem;
	}
}

static noinline u64 compute(const struct vtx_insn *insn, u64 mem, u64 *gprs, u64 *rflags)
{
	u64 reg = read_reg(insn, gprs);
	u64 result;

	switch (insn->op) {
	case VTX_INSN_XCHG:
		vtx_insn_load_result(insn, gprs, mem);
		return reg;
	case VTX_INSN_XADD:
		result = vtx_insn_alu(insn, mem, reg, rflags);
		vtx_insn_load_result(insn, gprs, mem);
		return result;
	case VTX_INSN_CMPXCHG:
		vtx_insn_alu(insn, mem, gprs[VTX_INSN_RAX], rflags);
		if (*rflags & X86_EFLAGS_ZF)
			return reg;
		write_gpr(&gprs[VTX_INSN_RAX], insn->op_size, mem);
		return mem;
	default:
		result = vtx_insn_alu(insn, mem, reg, rflags);
		if (insn->to_reg && insn->op != VTX_INSN_CMP)
			vtx_insn_load_result(insn, gprs, result);
		return result;
	}
}

/**
 * vtx_insn_execute - an instruction that reads memory, once the value is there
 * @insn: decoded instruction, not MOVS or CMPS, which have two memory operands
 * @mem: value of the memory operand
 * @gprs: registers, changed as the processor changes them
 * @rflags: likewise
 *
 * RIP and the registers that string instructions step are the caller's, and
 * so is the stack of PUSH.
 *
 * Return: the value to store if vtx_insn_writes_mem(), to push for PUSH, zero above
 * the operand; else of no meaning.
 */
u64 vtx_insn_execute(const struct vtx_insn *insn, u64 mem, u64 *gprs, u64 *rflags)
{
	switch (insn->op) {
	case VTX_INSN_MOV_LOAD:
	case VTX_INSN_MOVZX:
	case VTX_INSN_MOVSX:
	case VTX_INSN_LODS:
		vtx_insn_load_result(insn, gprs, mem);
		return 0;
	default:
		return compute(insn, mem & value_mask(insn->mem_size), gprs, rflags);
	}
}

/**
 * vtx_insn_string_count - how many rounds a string instruction has left
 * @insn: decoded string instruction
 * @gprs: registers
 *
 * Return: rCX by address size with a repeat prefix (0 is possible: then it
 * does nothing), else 1.
 */
u64 vtx_insn_string_count(const struct vtx_insn *insn, const u64 *gprs)
{
	if (!insn->rep && !insn->repne)
		return 1;
	return gprs[VTX_INSN_RCX] & value_mask(insn->addr_size);
}

/**
 * vtx_insn_string_step - advance rSI, rDI and rCX over finished rounds
 * @insn: decoded string instruction
 * @gprs: registers, changed
 * @rflags: for DF
 * @count: rounds done; 1 without a repeat prefix
 */
void vtx_insn_string_step(const struct vtx_insn *insn, u64 *gprs, u64 rflags,
			  u64 count)
{
	u64 delta = count * insn->op_size;

	if (rflags & X86_EFLAGS_DF)
		delta = -delta;
	if (insn->base == VTX_INSN_RSI)
		write_gpr(&gprs[VTX_INSN_RSI], insn->addr_size,
			  gprs[VTX_INSN_RSI] + delta);
	if (insn->op != VTX_INSN_LODS)
		write_gpr(&gprs[VTX_INSN_RDI], insn->addr_size,
			  gprs[VTX_INSN_RDI] + delta);
	if (insn->rep || insn->repne)
		write_gpr(&gprs[VTX_INSN_RCX], insn->addr_size,
			  gprs[VTX_INSN_RCX] - count);
}

/**
 * vtx_insn_string_done - is a string instruction finished after a step?
 * @insn: decoded string instruction
 * @gprs: registers after vtx_insn_string_step()
 * @rflags: flags after the round, whose ZF ends REPE and REPNE CMPS and SCAS
 *
 * Return: true if RIP moves on, false if there is another round.
 */
bool vtx_insn_string_done(const struct vtx_insn *insn, const u64 *gprs, u64 rflags)
{
	bool equal = rflags & X86_EFLAGS_ZF;

	if (!insn->rep && !insn->repne)
		return true;
	if (insn->op == VTX_INSN_CMPS || insn->op == VTX_INSN_SCAS)
		if (equal != insn->rep)
			return true;
	return !vtx_insn_string_count(insn, gprs);
}
