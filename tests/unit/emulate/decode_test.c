// SPDX-License-Identifier: GPL-2.0
/*
 * vtx_decode() on instructions picked by hand: those that guests were seen to
 * use on device memory, in every mode and size, and the edges of the format.
 * A row is what an assembler's listing shows, so that it can be read.
 */
#include <errno.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <string.h>

#include "emulate/decode.h"
#include "tap.h"

static const struct {
	unsigned int mode;
	const char *bytes;
	const char *expect;
} rows[] = {
	/* 64-bit Linux: reads. */
	{ 64, "8b 03",			"load4 eax, ds:[rbx]" },
	{ 64, "66 8b 46 02",		"load2 ax, ds:[rsi+2]" },
	{ 64, "48 8b 04 25 f0 00 e0 fe", "load8 rax, ds:[-0x11fff10]" },
	{ 64, "8a 45 00",		"load1 al, ss:[rbp]" },
	{ 64, "44 8a 07",		"load1 r8b, ds:[rdi]" },
	{ 64, "0f b7 07",		"movzx4 eax, 2 ds:[rdi]" },
	{ 64, "41 0f b7 44 24 10",	"movzx4 eax, 2 ds:[r12+0x10]" },
	{ 64, "0f b6 11",		"movzx4 edx, 1 ds:[rcx]" },
	{ 64, "48 0f b6 11",		"movzx8 rdx, 1 ds:[rcx]" },
	{ 64, "66 0f b6 11",		"movzx2 dx, 1 ds:[rcx]" },
	{ 64, "0f be 11",		"movsx4 edx, 1 ds:[rcx]" },
	{ 64, "48 0f bf 11",		"movsx8 rdx, 2 ds:[rcx]" },
	{ 64, "48 63 0a",		"movsx8 rcx, 4 ds:[rdx]" },
	{ 64, "63 0a",			"movsx4 ecx, 4 ds:[rdx]" },
	{ 64, "f3 48 a5",		"rep movs8 ds:[rsi]" },
	{ 64, "a1 f0 00 e0 fe 00 00 00 00", "load4 eax, ds:[0xfee000f0]" },
	{ 64, "67 a1 f0 00 e0 fe",	"a4 load4 eax, ds:[-0x11fff10]" },
	/* 64-bit Linux: writes. */
	{ 64, "89 86 80 00 00 00",	"store4 ds:[rsi+0x80], eax" },
	{ 64, "66 89 02",		"store2 ds:[rdx], ax" },
	{ 64, "4c 89 3f",		"store8 ds:[rdi], r15" },
	{ 64, "88 07",			"store1 ds:[rdi], al" },
	{ 64, "40 88 37",		"store1 ds:[rdi], sil" },
	{ 64, "88 37",			"store1 ds:[rdi], dh" },
	{ 64, "c6 07 80",		"imm1 ds:[rdi], 0x80" },
	{ 64, "66 c7 07 34 12",		"imm2 ds:[rdi], 0x1234" },
	{ 64, "c7 07 78 56 34 92",	"imm4 ds:[rdi], 0x92345678" },
	{ 64, "48 c7 07 78 56 34 92",	"imm8 ds:[rdi], 0xffffffff92345678" },
	{ 64, "a3 f0 00 e0 fe 01 00 00 00", "store4 ds:[0x1fee000f0], eax" },
	{ 64, "f3 66 ab",		"rep stos2 es:[rdi], ax" },
	{ 64, "f3 48 ab",		"rep stos8 es:[rdi], rax" },
	{ 64, "0f c3 07",		"store4 ds:[rdi], eax" },
	{ 64, "48 0f c3 07",		"store8 ds:[rdi], rax" },
	/* 64-bit addressing. */
	{ 64, "8b 05 10 00 00 00",	"load4 eax, ds:[rip+0x10]" },
	{ 64, "67 8b 05 f0 ff ff ff",	"a4 load4 eax, ds:[rip-0x10]" },
	{ 64, "43 8b 44 8d 10",		"load4 eax, ds:[r13+r9*4+0x10]" },
	{ 64, "42 8b 04 63",		"load4 eax, ds:[rbx+r12*2]" },
	{ 64, "8b 04 24",		"load4 eax, ss:[rsp]" },
	{ 64, "41 8b 04 24",		"load4 eax, ds:[r12]" },
	{ 64, "43 8b 04 c5 00 10 00 00", "load4 eax, ds:[r8*8+0x1000]" },
	{ 64, "65 8b 04 25 08 00 00 00", "load4 eax, gs:[8]" },
	{ 64, "64 8b 45 00",		"load4 eax, fs:[rbp]" },
	{ 64, "36 8b 07",		"load4 eax, ds:[rdi]" },
	{ 64, "64 2e 8b 07",		"load4 eax, fs:[rdi]" },
	{ 64, "67 8b 44 8b f0",		"a4 load4 eax, ds:[rbx+rcx*4-0x10]" },
	{ 64, "f3 67 aa",		"a4 rep stos1 es:[rdi], al" },
	{ 64, "65 f3 a4",		"rep movs1 gs:[rsi]" },
	/* REX counts directly before the opcode only. */
	{ 64, "48 66 8b 07",		"load2 ax, ds:[rdi]" },
	{ 64, "66 48 8b 07",		"load8 rax, ds:[rdi]" },
	{ 64, "4f 40 8b 07",		"load4 eax, ds:[rdi]" },

	/* 32-bit SeaBIOS. */
	{ 32, "8b 15 f0 00 e0 fe",	"load4 edx, ds:[-0x11fff10]" },
	{ 32, "8a 10",			"load1 dl, ds:[rax]" },
	{ 32, "66 8b 10",		"load2 dx, ds:[rax]" },
	{ 32, "0f b6 42 01",		"movzx4 eax, 1 ds:[rdx+1]" },
	{ 32, "0f b7 42 02",		"movzx4 eax, 2 ds:[rdx+2]" },
	{ 32, "a1 f0 00 e0 fe",		"load4 eax, ds:[-0x11fff10]" },
	{ 32, "a0 00 80 0b 00",		"load1 al, ds:[0xb8000]" },
	{ 32, "89 41 10",		"store4 ds:[rcx+0x10], eax" },
	{ 32, "66 89 41 10",		"store2 ds:[rcx+0x10], ax" },
	{ 32, "88 23",			"store1 ds:[rbx], ah" },
	{ 32, "a3 f0 00 e0 fe",		"store4 ds:[-0x11fff10], eax" },
	{ 32, "66 a3 f0 00 e0 fe",	"store2 ds:[-0x11fff10], ax" },
	{ 32, "a2 00 80 0b 00",		"store1 ds:[0xb8000], al" },
	{ 32, "c7 05 b0 00 e0 fe 00 00 00 00", "imm4 ds:[-0x11fff50], 0" },
	{ 32, "66 c7 00 ff ff",		"imm2 ds:[rax], 0xffff" },
	{ 32, "c6 00 ff",		"imm1 ds:[rax], 0xff" },
	{ 32, "8b 44 24 08",		"load4 eax, ss:[rsp+8]" },
	{ 32, "8b 04 ed 00 00 00 00",	"load4 eax, ds:[rbp*8]" },
	{ 32, "67 8b 42 04",		"a2 load4 eax, ss:[rbp+rsi+4]" },
	{ 32, "26 8b 45 00",		"load4 eax, es:[rbp]" },
	{ 32, "f3 a5",			"rep movs4 ds:[rsi]" },
	{ 32, "2e f3 66 a5",		"rep movs2 cs:[rsi]" },
	{ 32, "f3 ab",			"rep stos4 es:[rdi], eax" },
	{ 32, "82 08 01",		"or1 ds:[rax], 1" },

	/* The 16-bit VGA BIOS. */
	{ 16, "67 8a 07",		"a4 load1 al, ds:[rdi]" },
	{ 16, "67 66 8b 07",		"a4 load4 eax, ds:[rdi]" },
	{ 16, "f3 66 a5",		"rep movs4 ds:[rsi]" },
	{ 16, "f3 a4",			"rep movs1 ds:[rsi]" },
	{ 16, "f3 ab",			"rep stos2 es:[rdi], ax" },
	{ 16, "67 f3 66 ab",		"a4 rep stos4 es:[rdi], eax" },
	{ 16, "8b 00",			"load2 ax, ds:[rbx+rsi]" },
	{ 16, "8b 01",			"load2 ax, ds:[rbx+rdi]" },
	{ 16, "8b 02",			"load2 ax, ss:[rbp+rsi]" },
	{ 16, "8b 03",			"load2 ax, ss:[rbp+rdi]" },
	{ 16, "8b 04",			"load2 ax, ds:[rsi]" },
	{ 16, "8b 05",			"load2 ax, ds:[rdi]" },
	{ 16, "8b 06 34 12",		"load2 ax, ds:[0x1234]" },
	{ 16, "8b 07",			"load2 ax, ds:[rbx]" },
	{ 16, "8b 46 fe",		"load2 ax, ss:[rbp-2]" },
	{ 16, "8b 87 00 80",		"load2 ax, ds:[rbx-0x8000]" },
	{ 16, "26 88 05",		"store1 es:[rdi], al" },
	{ 16, "26 a1 10 00",		"load2 ax, es:[0x10]" },
	{ 16, "67 a1 00 80 0b 00",	"a4 load2 ax, ds:[0xb8000]" },
	{ 16, "26 c7 07 20 07",		"imm2 es:[rbx], 0x720" },
	{ 16, "66 c7 07 20 07 20 07",	"imm4 ds:[rbx], 0x7200720" },
	{ 16, "0f b6 07",		"movzx2 ax, 1 ds:[rbx]" },
	{ 16, "66 0f b7 07",		"movzx4 eax, 2 ds:[rbx]" },

	/* Read-modify-write, and two operands either way. */
	{ 64, "83 08 80",		"or4 ds:[rax], 0xffffff80" },
	{ 64, "48 81 20 ff ff ff 7f",	"and8 ds:[rax], 0x7fffffff" },
	{ 64, "66 81 00 01 80",		"add2 ds:[rax], 0x8001" },
	{ 64, "80 30 01",		"xor1 ds:[rax], 1" },
	{ 64, "01 08",			"add4 ds:[rax], ecx" },
	{ 64, "03 08",			"add4 ecx, ds:[rax]" },
	{ 64, "3a 20",			"cmp1 ah, ds:[rax]" },
	{ 64, "f0 48 11 08",		"lock adc8 ds:[rax], rcx" },
	{ 64, "1b 08",			"sbb4 ecx, ds:[rax]" },
	{ 64, "29 08",			"sub4 ds:[rax], ecx" },
	{ 64, "85 08",			"test4 ds:[rax], ecx" },
	{ 64, "f7 00 01 00 00 80",	"test4 ds:[rax], 0x80000001" },
	{ 64, "f6 08 01",		"test1 ds:[rax], 1" },
	{ 64, "f6 10",			"not1 ds:[rax]" },
	{ 64, "f7 18",			"neg4 ds:[rax]" },
	{ 64, "f0 ff 00",		"lock inc4 ds:[rax]" },
	{ 64, "66 ff 08",		"dec2 ds:[rax]" },
	{ 64, "fe 00",			"inc1 ds:[rax]" },
	{ 64, "0f a3 08",		"bits bt4 ds:[rax], ecx" },
	{ 64, "f0 48 0f ab 08",		"lock bits bts8 ds:[rax], rcx" },
	{ 64, "0f b3 08",		"bits btr4 ds:[rax], ecx" },
	{ 64, "0f bb 08",		"bits btc4 ds:[rax], ecx" },
	{ 64, "f0 0f ba 28 1f",		"lock bts4 ds:[rax], 0x1f" },
	{ 64, "87 08",			"lock xchg4 ds:[rax], ecx" },
	{ 64, "f0 0f c1 08",		"lock xadd4 ds:[rax], ecx" },
	{ 64, "f0 48 0f b1 0a",		"lock cmpxchg8 ds:[rdx], rcx" },
	{ 64, "ff 30",			"push8 ds:[rax]" },
	{ 64, "66 ff 30",		"push2 ds:[rax]" },
	{ 32, "ff 30",			"push4 ds:[rax]" },
	{ 16, "8f 07",			"pop2 ds:[rbx]" },
	{ 64, "8f 04 24",		"pop8 ss:[rsp]" },
	{ 64, "f2 ae",			"repne scas1 es:[rdi], al" },
	{ 64, "f3 a6",			"rep cmps1 ds:[rsi]" },
	{ 64, "ac",			"lods1 al, ds:[rsi]" },

	/* What it does not know. */
	{ 64, "8b c3",			"-EOPNOTSUPP" },	/* register */
	{ 64, "0f 10 00",		"-EOPNOTSUPP" },	/* movups */
	{ 64, "c5 f8 10 00",		"-EOPNOTSUPP" },	/* VEX */
	{ 64, "62 f1 7c 48 10 00",	"-EOPNOTSUPP" },	/* EVEX */
	{ 64, "66 0f c3 00",		"-EOPNOTSUPP" },	/* movnti is NP */
	{ 64, "82 08 01",		"-EOPNOTSUPP" },	/* not in 64-bit mode */
	{ 32, "63 08",			"-EOPNOTSUPP" },	/* arpl */
	{ 64, "c7 08 00 00 00 00",	"-EOPNOTSUPP" },
	{ 64, "8f 08",			"-EOPNOTSUPP" },
	{ 64, "fe 30",			"-EOPNOTSUPP" },
	{ 64, "ff 10",			"-EOPNOTSUPP" },	/* call */
	{ 64, "0f ba 00 01",		"-EOPNOTSUPP" },
	{ 64, "0f 0b",			"-EOPNOTSUPP" },	/* ud2 */
	/* What processors refuse. */
	{ 64, "f0 8b 03",		"-EINVAL" },		/* lock mov */
	{ 64, "f0 03 03",		"-EINVAL" },		/* lock add reg, mem */
	{ 64, "f0 83 38 01",		"-EINVAL" },		/* lock cmp */
	{ 64, "f0 0f a3 08",		"-EINVAL" },		/* lock bt */
	{ 64, "f0 a4",			"-EINVAL" },		/* lock movs */
	{ 17, "8b 03",			"-EINVAL" },		/* no such mode */
	{ 64, "66 66 66 66 66 66 66 66 66 66 66 66 66 8b 03", "load2 ax, ds:[rbx]" },
	{ 64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 8b 03", "-EINVAL" },
	{ 64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 66", "-EINVAL" },
	/* What goes on. */
	{ 64, "",			"-ENODATA" },
	{ 64, "66",			"-ENODATA" },
	{ 64, "0f",			"-ENODATA" },
	{ 64, "8b",			"-ENODATA" },
	{ 64, "8b 04",			"-ENODATA" },
	{ 64, "8b 04 25 00 00 00",	"-ENODATA" },
	{ 64, "c7 00 00 00 00",		"-ENODATA" },
	{ 64, "a1 00 00 00 00 00 00 00", "-ENODATA" },
	{ 64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66", "-ENODATA" },
};

static const char * const op_names[] = {
	[VTX_INSN_MOV_LOAD] = "load", [VTX_INSN_MOV_STORE] = "store",
	[VTX_INSN_STORE_IMM] = "imm", [VTX_INSN_MOVZX] = "movzx",
	[VTX_INSN_MOVSX] = "movsx", [VTX_INSN_MOVS] = "movs",
	[VTX_INSN_STOS] = "stos", [VTX_INSN_LODS] = "lods",
	[VTX_INSN_CMPS] = "cmps", [VTX_INSN_SCAS] = "scas",
	[VTX_INSN_ADD] = "add", [VTX_INSN_OR] = "or", [VTX_INSN_ADC] = "adc",
	[VTX_INSN_SBB] = "sbb", [VTX_INSN_AND] = "and", [VTX_INSN_SUB] = "sub",
	[VTX_INSN_XOR] = "xor", [VTX_INSN_CMP] = "cmp",
	[VTX_INSN_TEST] = "test", [VTX_INSN_INC] = "inc",
	[VTX_INSN_DEC] = "dec", [VTX_INSN_NEG] = "neg", [VTX_INSN_NOT] = "not",
	[VTX_INSN_BT] = "bt", [VTX_INSN_BTS] = "bts", [VTX_INSN_BTR] = "btr",
	[VTX_INSN_BTC] = "btc", [VTX_INSN_XCHG] = "xchg",
	[VTX_INSN_XADD] = "xadd", [VTX_INSN_CMPXCHG] = "cmpxchg",
	[VTX_INSN_PUSH] = "push", [VTX_INSN_POP] = "pop",
};

static const char *register_name(unsigned int reg, unsigned int size, bool high8)
{
	static const char * const low[4][8] = {
		{ "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil" },
		{ "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" },
		{ "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi" },
		{ "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi" },
	};
	static const char * const high[] = { "ah", "ch", "dh", "bh" };
	static char numbered[16];

	if (high8)
		return high[reg];
	if (reg < 8)
		return low[__builtin_ctz(size)][reg];
	snprintf(numbered, sizeof(numbered), "r%u%s", reg,
		 size == 1 ? "b" : size == 2 ? "w" : size == 4 ? "d" : "");
	return numbered;
}

static void format_number(char *out, size_t size, s64 value, bool sign)
{
	const char *plus = sign ? "+" : "";
	u64 magnitude = value;

	if (value < 0) {
		plus = "-";
		magnitude = -magnitude;
	}
	snprintf(out, size, magnitude < 10 ? "%s%llx" : "%s0x%llx", plus, magnitude);
}

static void format_address(char *out, size_t size, const struct vtx_insn *v)
{
	static const char * const segs[] = { "es", "cs", "ss", "ds", "fs", "gs" };
	char base[16] = "", index[16] = "", scale[8] = "", disp[24] = "";
	bool regs = v->rip_relative || v->base != VTX_INSN_NO_REG ||
		    v->index != VTX_INSN_NO_REG;

	if (v->rip_relative)
		strcpy(base, "rip");
	if (v->base != VTX_INSN_NO_REG)
		strcpy(base, register_name(v->base, 8, false));
	if (v->index != VTX_INSN_NO_REG)
		strcpy(index, register_name(v->index, 8, false));
	if (v->scale != 1)
		snprintf(scale, sizeof(scale), "*%u", v->scale);
	if (v->disp || !regs)
		format_number(disp, sizeof(disp), v->disp, regs);
	snprintf(out, size, "%s:[%s%s%s%s%s]", segs[v->seg], base,
		 *base && *index ? "+" : "", index, scale, disp);
}

static bool has_register(const struct vtx_insn *v)
{
	switch (v->op) {
	case VTX_INSN_MOVS:
	case VTX_INSN_CMPS:
	case VTX_INSN_INC:
	case VTX_INSN_DEC:
	case VTX_INSN_NEG:
	case VTX_INSN_NOT:
	case VTX_INSN_PUSH:
	case VTX_INSN_POP:
		return false;
	}
	return !v->has_imm;
}

static void format(char *out, size_t size, unsigned int mode, const struct vtx_insn *v)
{
	const char *reg = register_name(v->reg, v->op_size, v->high8);
	char addr_size[8] = "", memory[96], mem_size[8] = "", number[24] = "";
	bool first = v->to_reg || v->op == VTX_INSN_LODS;

	if (v->addr_size != mode / 8)
		snprintf(addr_size, sizeof(addr_size), "a%u ", v->addr_size);
	if (v->mem_size != v->op_size || v->op == VTX_INSN_MOVSX)
		snprintf(mem_size, sizeof(mem_size), "%u ", v->mem_size);
	if (v->has_imm)
		snprintf(number, sizeof(number), v->imm < 10 ? "%llu" : "0x%llx", v->imm);
	else if (has_register(v))
		snprintf(number, sizeof(number), "%s", reg);
	format_address(memory, sizeof(memory), v);
	snprintf(out, size, "%s%s%s%s%s%s%u %s%s%s%s%s%s", addr_size,
		 v->lock ? "lock " : "", v->rep ? "rep " : "", v->repne ? "repne " : "",
		 v->bit_string ? "bits " : "", op_names[v->op], v->op_size,
		 first ? number : "", first ? ", " : "", mem_size, memory,
		 !first && *number ? ", " : "", first ? "" : number);
}

static unsigned int parse(const char *text, u8 *bytes)
{
	unsigned int n = 0;
	char *end;

	while (*text) {
		bytes[n++] = strtoul(text, &end, 16);
		text = end;
	}
	return n;
}

static const char *error_name(int err)
{
	return err == -ENODATA ? "-ENODATA" : err == -EINVAL ? "-EINVAL" :
	       err == -EOPNOTSUPP ? "-EOPNOTSUPP" : "another error";
}

int main(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		u8 bytes[24];
		unsigned int n = parse(rows[i].bytes, bytes);
		struct vtx_insn v;
		char text[256];
		bool ok;
		int err = vtx_decode(bytes, n, rows[i].mode, &v);

		if (err)
			snprintf(text, sizeof(text), "%s", error_name(err));
		else
			format(text, sizeof(text), rows[i].mode, &v);
		ok = !strcmp(text, rows[i].expect) && (err || v.len == n);
		if (!ok)
			printf("# got '%s', length %u of %u\n", text, err ? 0 : v.len, n);
		tap_ok(ok, "%u-bit %s: %s", rows[i].mode, rows[i].bytes, rows[i].expect);
	}
	return tap_finish();
}
