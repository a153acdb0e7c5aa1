// SPDX-License-Identifier: GPL-2.0
/*
 * Puts a vCPU into a processor mode by KVM_SET_SREGS alone: descriptor tables,
 * page tables and exception stubs in guest memory, then the registers.
 */
#include "vtx_test.h"

#define PTE_RWU		0x7ULL		/* present, writable, user */
#define PTE_LARGE	0x80ULL
#define LARGE_2M	0x200000ULL
#define LARGE_4M	0x400000ULL

extern const uint8_t guest_stubs16[], guest_stubs16_end[];
extern const uint8_t guest_stubs32[], guest_stubs32_end[];
extern const uint8_t guest_stubs64[], guest_stubs64_end[];

static bool is_long(enum mode mode)
{
	return mode >= MODE_LONG;
}

static void fill32(struct vm *vm, uint32_t table, unsigned int first, unsigned int count,
		   uint64_t entry, uint64_t step)
{
	uint32_t *e = (uint32_t *)(vm->ram + table) + first;

	for (unsigned int i = 0; i < count; i++)
		e[i] = entry + i * step;
}

static void fill64(struct vm *vm, uint32_t table, unsigned int first, unsigned int count,
		   uint64_t entry, uint64_t step)
{
	uint64_t *e = (uint64_t *)(vm->ram + table) + first;

	for (unsigned int i = 0; i < count; i++)
		e[i] = entry + i * step;
}

/* 32-bit paging, 4K pages: [0, 4M), its alias, and 4M at MMIO. */
static void map_paged(struct vm *vm, uint32_t pd)
{
	uint32_t low = pd + 0x1000, mmio = pd + 0x2000;

	fill32(vm, pd, 0, 1, low | PTE_RWU, 0);
	fill32(vm, pd, ALIAS >> 22, 1, low | PTE_RWU, 0);
	fill32(vm, pd, MMIO >> 22, 1, mmio | PTE_RWU, 0);
	fill32(vm, low, 0, 1024, PTE_RWU, PAGE);
	fill32(vm, mmio, 0, 1024, MMIO | PTE_RWU, PAGE);
}

/* 32-bit paging, 4M pages: identity for all 4G except the alias. */
static void map_pse(struct vm *vm, uint32_t pd)
{
	fill32(vm, pd, 0, 1024, PTE_LARGE | PTE_RWU, LARGE_4M);
	fill32(vm, pd, ALIAS >> 22, 1, PTE_LARGE | PTE_RWU, 0);
}

/* Four page directories of 2M pages: identity for 4G except the alias. */
static void map_2m(struct vm *vm, uint32_t pdpt, uint64_t pdpte_bits)
{
	uint32_t pd = pdpt + 0x1000;

	fill64(vm, pdpt, 0, 4, pd | pdpte_bits, PAGE);
	fill64(vm, pd, 0, 4 * 512, PTE_LARGE | PTE_RWU, LARGE_2M);
	fill64(vm, pd, ALIAS / LARGE_2M, 1, PTE_LARGE | PTE_RWU, 0);
}

/* 4-level paging, 4K pages: [0, 2M), its alias, and 2M at MMIO. */
static void map_4k(struct vm *vm, uint32_t pdpt)
{
	uint32_t pd = pdpt + 0x1000, low = pdpt + 0x5000, mmio = pdpt + 0x6000;

	fill64(vm, pdpt, 0, 4, pd | PTE_RWU, PAGE);
	fill64(vm, pd, 0, 1, low | PTE_RWU, 0);
	fill64(vm, pd, ALIAS / LARGE_2M, 1, low | PTE_RWU, 0);
	fill64(vm, pd, MMIO / LARGE_2M, 1, mmio | PTE_RWU, 0);
	fill64(vm, low, 0, 512, PTE_RWU, PAGE);
	fill64(vm, mmio, 0, 512, MMIO | PTE_RWU, PAGE);
}

static void build_page_tables(struct vm *vm, enum mode mode)
{
	if (vm->tables_used)
		memset(vm->ram + PAGE_TABLES, 0, SCRATCH - PAGE_TABLES);
	vm->tables_used = true;
	switch (mode) {
	case MODE_REAL:
	case MODE_PROT:
		break;
	case MODE_PAGED:
		map_paged(vm, PAGE_TABLES);
		break;
	case MODE_PSE:
		map_pse(vm, PAGE_TABLES);
		break;
	case MODE_PAE:
		/* A PDPTE of PAE paging has no R/W and U/S bits. */
		map_2m(vm, PAGE_TABLES, 1);
		break;
	case MODE_LONG:
	case MODE_COMPAT:
		fill64(vm, PAGE_TABLES, 0, 1, (PAGE_TABLES + PAGE) | PTE_RWU, 0);
		map_2m(vm, PAGE_TABLES + PAGE, PTE_RWU);
		break;
	case MODE_LONG_4K:
		fill64(vm, PAGE_TABLES, 0, 1, (PAGE_TABLES + PAGE) | PTE_RWU, 0);
		map_4k(vm, PAGE_TABLES + PAGE);
		break;
	}
}

static void build_gdt(struct vm *vm, bool lma)
{
	const uint64_t gdt[] = {
		0,
		0x00af9b000000ffffULL,		/* SEL_CODE64 */
		0x00cf93000000ffffULL,		/* SEL_DATA */
		0x00cf9b000000ffffULL,		/* SEL_CODE32 */
		0x00cffb000000ffffULL,		/* SEL_UCODE32 */
		0x00cff3000000ffffULL,		/* SEL_UDATA */
		0x00affb000000ffffULL,		/* SEL_UCODE64 */
		0x00008b0014000067ULL, 0,	/* SEL_TSS, busy as TR has it loaded */
		0x00009b000000ffffULL,		/* SEL_CODE16 */
		0x000093000000ffffULL,		/* SEL_DATA16 */
	};
	uint8_t *t = vm->ram + TSS;

	memcpy(vm->ram + GDT, gdt, sizeof(gdt));
	memset(t, 0, 0x68);
	if (lma) {
		*(uint64_t *)(t + 4) = STACK;
	} else {
		*(uint32_t *)(t + 4) = STACK;
		*(uint32_t *)(t + 8) = SEL_DATA;
	}
	/* No I/O permission bitmap: I/O from CPL 3 faults unless IOPL allows it. */
	*(uint16_t *)(t + 0x66) = 0x68;
}

static void build_idt(struct vm *vm, enum mode mode)
{
	memset(vm->ram + IDT, 0, PAGE);
	for (unsigned int v = 0; v < 256; v++) {
		uint32_t stub = STUBS + v * 16;
		uint64_t gate = (stub & 0xffff) | 0xee00ULL << 32 | (stub & 0xffff0000ULL) << 32;

		if (mode == MODE_REAL)
			*(uint32_t *)(vm->ram + v * 4) = stub;
		else if (is_long(mode))
			*(uint64_t *)(vm->ram + IDT + v * 16) = gate | SEL_CODE64 << 16;
		else
			*(uint64_t *)(vm->ram + IDT + v * 8) = gate | SEL_CODE32 << 16;
	}
	if (mode == MODE_REAL)
		memcpy(vm->ram + STUBS, guest_stubs16, guest_stubs16_end - guest_stubs16);
	else if (is_long(mode))
		memcpy(vm->ram + STUBS, guest_stubs64, guest_stubs64_end - guest_stubs64);
	else
		memcpy(vm->ram + STUBS, guest_stubs32, guest_stubs32_end - guest_stubs32);
}

/* The segment register that loading @selector from our GDT would give. */
static struct kvm_segment segment(struct vm *vm, uint16_t selector)
{
	uint64_t d;

	memcpy(&d, vm->ram + GDT + (selector & ~7), sizeof(d));
	return (struct kvm_segment){
		.selector = selector,
		.base = (d >> 16 & 0xffffff) | (d >> 56 & 0xff) << 24,
		.limit = d >> 55 & 1 ? 0xffffffff : 0xffff,
		.type = d >> 40 & 0xf,
		.s = d >> 44 & 1,
		.dpl = d >> 45 & 3,
		.present = 1,
		.avl = d >> 52 & 1,
		.l = d >> 53 & 1,
		.db = d >> 54 & 1,
		.g = d >> 55 & 1,
	};
}

static void set_protected_segments(struct vm *vm, struct kvm_sregs *s, enum mode mode, int cpl)
{
	bool code64 = is_long(mode) && mode != MODE_COMPAT;
	uint16_t code = code64 ? SEL_CODE64 : SEL_CODE32;

	if (cpl == 3)
		code = code64 ? SEL_UCODE64 : SEL_UCODE32;
	s->cs = segment(vm, code);
	s->ss = segment(vm, cpl == 3 ? SEL_UDATA : SEL_DATA);
	s->ds = s->ss;
	s->es = s->ss;
	s->fs = s->ss;
	s->gs = s->ss;
	s->tr = (struct kvm_segment){
		.selector = SEL_TSS, .base = TSS, .limit = 0x67, .type = 11, .present = 1,
	};
	s->gdt.base = GDT;
	s->gdt.limit = SEL_DATA16 + 7;
	s->idt.base = IDT;
	s->idt.limit = is_long(mode) ? 0xfff : 0x7ff;
}

static void set_real_segments(struct kvm_sregs *s)
{
	const struct kvm_segment data = { .limit = 0xffff, .type = 3, .present = 1, .s = 1 };

	s->cs = data;
	s->cs.type = 11;
	s->ds = data;
	s->es = data;
	s->fs = data;
	s->gs = data;
	s->ss = data;
	s->idt.base = 0;
	s->idt.limit = 0x3ff;
}

/* Sets the vCPU up to execute at CODE in @mode with all of guest memory prepared for it. */
void vm_enter(struct vm *vm, enum mode mode, int cpl)
{
	struct kvm_regs regs = {
		.rip = CODE, .rsp = cpl == 3 ? USER_STACK : STACK, .rflags = 2,
	};
	struct kvm_sregs s = vm_sregs(vm);

	build_gdt(vm, is_long(mode));
	build_idt(vm, mode);
	build_page_tables(vm, mode);
	s.cr0 = CR0_NE | CR0_ET;
	s.cr3 = 0;
	s.cr4 = 0;
	s.efer = 0;
	if (mode == MODE_REAL) {
		set_real_segments(&s);
	} else {
		set_protected_segments(vm, &s, mode, cpl);
		s.cr0 |= CR0_PE;
	}
	if (mode >= MODE_PAGED) {
		s.cr0 |= CR0_PG | CR0_WP;
		s.cr3 = PAGE_TABLES;
	}
	if (mode == MODE_PSE)
		s.cr4 |= CR4_PSE;
	if (mode >= MODE_PAE)
		s.cr4 |= CR4_PAE;
	if (is_long(mode))
		s.efer |= EFER_LME | EFER_LMA;
	vm_set_sregs(vm, &s);
	vm_set_regs(vm, &regs);
}

/* The guest reads the 32-bit word at @gpa; exits MMIO where there is a hole. */
void vm_start_peek(struct vm *vm, uint32_t gpa)
{
	struct kvm_regs regs;

	vm_start(vm, MODE_PROT, peek);
	regs = vm_regs(vm);
	regs.rbx = gpa;
	vm_set_regs(vm, &regs);
}
