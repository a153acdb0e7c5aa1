// SPDX-License-Identifier: GPL-2.0
/*
 * The execution helpers against this machine's processor: random instructions
 * on random registers, flags and memory, once by insn.c and once for real.
 * Registers, memory and defined flags must come out equal. 64-bit mode only,
 * which is where the test runs; 16-bit addresses have rows of their own.
 *
 * SEED and ROUNDS come from the environment.
 */
#define _GNU_SOURCE
#include <asm/processor-flags.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <string.h>
#include <sys/mman.h>

#include "emulate/decode.h"
#include "emulate/insn.h"
#include "tap.h"

#define FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
		 X86_EFLAGS_SF | X86_EFLAGS_OF)

/* Data and code lie below 2G, in reach of addresses of every form. */
#define DATA		((u8 *)0x10000000UL)
#define DATA_SIZE	65536
#define CODE		((u8 *)0x10020000UL)
#define TARGET		((unsigned long)DATA + DATA_SIZE / 2)

/* What cpu_run() loads, and stores after the instruction. */
u64 cpu_gprs[VTX_INSN_GPRS], cpu_rflags, cpu_host_rsp;
const u8 *cpu_code = CODE;
void cpu_run(void);
void cpu_back(void);

#define EACH_GPR(x) \
	x(0, rax) x(1, rcx) x(2, rdx) x(3, rbx) x(5, rbp) x(6, rsi) x(7, rdi) \
	x(8, r8) x(9, r9) x(10, r10) x(11, r11) x(12, r12) x(13, r13) \
	x(14, r14) x(15, r15) x(4, rsp)
#define LOAD(i, reg)	"mov 8*" #i "+cpu_gprs(%rip), %" #reg "\n"
#define STORE(i, reg)	"mov %" #reg ", 8*" #i "+cpu_gprs(%rip)\n"

/* RSP is an operand like the others: nothing may use the stack in between. */
asm(".text\n"
    "cpu_run:\n"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "mov %rsp, cpu_host_rsp(%rip)\n"
    "pushq cpu_rflags(%rip); popfq\n"
    EACH_GPR(LOAD)
    "jmp *cpu_code(%rip)\n"
    "cpu_back:\n"
    EACH_GPR(STORE)
    "mov cpu_host_rsp(%rip), %rsp\n"
    "pushfq; popq cpu_rflags(%rip)\n"
    "cld\n"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "ret\n");

static unsigned long seed;

struct sample {
	u8 bytes[32];
	unsigned int n;
	unsigned int disp;	/* where the displacement is, if disp_size */
	unsigned int disp_size;
	struct vtx_insn insn;
	u64 rip_next;
};

static const u8 one_byte[] = {
	0x00, 0x01, 0x02, 0x03, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13,
	0x18, 0x19, 0x1a, 0x1b, 0x20, 0x21, 0x22, 0x23, 0x28, 0x29, 0x2a, 0x2b,
	0x30, 0x31, 0x32, 0x33, 0x38, 0x39, 0x3a, 0x3b, 0x63, 0x80, 0x81, 0x83,
	0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8f, 0xa0, 0xa1, 0xa2,
	0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xc6,
	0xc7, 0xf6, 0xf7, 0xfe, 0xff,
};

static const u8 two_byte[] = {
	0xa3, 0xab, 0xb0, 0xb1, 0xb3, 0xb6, 0xb7, 0xba, 0xbb, 0xbe, 0xbf, 0xc0,
	0xc1, 0xc3,
};

static const u8 repeat_or_lock[4] = { 0xf0, 0xf2, 0xf3, 0xf3 };

static bool is_string(const struct vtx_insn *insn)
{
	return insn->op >= VTX_INSN_MOVS && insn->op <= VTX_INSN_SCAS;
}

/* Build an encoding and find its displacement; false if it is none of ours. */
static bool random_sample(struct sample *s)
{
	unsigned long r = next_random(&seed);
	unsigned int pos = 0, i, opcode;
	u8 modrm;

	for (i = 0; i < sizeof(s->bytes); i++)
		s->bytes[i] = next_random(&seed) >> 32;
	if (!(r & 3))
		s->bytes[pos++] = 0x66;
	if (!(r >> 2 & 3))
		s->bytes[pos++] = 0x67;
	if (!(r >> 4 & 3))
		s->bytes[pos++] = repeat_or_lock[r >> 6 & 3];
	if (r >> 8 & 1)
		s->bytes[pos++] = 0x40 | (r >> 9 & 0xf);
	if (r >> 13 & 1) {
		s->bytes[pos++] = 0x0f;
		opcode = two_byte[(r >> 16) % sizeof(two_byte)];
	} else {
		opcode = one_byte[(r >> 16) % sizeof(one_byte)];
	}
	s->bytes[pos++] = opcode;
	/* [rsp] and [rsp + disp8] are too rare by chance, and POP's are special. */
	if (!(r >> 40 & 7)) {
		s->bytes[pos] = (s->bytes[pos] & 0x78) | 4;
		s->bytes[pos + 1] = 0x24;
	}
	if (vtx_decode(s->bytes, VTX_INSN_MAX_LEN, 64, &s->insn))
		return false;
	s->n = s->insn.len;
	s->rip_next = (unsigned long)CODE + s->n;

	s->disp_size = 0;
	if (is_string(&s->insn))
		return true;
	s->disp = pos;
	if (!(r >> 13 & 1) && opcode >= 0xa0 && opcode <= 0xa3) {
		s->disp_size = s->insn.addr_size;
		return true;
	}
	modrm = s->bytes[pos];
	s->disp++;
	if ((modrm & 7) == 4)
		s->disp++;
	if (s->insn.base == VTX_INSN_NO_REG)
		s->disp_size = 4;
	return true;
}

/*
 * Make the operand lie at TARGET: by the base register if there is one, else
 * by the displacement. False where one register plays two parts in the way.
 */
static bool aim(struct sample *s)
{
	struct vtx_insn *v = &s->insn;
	u64 want, reach;

	if (is_string(v)) {
		cpu_gprs[VTX_INSN_RSI] = TARGET + next_random(&seed) % 256;
		cpu_gprs[VTX_INSN_RDI] = TARGET + next_random(&seed) % 256;
		if (v->rep || v->repne)
			cpu_gprs[VTX_INSN_RCX] = 1 + next_random(&seed) % 20;
		if (v->addr_size == 4) {
			cpu_gprs[VTX_INSN_RSI] |= next_random(&seed) << 32;
			cpu_gprs[VTX_INSN_RDI] |= next_random(&seed) << 32;
			cpu_gprs[VTX_INSN_RCX] |= next_random(&seed) << 32;
		}
		return true;
	}
	/* The stack must be in the data, so relative to it aim with a disp8. */
	if (v->op == VTX_INSN_PUSH || v->op == VTX_INSN_POP) {
		cpu_gprs[VTX_INSN_RSP] = TARGET + 512;
		if (v->base == VTX_INSN_RSP)
			return v->index == VTX_INSN_NO_REG && v->disp == (s8)v->disp;
	}
	if (v->index != VTX_INSN_NO_REG && (v->base == v->index || v->index == VTX_INSN_RSP))
		return false;
	if (v->base == VTX_INSN_NO_REG && v->index != VTX_INSN_NO_REG)
		cpu_gprs[v->index] %= 1024;
	/* Keep the bit within the data; the bit is aimed at first. */
	if (v->bit_string) {
		if (v->reg == v->base || v->reg == v->index)
			return false;
		if (v->op_size > 2)
			cpu_gprs[v->reg] = (s64)(cpu_gprs[v->reg] << 45) >> 45;
	}

	reach = vtx_insn_effective_offset(v, cpu_gprs, s->rip_next);
	if (v->bit_string) {
		struct vtx_insn plain = *v;

		plain.bit_string = false;
		reach = vtx_insn_effective_offset(&plain, cpu_gprs, s->rip_next);
	}
	want = TARGET - reach;
	if (v->base != VTX_INSN_NO_REG) {
		cpu_gprs[v->base] += want;
		return true;
	}
	v->disp += want;
	memcpy(s->bytes + s->disp, &v->disp, s->disp_size);
	return true;
}

static u64 load(const u8 *data, u64 address, unsigned int size)
{
	u64 value = 0;

	memcpy(&value, data + (address - (unsigned long)DATA), size);
	return value;
}

static void store(u8 *data, u64 address, u64 value, unsigned int size)
{
	memcpy(data + (address - (unsigned long)DATA), &value, size);
}

/* One round of a string instruction, as the module's caller is to do it. */
static void model_string_round(const struct vtx_insn *v, u8 *data, u64 *gprs, u64 *rflags)
{
	u64 source = vtx_insn_effective_offset(v, gprs, 0);
	u64 dest = vtx_insn_string_dest(v, gprs);
	unsigned int size = v->op_size;

	switch (v->op) {
	case VTX_INSN_MOVS:
		store(data, dest, load(data, source, size), size);
		break;
	case VTX_INSN_STOS:
		store(data, dest, vtx_insn_store_value(v, gprs), size);
		break;
	case VTX_INSN_CMPS:
		vtx_insn_alu(v, load(data, dest, size), load(data, source, size), rflags);
		break;
	default:
		vtx_insn_execute(v, load(data, source, size), gprs, rflags);
	}
	vtx_insn_string_step(v, gprs, *rflags, 1);
}

static void model(const struct sample *s, u8 *data, u64 *gprs, u64 *rflags)
{
	const struct vtx_insn *v = &s->insn;
	u64 address = vtx_insn_effective_offset(v, gprs, s->rip_next);
	u64 value;

	if (is_string(v)) {
		do {
			model_string_round(v, data, gprs, rflags);
		} while (!vtx_insn_string_done(v, gprs, *rflags));
		return;
	}
	if (v->op == VTX_INSN_POP) {
		value = load(data, gprs[VTX_INSN_RSP], v->op_size);
		gprs[VTX_INSN_RSP] += v->op_size;
		store(data, address, value, v->mem_size);
		return;
	}
	if (vtx_insn_reads_mem(v))
		value = vtx_insn_execute(v, load(data, address, v->mem_size), gprs, rflags);
	else
		value = vtx_insn_store_value(v, gprs);
	if (vtx_insn_writes_mem(v))
		store(data, address, value, v->mem_size);
	if (v->op == VTX_INSN_PUSH) {
		gprs[VTX_INSN_RSP] -= v->op_size;
		store(data, gprs[VTX_INSN_RSP], value, v->op_size);
	}
}

/* SDM vol 1 "EFLAGS Cross-Reference": what an instruction leaves undefined. */
static u64 undefined_flags(const struct vtx_insn *v)
{
	switch (v->op) {
	case VTX_INSN_AND:
	case VTX_INSN_OR:
	case VTX_INSN_XOR:
	case VTX_INSN_TEST:
		return X86_EFLAGS_AF;
	case VTX_INSN_BT:
	case VTX_INSN_BTS:
	case VTX_INSN_BTR:
	case VTX_INSN_BTC:
		return X86_EFLAGS_OF | X86_EFLAGS_SF | X86_EFLAGS_AF | X86_EFLAGS_PF;
	default:
		return 0;
	}
}

static void run_on_cpu(const struct sample *s)
{
	/* jmp *0(%rip) and the address to go to */
	u8 back[14] = { 0xff, 0x25 };
	void (*to)(void) = cpu_back;

	memcpy(back + 6, &to, sizeof(to));
	memcpy(CODE, s->bytes, s->n);
	memcpy(CODE + s->n, back, sizeof(back));
	__builtin___clear_cache((char *)CODE, (char *)CODE + 64);
	cpu_run();
}

static void complain(const struct sample *s, const u64 *gprs, u64 rflags)
{
	unsigned int i;

	printf("#");
	for (i = 0; i < s->n; i++)
		printf(" %02x", s->bytes[i]);
	printf(": op %u size %u; flags %llx, processor %llx\n", s->insn.op,
	       s->insn.op_size, rflags & FLAGS, cpu_rflags & FLAGS);
	for (i = 0; i < VTX_INSN_GPRS; i++)
		if (gprs[i] != cpu_gprs[i])
			printf("#   gpr %u: %llx, processor %llx\n", i, gprs[i], cpu_gprs[i]);
}

/* Once by the model, once by the processor; false if they differ. */
static bool try(struct sample *s, u8 *data)
{
	u64 gprs[VTX_INSN_GPRS], rflags, defined;
	unsigned int i;
	bool same;

	for (i = 0; i < 2048; i += 8)
		*(u64 *)(TARGET - 1024 + i) = next_random(&seed);
	/* Half of the time let comparisons find something equal. */
	if (seed >> 40 & 1)
		memset((void *)(TARGET - 1024), seed >> 41 & 1, 2048);
	if (seed >> 42 & 1 && s->insn.base != VTX_INSN_RAX &&
	    s->insn.index != VTX_INSN_RAX && !s->insn.bit_string)
		cpu_gprs[VTX_INSN_RAX] = load(DATA, TARGET, s->insn.op_size);
	memcpy(data, DATA, DATA_SIZE);

	cpu_rflags = X86_EFLAGS_FIXED | X86_EFLAGS_IF |
		     (next_random(&seed) & (FLAGS | X86_EFLAGS_DF));
	memcpy(gprs, cpu_gprs, sizeof(gprs));
	rflags = cpu_rflags;
	model(s, data, gprs, &rflags);
	run_on_cpu(s);

	defined = ~undefined_flags(&s->insn);
	same = !memcmp(gprs, cpu_gprs, sizeof(gprs)) &&
	       (rflags & defined) == (cpu_rflags & defined) &&
	       !memcmp(data, DATA, DATA_SIZE);
	if (!same)
		complain(s, gprs, rflags);
	memcpy(DATA, data, DATA_SIZE);
	return same;
}

static void test_processor(void)
{
	unsigned long tried = 0, rounds = env_number("ROUNDS", 200000), failures = 0;
	unsigned long by_op[VTX_INSN_POP + 1] = { 0 };
	u8 *data = malloc(DATA_SIZE);
	unsigned int i;

	while (tried < rounds && failures < 20) {
		struct sample s;

		if (!random_sample(&s))
			continue;
		for (i = 0; i < VTX_INSN_GPRS; i++)
			cpu_gprs[i] = next_random(&seed);
		if (!aim(&s))
			continue;
		failures += !try(&s, data);
		by_op[s.insn.op]++;
		tried++;
	}
	free(data);
	printf("# %lu instructions\n", tried);
	tap_ok(!failures, "instructions do what the processor does");
	for (i = VTX_INSN_MOV_LOAD; i <= VTX_INSN_POP; i++) {
		if (!by_op[i]) {
			printf("# operation %u never ran\n", i);
			failures++;
		}
	}
	tap_ok(!failures, "every operation ran");
}

/* What 64-bit code cannot show: 16-bit addresses and registers. */
static void test_16_bit(void)
{
	u64 gprs[VTX_INSN_GPRS] = { 0 }, flags = X86_EFLAGS_DF;
	struct vtx_insn v;

	gprs[VTX_INSN_RBX] = 0xabcdfff0;
	gprs[VTX_INSN_RSI] = 0x12340020;
	gprs[VTX_INSN_RCX] = 0x99990003;
	gprs[VTX_INSN_RDI] = 0x56780001;
	vtx_decode((const u8 *)"\x8b\x40\x05", 3, 16, &v);
	tap_ok(vtx_insn_effective_offset(&v, gprs, 0) == 0x15,
	       "16-bit address wraps at 64K");
	vtx_insn_execute(&v, 0xfffff7777, gprs, &flags);
	tap_ok(gprs[VTX_INSN_RAX] == 0x7777, "16-bit load takes 16 bits");

	vtx_decode((const u8 *)"\xf3\xa5", 2, 16, &v);
	tap_ok(vtx_insn_string_count(&v, gprs) == 3, "16-bit count is CX");
	vtx_insn_string_step(&v, gprs, flags, 2);
	tap_ok(gprs[VTX_INSN_RSI] == 0x1234001c && gprs[VTX_INSN_RDI] == 0x5678fffd &&
	       gprs[VTX_INSN_RCX] == 0x99990001, "16-bit step down merges and wraps");
	tap_ok(!vtx_insn_string_done(&v, gprs, flags), "rep goes on with CX left");
	vtx_insn_string_step(&v, gprs, 0, 1);
	tap_ok(vtx_insn_string_done(&v, gprs, 0), "rep ends at CX 0");
}

int main(void)
{
	int prot = PROT_READ | PROT_WRITE;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	seed = env_number("SEED", 1);
	printf("# SEED=%lu\n", seed);
	if (mmap(DATA, DATA_SIZE, prot, flags, -1, 0) != DATA ||
	    mmap(CODE, 4096, prot | PROT_EXEC, flags, -1, 0) != CODE) {
		perror("# mmap");
		return 1;
	}
	test_processor();
	test_16_bit();
	return tap_finish();
}
