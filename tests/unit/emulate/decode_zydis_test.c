// SPDX-License-Identifier: GPL-2.0
/*
 * vtx_decode() against Zydis, an independent decoder, over random encodings:
 * what it accepts means the same to Zydis in every field, and what Zydis
 * accepts of the claimed instructions it does not refuse.
 *
 * SEED and ROUNDS (per mode) come from the environment.
 */
#include <Zydis/Zydis.h>
#include <errno.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <string.h>

#include "emulate/decode.h"
#include "tap.h"

static unsigned long seed;

static u8 random_of(const u8 *choices, unsigned int n)
{
	return choices[next_random(&seed) % n];
}

static const u8 known_one_byte[] = {
	0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13,
	0x18, 0x19, 0x1a, 0x1b, 0x20, 0x21, 0x22, 0x23, 0x28, 0x29, 0x2a, 0x2b,
	0x30, 0x31, 0x32, 0x33, 0x38, 0x39, 0x3a, 0x3b, 0x63, 0x80, 0x81, 0x82,
	0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8f, 0xa0, 0xa1,
	0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
	0xc6, 0xc7, 0xf6, 0xf7, 0xfe, 0xff,
};

static const u8 known_two_byte[] = {
	0xa3, 0xab, 0xb0, 0xb1, 0xb3, 0xb6, 0xb7, 0xba, 0xbb, 0xbe, 0xbf, 0xc0,
	0xc1, 0xc3,
};

static const u8 legacy_prefixes[] = {
	0x66, 0x67, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
};

/* Two of three times a known opcode behind random prefixes, else noise. */
static void random_bytes(u8 *bytes, unsigned int mode)
{
	unsigned long r = next_random(&seed);
	unsigned int prefixes = r % 16 < 12 ? r % 4 : r % 16, pos = 0;
	unsigned int i;

	for (i = 0; i < 16; i++)
		bytes[i] = next_random(&seed) >> 32;
	if (r >> 32 & 1 && r >> 33 & 1)
		return;
	for (i = 0; i < prefixes && pos < 13; i++) {
		if (mode == 64 && !(next_random(&seed) % 4))
			bytes[pos++] = 0x40 | (next_random(&seed) >> 32 & 0xf);
		else
			bytes[pos++] = random_of(legacy_prefixes, sizeof(legacy_prefixes));
	}
	if (mode == 64 && r >> 34 & 1 && pos < 13)
		bytes[pos++] = 0x40 | (r >> 40 & 0xf);
	if (r >> 35 & 1) {
		bytes[pos++] = 0x0f;
		bytes[pos] = random_of(known_two_byte, sizeof(known_two_byte));
	} else {
		bytes[pos] = random_of(known_one_byte, sizeof(known_one_byte));
	}
	/* Groups are reg-sensitive and mod = 3 is refused: favour the others. */
	if (pos + 1 < 16 && r >> 36 & 1)
		bytes[pos + 1] &= 0xbf;
}

#define STRING(name, op) \
	{ ZYDIS_MNEMONIC_##name##B, op }, { ZYDIS_MNEMONIC_##name##W, op }, \
	{ ZYDIS_MNEMONIC_##name##D, op }, { ZYDIS_MNEMONIC_##name##Q, op }

static const struct {
	ZydisMnemonic mnemonic;
	enum vtx_insn_op op;
} mnemonics[] = {
	{ ZYDIS_MNEMONIC_MOVNTI, VTX_INSN_MOV_STORE },
	{ ZYDIS_MNEMONIC_MOVZX, VTX_INSN_MOVZX },
	{ ZYDIS_MNEMONIC_MOVSX, VTX_INSN_MOVSX },
	{ ZYDIS_MNEMONIC_MOVSXD, VTX_INSN_MOVSX },
	STRING(MOVS, VTX_INSN_MOVS),
	STRING(STOS, VTX_INSN_STOS),
	STRING(LODS, VTX_INSN_LODS),
	STRING(CMPS, VTX_INSN_CMPS),
	STRING(SCAS, VTX_INSN_SCAS),
	{ ZYDIS_MNEMONIC_ADD, VTX_INSN_ADD },
	{ ZYDIS_MNEMONIC_OR, VTX_INSN_OR },
	{ ZYDIS_MNEMONIC_ADC, VTX_INSN_ADC },
	{ ZYDIS_MNEMONIC_SBB, VTX_INSN_SBB },
	{ ZYDIS_MNEMONIC_AND, VTX_INSN_AND },
	{ ZYDIS_MNEMONIC_SUB, VTX_INSN_SUB },
	{ ZYDIS_MNEMONIC_XOR, VTX_INSN_XOR },
	{ ZYDIS_MNEMONIC_CMP, VTX_INSN_CMP },
	{ ZYDIS_MNEMONIC_TEST, VTX_INSN_TEST },
	{ ZYDIS_MNEMONIC_INC, VTX_INSN_INC },
	{ ZYDIS_MNEMONIC_DEC, VTX_INSN_DEC },
	{ ZYDIS_MNEMONIC_NEG, VTX_INSN_NEG },
	{ ZYDIS_MNEMONIC_NOT, VTX_INSN_NOT },
	{ ZYDIS_MNEMONIC_BT, VTX_INSN_BT },
	{ ZYDIS_MNEMONIC_BTS, VTX_INSN_BTS },
	{ ZYDIS_MNEMONIC_BTR, VTX_INSN_BTR },
	{ ZYDIS_MNEMONIC_BTC, VTX_INSN_BTC },
	{ ZYDIS_MNEMONIC_XCHG, VTX_INSN_XCHG },
	{ ZYDIS_MNEMONIC_XADD, VTX_INSN_XADD },
	{ ZYDIS_MNEMONIC_CMPXCHG, VTX_INSN_CMPXCHG },
	{ ZYDIS_MNEMONIC_PUSH, VTX_INSN_PUSH },
	{ ZYDIS_MNEMONIC_POP, VTX_INSN_POP },
};

struct reference {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	const ZydisDecodedOperand *mem, *other;	/* other: explicit, or null */
	enum vtx_insn_op op;
};

static bool is_gpr(ZydisRegister reg)
{
	ZydisRegisterClass class = ZydisRegisterGetClass(reg);

	return class >= ZYDIS_REGCLASS_GPR8 && class <= ZYDIS_REGCLASS_GPR64;
}

static bool is_accumulator(const ZydisDecodedOperand *op)
{
	return op->type == ZYDIS_OPERAND_TYPE_REGISTER && is_gpr(op->reg.value) &&
	       ZydisRegisterGetId(op->reg.value) == VTX_INSN_RAX;
}

/* The claimed operation, or VTX_INSN_NONE for what the decoder need not know. */
static enum vtx_insn_op classify(struct reference *r)
{
	bool string = r->insn.meta.category == ZYDIS_CATEGORY_STRINGOP;
	unsigned int i;

	r->mem = NULL;
	r->other = NULL;
	/* Of two memory operands the read one is the decoder's first. */
	for (i = 0; i < r->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &r->ops[i];

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			bool source = string &&
				      ZydisRegisterGetId(op->mem.base) == VTX_INSN_RSI;

			if (!string && op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
				continue;
			if (!r->mem || source)
				r->mem = op;
		} else if (string ? is_accumulator(op) :
			   op->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
			r->other = op;
		}
	}
	if (!r->mem || r->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return VTX_INSN_NONE;
	if (r->other && r->other->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    !is_gpr(r->other->reg.value))
		return VTX_INSN_NONE;
	if (r->insn.mnemonic == ZYDIS_MNEMONIC_MOV) {
		if (r->other->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return VTX_INSN_STORE_IMM;
		return r->mem == &r->ops[0] ? VTX_INSN_MOV_STORE : VTX_INSN_MOV_LOAD;
	}
	for (i = 0; i < ARRAY_SIZE(mnemonics); i++)
		if (mnemonics[i].mnemonic == r->insn.mnemonic)
			return mnemonics[i].op;
	return VTX_INSN_NONE;
}

static bool same_address_register(ZydisRegister reg, u8 ours)
{
	if (reg == ZYDIS_REGISTER_NONE || reg == ZYDIS_REGISTER_RIP ||
	    reg == ZYDIS_REGISTER_EIP)
		return ours == VTX_INSN_NO_REG;
	return is_gpr(reg) && ZydisRegisterGetId(reg) == ours;
}

static bool same_register_operand(const struct reference *r, const struct vtx_insn *v)
{
	ZydisRegister reg = r->other->reg.value;

	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return v->high8 && v->reg == reg - ZYDIS_REGISTER_AH;
	if (ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_GPR8 &&
	    reg > ZYDIS_REGISTER_BH)	/* SPL..R15B */
		return !v->high8 && v->reg == reg - ZYDIS_REGISTER_SPL + 4;
	return !v->high8 && v->reg == ZydisRegisterGetId(reg);
}

static bool same_segment(ZydisRegister reg, u8 ours)
{
	/* In the order of their encoding there, too. */
	return reg >= ZYDIS_REGISTER_ES && reg <= ZYDIS_REGISTER_GS &&
	       reg - ZYDIS_REGISTER_ES == ours;
}

static u64 truncate(u64 value, unsigned int size)
{
	return size == 8 ? value : value & ((1ULL << 8 * size) - 1);
}

/*
 * Zydis 4.0 takes [disp32 + index] for [r13d + index] with REX.B and a 67
 * prefix. Processors do not; insn_test runs the encoding on one.
 */
static bool zydis_mistakes_address(const struct reference *r)
{
	return r->mem->mem.base == ZYDIS_REGISTER_R13D && r->insn.raw.modrm.mod == 0;
}

/* Zydis's width of MOVNTI is 16 in 16-bit mode, with a register of 32. */
static unsigned int operand_width(const struct reference *r)
{
	if (r->insn.mnemonic == ZYDIS_MNEMONIC_MOVNTI)
		return r->other->size;
	return r->insn.operand_width;
}

/* To Zydis "movsxd r16" has 32 bits in memory, to SDM vol 2 "MOVSXD" 16. */
static unsigned int memory_width(const struct reference *r)
{
	if (r->insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD && r->insn.operand_width == 16)
		return 16;
	return r->mem->size;
}

/* The first field in which the decoders differ, or null. */
static const char *difference(const struct reference *r, const struct vtx_insn *v)
{
	const ZydisDecodedOperandMem *m = &r->mem->mem;
	bool string = v->op >= VTX_INSN_MOVS && v->op <= VTX_INSN_SCAS;
	bool ends_early = v->op == VTX_INSN_CMPS || v->op == VTX_INSN_SCAS;
	ZydisInstructionAttributes attr = r->insn.attributes;
	ZydisInstructionAttributes repeats = ends_early ? ZYDIS_ATTRIB_HAS_REPE :
							  ZYDIS_ATTRIB_HAS_REP;

	if (v->op != r->op)
		return "op";
	if (v->len != r->insn.length)
		return "len";
	if (v->op_size * 8 != operand_width(r))
		return "op_size";
	if (v->mem_size * 8 != memory_width(r))
		return "mem_size";
	if (v->addr_size * 8 != r->insn.address_width)
		return "addr_size";
	if (!same_segment(m->segment, v->seg))
		return "seg";
	if (!zydis_mistakes_address(r)) {
		if (!same_address_register(m->base, v->base))
			return "base";
		if (truncate(m->disp.value, v->addr_size) != truncate(v->disp, v->addr_size))
			return "disp";
	}
	if (!same_address_register(m->index, v->index))
		return "index";
	if (m->index != ZYDIS_REGISTER_NONE && m->scale != v->scale)
		return "scale";
	if (v->rip_relative != (m->base == ZYDIS_REGISTER_RIP || m->base == ZYDIS_REGISTER_EIP))
		return "rip_relative";
	/* XCHG locks without the prefix, too. */
	if (v->lock != (v->op == VTX_INSN_XCHG || attr & ZYDIS_ATTRIB_HAS_LOCK))
		return "lock";
	if (v->rep != (string && attr & repeats))
		return "rep";
	if (ends_early && v->repne != !!(attr & ZYDIS_ATTRIB_HAS_REPNE))
		return "repne";
	if (v->has_imm != (r->other && r->other->type == ZYDIS_OPERAND_TYPE_IMMEDIATE))
		return "has_imm";
	/* Bit offsets are taken modulo the operand size, so their sign is moot. */
	if (v->has_imm && v->op >= VTX_INSN_BT && v->op <= VTX_INSN_BTC)
		return (v->imm ^ r->other->imm.value.u) % (8 * v->op_size) ? "imm" : NULL;
	if (v->has_imm && v->imm != truncate(r->other->imm.value.u, v->op_size))
		return "imm";
	if (r->other && r->other->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		if (!same_register_operand(r, v))
			return "reg";
		if (!string && v->to_reg != (r->other < r->mem))
			return "to_reg";
	}
	return NULL;
}

struct tally {
	unsigned long accepted, refused, by_op[VTX_INSN_POP + 1];
};

static void report(const u8 *bytes, unsigned int mode, const char *what,
		   int err, const struct reference *r)
{
	unsigned int i;

	printf("# %u-bit", mode);
	for (i = 0; i < VTX_INSN_MAX_LEN; i++)
		printf(" %02x", bytes[i]);
	printf(": %s, vtx %d, zydis %s\n", what, err,
	       r ? ZydisMnemonicGetString(r->insn.mnemonic) : "refuses");
}

static bool compare(const ZydisDecoder *zydis, unsigned int mode, const u8 *bytes,
		    struct tally *tally)
{
	struct reference r;
	struct vtx_insn v;
	ZyanStatus status;
	const char *field;
	unsigned int n;
	int err;

	err = vtx_decode(bytes, 16, mode, &v);
	status = ZydisDecoderDecodeFull(zydis, bytes, VTX_INSN_MAX_LEN, &r.insn, r.ops);
	if (!ZYAN_SUCCESS(status)) {
		tally->refused += err != 0;
		if (!err)
			report(bytes, mode, "accepted", err, NULL);
		return err;
	}
	r.op = classify(&r);
	if (err) {
		tally->refused++;
		if (r.op != VTX_INSN_NONE)
			report(bytes, mode, "refused", err, &r);
		return r.op == VTX_INSN_NONE;
	}
	field = r.mem ? difference(&r, &v) : "no memory operand";
	if (field) {
		report(bytes, mode, field, err, &r);
		return false;
	}
	for (n = 0; n < v.len; n++) {
		struct vtx_insn part;

		err = vtx_decode(bytes, n, mode, &part);
		if (err != -ENODATA) {
			report(bytes, mode, "a part of it is not -ENODATA", err, &r);
			return false;
		}
	}
	tally->accepted++;
	tally->by_op[v.op]++;
	return true;
}

static void test_mode(unsigned int mode, ZydisMachineMode machine, ZydisStackWidth stack)
{
	unsigned long i, rounds = env_number("ROUNDS", 700000), failures = 0;
	struct tally tally = { 0 };
	ZydisDecoder zydis;
	unsigned int op;

	if (!ZYAN_SUCCESS(ZydisDecoderInit(&zydis, machine, stack)))
		abort();
	for (i = 0; i < rounds && failures < 20; i++) {
		u8 bytes[16];

		random_bytes(bytes, mode);
		failures += !compare(&zydis, mode, bytes, &tally);
	}
	printf("# %u-bit: %lu encodings, %lu accepted, %lu refused\n", mode, i,
	       tally.accepted, tally.refused);
	tap_ok(!failures, "%u-bit decoding agrees with Zydis", mode);

	for (op = VTX_INSN_MOV_LOAD; op <= VTX_INSN_POP; op++) {
		if (!tally.by_op[op]) {
			printf("# operation %u never seen\n", op);
			failures++;
		}
	}
	tap_ok(!failures, "%u-bit encodings reached every operation", mode);
}

int main(void)
{
	seed = env_number("SEED", 1);
	printf("# SEED=%lu\n", seed);
	test_mode(16, ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16);
	test_mode(32, ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32);
	test_mode(64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	return tap_finish();
}
