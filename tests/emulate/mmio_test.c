// SPDX-License-Identifier: GPL-2.0
/* MMIO exits: every instruction form, in the order and size a device sees it. */
#include <asm/vmx.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

VM_FIXTURE

struct access {
	bool write;
	uint64_t addr;
	uint32_t len;
	uint64_t data;		/* what must be written, or what the read gets */
};

static void expect_access(struct __test_metadata *_metadata, struct vm *m, const struct access *a)
{
	uint64_t data = 0;

	ASSERT_EXIT(KVM_EXIT_MMIO, m);
	EXPECT_EQ(a->write, m->run->mmio.is_write);
	EXPECT_EQ(a->addr, m->run->mmio.phys_addr);
	ASSERT_EQ(a->len, m->run->mmio.len);
	if (a->write) {
		memcpy(&data, m->run->mmio.data, a->len);
		EXPECT_EQ(a->data, data);
	} else {
		memset(m->run->mmio.data, 0xee, 8);
		memcpy(m->run->mmio.data, &a->data, a->len);
	}
}

/* These accesses and then HLT. */
static void expect_accesses(struct __test_metadata *_metadata, struct vm *m,
			    const struct access *a, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		expect_access(_metadata, m, &a[i]);
		if (!_metadata->passed)
			TH_LOG("access %zu", i);
	}
	ASSERT_EXIT(KVM_EXIT_HLT, m);
}

#define EXPECT_ACCESSES(m, ...) do {						\
	static const struct access a_[] = { __VA_ARGS__ };			\
	expect_accesses(_metadata, m, a_, sizeof(a_) / sizeof(a_[0]));		\
} while (0)

#define WRITE(offset, length, value) { true, MMIO + (offset), (length), (value) }
#define READ(offset, length, value) { false, MMIO + (offset), (length), (value) }

static const struct access writes64[] = {
	WRITE(0x00, 1, 0x88),
	WRITE(0x02, 2, 0x7788),
	WRITE(0x04, 4, 0x55667788),
	WRITE(0x08, 8, 0x1122334455667788),
	WRITE(0x10, 1, 0x77),
	WRITE(0x11, 1, 0xa5),
	WRITE(0x12, 2, 0xa55a),
	WRITE(0x14, 4, 0xdeadbeef),
	WRITE(0x18, 8, -2),
	WRITE(0x28, 4, 0x99999999),
	WRITE(0x30, 4, 0x55667788),
	WRITE(0x34, 4, 0x55667788),
};

static void set_write_regs(struct vm *m)
{
	struct kvm_regs regs = vm_regs(m);

	regs.rax = 0x1122334455667788;
	regs.r9 = 0x9999999999999999;
	regs.rcx = 2;
	vm_set_regs(m, &regs);
}

TEST_F(vm, mmio_write_every_form_exits_with_data)
{
	vm_start(&self->m, MODE_LONG, mmio_write64);
	set_write_regs(&self->m);
	expect_accesses(_metadata, &self->m, writes64, sizeof(writes64) / sizeof(writes64[0]));
}

TEST_F(vm, mmio_through_4k_pages_is_the_same)
{
	vm_start(&self->m, MODE_LONG_4K, mmio_write64);
	set_write_regs(&self->m);
	expect_accesses(_metadata, &self->m, writes64, sizeof(writes64) / sizeof(writes64[0]));
}

TEST_F(vm, mmio_read_every_form_loads_register)
{
	static const uint64_t expected[] = {
		0xffffffffffffff88, 0xffffffffffff9988, 0xbbaa9988, 0xf0eeddccbbaa9988,
		0xffffffffffff88ff, 0xffffffffffff0088, 0x88, 0x9988,
		0xffffffffffffff88, 0xffffffffffffff88, 0xffff9988, 0xffffffffbbaa9988,
		0xbbaa9988, 0xbbaa9988,
	};
	static const uint32_t sizes[] = { 1, 2, 4, 8, 1, 1, 1, 2, 1, 1, 2, 4, 4, 4 };
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, mmio_read64);
	regs = vm_regs(&self->m);
	regs.rcx = 1;
	vm_set_regs(&self->m, &regs);
	for (int i = 0; i < 14; i++) {
		struct access a = READ(0, sizes[i], 0xf0eeddccbbaa9988);

		expect_access(_metadata, &self->m, &a);
	}
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	for (int i = 0; i < 14; i++) {
		EXPECT_EQ(expected[i], ((uint64_t *)(self->m.ram + DATA))[i])
			TH_LOG("load %d", i);
	}
}

TEST_F(vm, mmio_read_modify_write_reads_then_writes)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, mmio_rmw64);
	EXPECT_ACCESSES(&self->m,
		READ(0, 4, 0x0f), WRITE(0, 4, 0x20),		/* add 0x11 */
		READ(0, 1, 0x0f), WRITE(0, 1, 0x8f),		/* or 0x80 */
		READ(0, 4, 0x0f), WRITE(0, 4, 0x03),		/* and 3 */
		READ(0, 2, 0x0f), WRITE(0, 2, 0x7e),		/* xor 0x71 */
		READ(0, 4, 0x0f), WRITE(0, 4, 0x10),		/* inc */
		READ(0, 4, 0x0f), WRITE(0, 4, 0xfffffff1),	/* neg */
		READ(0, 1, 0x0f), WRITE(0, 1, 0xf0),		/* not */
		READ(0, 4, 0x0f), WRITE(0, 4, 0x10f),		/* bts 8 */
		READ(0, 4, 0x0f), WRITE(0, 4, 0x55),		/* xchg */
		READ(0, 4, 0x0f), WRITE(0, 4, 0x10));		/* xadd 1 */
	regs = vm_regs(&self->m);
	EXPECT_EQ(0x0f, regs.rcx);
	EXPECT_EQ(0x0f, regs.rdx);
}

TEST_F(vm, mmio_operand_of_arithmetic_sets_result_and_flags)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, mmio_alu_read64);
	EXPECT_ACCESSES(&self->m,
		READ(0, 4, 0x0f), READ(0, 4, 0x0f), READ(0, 1, 0x0f), READ(0, 4, 0x0f));
	regs = vm_regs(&self->m);
	EXPECT_EQ(1, regs.rsi);
	EXPECT_EQ(0x0101, regs.rax & 0xffff);
	EXPECT_EQ(1, regs.rcx & 0xff);
}

TEST_F(vm, mmio_string_instructions_access_element_by_element)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, mmio_string64);
	memcpy(self->m.ram + DATA, "abcd", 4);
	EXPECT_ACCESSES(&self->m,
		WRITE(0x0, 4, 0x44332211), WRITE(0x4, 4, 0x44332211), WRITE(0x8, 4, 0x44332211),
		WRITE(0xc, 1, 'a'), WRITE(0xd, 1, 'b'), WRITE(0xe, 1, 'c'), WRITE(0xf, 1, 'd'),
		READ(0x100, 8, 0x0123456789abcdef), READ(0x108, 8, 0xfedcba9876543210),
		READ(0x200, 2, 0xbeef), WRITE(0x300, 2, 0xbeef),
		WRITE(0x404, 4, 0x44332211), WRITE(0x400, 4, 0x44332211),
		READ(0x500, 2, 0xcafe));
	EXPECT_EQ(0x0123456789abcdef, ((uint64_t *)(self->m.ram + DATA + 0x100))[0]);
	EXPECT_EQ(0xfedcba9876543210, ((uint64_t *)(self->m.ram + DATA + 0x100))[1]);
	regs = vm_regs(&self->m);
	EXPECT_EQ(MMIO + 0x502, regs.rsi);
	EXPECT_EQ(MMIO + 0x3fc, regs.rdi);
	EXPECT_EQ(0x887766554433cafe, regs.rax);
	EXPECT_EQ(0, regs.rcx);
}

TEST_F(vm, mmio_comparisons_stop_where_they_should)
{
	static const uint32_t memory[] = { 0x11111111, 0x33333333, 0, 0 };
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, mmio_compare64);
	memcpy(self->m.ram + DATA, memory, sizeof(memory));
	memset(self->m.ram + DATA + 0x100, 0xee, 3);
	EXPECT_ACCESSES(&self->m,
		READ(0, 1, 0x41), READ(1, 1, 0x42),		/* repne scasb */
		READ(0x100, 4, 0x11111111), READ(0x104, 4, 0x22222222),	/* repe cmpsl */
		READ(0x200, 2, 0x8000), READ(0x300, 2, 0x7fff));	/* cmpsw */
	regs = vm_regs(&self->m);
	EXPECT_EQ(1, regs.r8);
	EXPECT_EQ(MMIO + 2, regs.r9);
	EXPECT_EQ(2, regs.r10);
	EXPECT_EQ(MMIO + 0x108, regs.r11);
	EXPECT_EQ(DATA + 8, regs.r12);
	EXPECT_EQ(MMIO + 0x202, regs.rsi);
	EXPECT_EQ(MMIO + 0x302, regs.rdi);
	EXPECT_EQ(0, memcmp("\1\1\1", self->m.ram + DATA + 0x100, 3));
}

TEST_F(vm, mmio_push_and_pop_move_through_stack)
{
	vm_start(&self->m, MODE_LONG, mmio_stack64);
	EXPECT_ACCESSES(&self->m, READ(0, 8, 0x1234567812345678), WRITE(8, 8, 0x7b));
	EXPECT_EQ(0x1234567812345678, vm_regs(&self->m).rdx);
	EXPECT_EQ(STACK, vm_regs(&self->m).rsp);
}

TEST_F(vm, mmio_32bit_modes_exit_with_data)
{
	for (int mode = MODE_PROT; mode <= MODE_COMPAT; mode++) {
		struct kvm_regs regs;

		if (mode == MODE_LONG || mode == MODE_LONG_4K)
			continue;
		vm_start(&self->m, mode, mmio32);
		regs = vm_regs(&self->m);
		regs.rax = 0x55667788;
		regs.rcx = 2;
		vm_set_regs(&self->m, &regs);
		EXPECT_ACCESSES(&self->m,
			WRITE(0x0, 4, 0x55667788), WRITE(0x4, 1, 0x88), WRITE(0x6, 2, 0x7788),
			WRITE(0xc, 4, 0x89abcdef), READ(0x10, 4, 0x12345678), READ(0x14, 1, 0x9a),
			READ(0x16, 2, 0x4321));
		regs = vm_regs(&self->m);
		EXPECT_EQ(0x12345678, regs.rsi) TH_LOG("mode %d", mode);
		EXPECT_EQ(0x9a, regs.rdi);
		EXPECT_EQ(0xffff4321, regs.rdx);
	}
}

#define WRITE_LOW(offset, length, value) { true, MMIO_LOW + (offset), (length), (value) }
#define READ_LOW(offset, length, value) { false, MMIO_LOW + (offset), (length), (value) }

/* DS and ES of real mode; returns the registers, for more. */
static struct kvm_regs point_at_low_hole(struct vm *m)
{
	struct kvm_sregs sregs = vm_sregs(m);

	sregs.ds.selector = MMIO_LOW >> 4;
	sregs.ds.base = MMIO_LOW;
	sregs.es = sregs.ds;
	vm_set_sregs(m, &sregs);
	return vm_regs(m);
}

TEST_F(vm, mmio_real_mode_adds_segment_base)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_REAL, mmio16);
	regs = point_at_low_hole(&self->m);
	regs.rax = 0x55667788;
	vm_set_regs(&self->m, &regs);
	EXPECT_ACCESSES(&self->m,
		WRITE_LOW(0x10, 1, 0x88), WRITE_LOW(0x26, 2, 0x7788), WRITE_LOW(0x30, 4, 0x55667788),
		WRITE_LOW(0x38, 2, 0x1234), WRITE_LOW(0x40, 1, 0x88), READ_LOW(0x50, 1, 0x9a),
		READ_LOW(0x52, 2, 0x4321), WRITE_LOW(0x60, 2, 0x7788), WRITE_LOW(0x62, 2, 0x7788));
	EXPECT_EQ(0x4321, vm_regs(&self->m).rdx);
}

TEST_F(vm, mmio_real_mode_offsets_wrap)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_REAL, mmio_wrap16);
	regs = point_at_low_hole(&self->m);
	regs.rax = 0x7788;
	regs.rdi = 0x12340000;
	vm_set_regs(&self->m, &regs);
	EXPECT_ACCESSES(&self->m,
		WRITE_LOW(0x20, 1, 0x88), READ_LOW(0x801f, 1, 0x9a),
		WRITE_LOW(0xfffe, 2, 0x7788), WRITE_LOW(0, 2, 0x7788));
	EXPECT_EQ(2, vm_regs(&self->m).rdx & 0xffff);
	EXPECT_EQ(0x12340002, vm_regs(&self->m).rdi);
}

/* The destination is behind its segment's limit: no device has been asked before. */
TEST_F(vm, mmio_limit_of_the_second_operand_faults_first)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	vm_start(&self->m, MODE_PROT, mmio_movs32);
	sregs = vm_sregs(&self->m);
	sregs.es.limit = DATA + 2;
	sregs.es.g = 0;
	vm_set_sregs(&self->m, &sregs);
	regs = vm_regs(&self->m);
	regs.rsi = MMIO;
	regs.rdi = DATA;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	ASSERT_EQ(PORT_TRAP, self->m.run->io.port);
	EXPECT_EQ(13, vm_trap(&self->m).vector);
	EXPECT_EQ(CODE, vm_trap(&self->m).ip);
	EXPECT_EQ(MMIO, vm_regs(&self->m).rsi);
}

/* Fetched from two pages, which lie apart in memory. */
TEST_F(vm, mmio_instruction_across_pages_is_decoded)
{
	static const uint8_t insn[] = { 0x67, 0xc7, 0x04, 0x25, 0x10, 0x00, 0x00, 0xd0,
					0x78, 0x56, 0x34, 0x12, 0xf4 };
	uint64_t *pte;
	struct kvm_regs regs;

	/* addr32 movl $0x12345678, MMIO + 0x10: cut at each of its bytes. */
	for (size_t cut = 1; cut < sizeof(insn) - 1; cut++) {
		vm_start(&self->m, MODE_LONG_4K, hlt64);
		pte = (uint64_t *)(self->m.ram + PAGE_TABLES + 0x6000) + (CODE >> 12) + 1;
		*pte = SCRATCH | 3;
		memcpy(self->m.ram + CODE + PAGE - cut, insn, cut);
		memcpy(self->m.ram + SCRATCH, insn + cut, sizeof(insn) - cut);
		regs = vm_regs(&self->m);
		regs.rip = CODE + PAGE - cut;
		vm_set_regs(&self->m, &regs);
		EXPECT_ACCESSES(&self->m, WRITE(0x10, 4, 0x12345678));
		EXPECT_EQ(CODE + PAGE + sizeof(insn) - cut, vm_regs(&self->m).rip);
	}
}

/* Code is what is there now, by the page tables as they are now. */
TEST_F(vm, mmio_code_that_moves_and_changes_is_fetched_anew)
{
	static const uint8_t store[] = { 0x89, 0x03, 0xc3 };	/* mov %eax,(%rbx); ret */
	static const uint8_t load[] = { 0x8b, 0x0b, 0xc3 };	/* mov (%rbx),%ecx; ret */
	const struct access accesses[] = {
		WRITE(0, 4, 0x1111), READ(0, 4, 0x2222), WRITE(0, 4, 0x2222), WRITE(0, 4, 0x1111),
	};
	const uint64_t page = CODE + PAGE, first = SCRATCH, second = DATA;
	uint64_t pte = PAGE_TABLES + 0x6000 + 8 * (page >> 12);
	struct kvm_regs regs;
	void *p;

	vm_start(&self->m, MODE_LONG_4K, mmio_remapped);
	memcpy(self->m.ram + first, store, sizeof(store));
	memcpy(self->m.ram + second, load, sizeof(load));
	*(uint64_t *)(self->m.ram + pte) = first | 3;
	regs = vm_regs(&self->m);
	regs.rax = 0x1111;
	regs.rbp = page;
	regs.rsi = pte;
	regs.rdx = second | 3;
	regs.rdi = second;
	vm_set_regs(&self->m, &regs);
	for (int i = 0; i < 4; i++) {
		expect_access(_metadata, &self->m, &accesses[i]);
		if (i != 2)
			continue;
		/* The process puts another page there, with the first code. */
		p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memcpy(p, store, sizeof(store));
		mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, self->m.ram + second);
	}
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

static const uint8_t store_code[] = { 0x89, 0x03 };	/* mov %eax,(%rbx); 16-bit: %ax,(%bp,%di) */
static const uint8_t load_code[] = { 0x8b, 0x0b };	/* mov (%rbx),%ecx */

/* The guest executes what is at @rip with these registers, which does @a. */
static void expect_code(struct __test_metadata *_metadata, struct vm *m,
			const struct kvm_sregs *s, uint64_t rip, const struct access *a)
{
	struct kvm_regs regs = { .rip = rip, .rax = 0x1111, .rbx = MMIO, .rflags = 2 };

	vm_set_sregs(m, s);
	vm_set_regs(m, &regs);
	expect_access(_metadata, m, a);
	vm_finish_io(m);
}

static void expect_behind_code(struct __test_metadata *_metadata, struct vm *m,
			       const struct kvm_sregs *s, const struct access *a)
{
	expect_code(_metadata, m, s, CODE + PAGE, a);
}

/* One linear address, and what is there depends on registers that the VMM sets. */
TEST_F(vm, mmio_code_is_fetched_anew_when_the_vmm_changes_paging_or_mode)
{
	const uint32_t pd = SCRATCH, low = SCRATCH + PAGE, other = SCRATCH + 2 * PAGE;
	const struct access store = WRITE(0, 4, 0x1111), store16 = WRITE(0, 2, 0x1111);
	const struct access load = READ(0, 4, 0x2222);
	struct kvm_sregs s;

	vm_enter(&self->m, MODE_PAGED, 0);
	memcpy(self->m.ram + CODE + PAGE, store_code, sizeof(store_code));
	memcpy(self->m.ram + other, load_code, sizeof(load_code));
	memcpy(self->m.ram + pd, self->m.ram + PAGE_TABLES, 2 * PAGE);
	*(uint32_t *)(self->m.ram + pd) = low | 7;
	((uint32_t *)(self->m.ram + low))[CODE / PAGE + 1] = other | 7;

	s = vm_sregs(&self->m);
	expect_behind_code(_metadata, &self->m, &s, &store);
	s.cr3 = pd;
	expect_behind_code(_metadata, &self->m, &s, &load);
	s.cr0 &= ~CR0_PG;
	expect_behind_code(_metadata, &self->m, &s, &store);
	s.cs.db = 0;
	s.ss.base = MMIO;
	expect_behind_code(_metadata, &self->m, &s, &store16);
}

/* Each byte of an instruction counts, also of a long one, and at the end of a page. */
TEST_F(vm, mmio_code_that_changes_in_one_byte_is_fetched_anew)
{
	/* movl $0x44332211,4(%rbx), with a displacement of four bytes */
	static const uint8_t code[] = { 0xc7, 0x83, 0x04, 0, 0, 0, 0x11, 0x22, 0x33, 0x44 };
	const unsigned int ends[] = { 10, 16, PAGE - 1, PAGE };
	uint8_t *page = self->m.ram + CODE + PAGE;

	vm_enter(&self->m, MODE_LONG, 0);
	for (unsigned int i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		uint8_t *at = page + ends[i] - sizeof(code);

		memcpy(at, code, sizeof(code));
		/* The same twice, then another offset, another value in its first and last byte. */
		for (int step = 0; step < 5; step++) {
			struct access a = { true, MMIO + 4, 4, 0x44332211 };
			struct kvm_regs regs = { .rip = CODE + PAGE + (at - page), .rbx = MMIO,
						 .rflags = 2 };

			at[2] = step == 2 ? 8 : 4;
			at[6] = step == 3 ? 0x12 : 0x11;
			at[9] = step == 4 ? 0x45 : 0x44;
			a.addr += step == 2 ? 4 : 0;
			a.data += step == 3 ? 1 : step == 4 ? 1 << 24 : 0;
			vm_set_regs(&self->m, &regs);
			expect_access(_metadata, &self->m, &a);
			vm_finish_io(&self->m);
		}
	}
}

/* The same of a short one. */
TEST_F(vm, mmio_short_code_that_changes_at_a_pages_end_is_fetched_anew)
{
	const struct access store = WRITE(0, 4, 0x1111), load = READ(0, 4, 0x2222);
	struct kvm_sregs s;

	vm_enter(&self->m, MODE_LONG, 0);
	s = vm_sregs(&self->m);
	for (unsigned int end = PAGE - 8; end <= PAGE; end++) {
		uint8_t *at = self->m.ram + CODE + PAGE + end - sizeof(store_code);

		for (int i = 0; i < 4; i++) {
			memcpy(at, i & 2 ? load_code : store_code, sizeof(store_code));
			expect_code(_metadata, &self->m, &s, CODE + PAGE + end - 2,
				    i & 2 ? &load : &store);
		}
	}
}

/* PAE paging: the four entries that the CPU holds, not those in memory. */
TEST_F(vm, mmio_code_is_fetched_anew_when_pdptes_change)
{
	const uint32_t pd = SCRATCH, low = SCRATCH + PAGE, other = SCRATCH + 2 * PAGE;
	const struct access store = WRITE(0, 4, 0x1111), load = READ(0, 4, 0x2222);
	struct kvm_sregs s;

	vm_enter(&self->m, MODE_PAE, 0);
	memcpy(self->m.ram + CODE + PAGE, store_code, sizeof(store_code));
	memcpy(self->m.ram + other, load_code, sizeof(load_code));
	memcpy(self->m.ram + pd, self->m.ram + PAGE_TABLES + PAGE, PAGE);
	*(uint64_t *)(self->m.ram + pd) = low | 7;
	for (unsigned int i = 0; i < 512; i++)
		((uint64_t *)(self->m.ram + low))[i] = i * PAGE | 7;
	((uint64_t *)(self->m.ram + low))[CODE / PAGE + 1] = other | 7;

	s = vm_sregs(&self->m);
	expect_behind_code(_metadata, &self->m, &s, &store);
	*(uint64_t *)(self->m.ram + PAGE_TABLES) = pd | 1;
	expect_behind_code(_metadata, &self->m, &s, &load);
}

/* One access, two owners: RAM gets its part, the device its own, cut at pages. */
TEST_F(vm, mmio_across_page_is_split)
{
	static const struct access accesses[] = {
		{ true, RAM_SIZE, 2, 0x4433 },
		{ false, RAM_SIZE, 2, 0x8877 },
		WRITE(0xffc, 4, 0x55667788), WRITE(0x1000, 4, 0x11223344),
		READ(0xffc, 4, 0x89abcdef), READ(0x1000, 4, 0x01234567),
	};
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, mmio_split);
	regs = vm_regs(&self->m);
	regs.rdx = 0x1122334455667788;
	vm_set_regs(&self->m, &regs);
	expect_accesses(_metadata, &self->m, accesses, 6);
	EXPECT_EQ(0x2211, *(uint16_t *)(self->m.ram + RAM_SIZE - 2));
	EXPECT_EQ(0x88772211, vm_regs(&self->m).rax);
	EXPECT_EQ(0x0123456789abcdef, vm_regs(&self->m).rsi);
}

TEST_F(vm, mmio_read_finishes_before_immediate_exit)
{
	uint64_t rip;

	vm_start(&self->m, MODE_LONG, mmio_read64);
	ASSERT_EXIT(KVM_EXIT_MMIO, &self->m);
	rip = vm_regs(&self->m).rip;
	self->m.run->mmio.data[0] = 0x31;
	vm_finish_io(&self->m);
	EXPECT_EQ(0xffffffffffffff31, vm_regs(&self->m).rax);
	EXPECT_EQ(rip + 2, vm_regs(&self->m).rip);
}

TEST_F(vm, mmio_unknown_instruction_exits_internal_error)
{
	uint64_t rip = CODE + 5;

	vm_start(&self->m, MODE_LONG, mmio_popcnt);
	ASSERT_EXIT(KVM_EXIT_INTERNAL_ERROR, &self->m);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, self->m.run->internal.suberror);
	EXPECT_EQ(rip, vm_regs(&self->m).rip);
}

/* Debugging such a guest needs the bytes; clients print them. */
TEST_F(vm, mmio_unknown_instruction_reports_its_bytes)
{
	static const uint8_t popcnt[] = { 0xf3, 0x0f, 0xb8, 0x03 };
	struct kvm_run *run = self->m.run;

	vm_start(&self->m, MODE_LONG, mmio_popcnt);
	ASSERT_EXIT(KVM_EXIT_INTERNAL_ERROR, &self->m);
	ASSERT_EQ(8, run->emulation_failure.ndata);
	ASSERT_EQ(KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES,
		  run->emulation_failure.flags);
	ASSERT_LE(4, run->emulation_failure.insn_size);
	EXPECT_EQ(0, memcmp(popcnt, run->emulation_failure.insn_bytes, 4));
	EXPECT_EQ(EXIT_REASON_EPT_VIOLATION, run->internal.data[3]);
	EXPECT_EQ(1, run->internal.data[4] & 7);		/* a read */
	EXPECT_EQ(0, run->internal.data[5] | run->internal.data[6] | run->internal.data[7]);
}

/* Who does not mend it gives the guest its exception. */
TEST_F(vm, mmio_unknown_instruction_gives_ud_if_the_vmm_goes_on)
{
	struct kvm_vcpu_events events;

	vm_start(&self->m, MODE_LONG, mmio_popcnt);
	ASSERT_EXIT(KVM_EXIT_INTERNAL_ERROR, &self->m);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_VCPU_EVENTS, &events));
	EXPECT_EQ(6, events.exception.nr);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(6, vm_trap(&self->m).vector);
	EXPECT_EQ(CODE + 5, vm_trap(&self->m).ip);
}

/* The client may mend what could not be decoded and go on. */
TEST_F(vm, internal_error_leaves_vcpu_usable)
{
	struct kvm_regs regs;

	vm_start(&self->m, MODE_LONG, mmio_popcnt);
	ASSERT_EXIT(KVM_EXIT_INTERNAL_ERROR, &self->m);
	regs = vm_regs(&self->m);
	regs.rip += 4;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

TEST_F(vm, fetch_from_mmio_exits_internal_error)
{
	vm_start(&self->m, MODE_LONG, mmio_jump);
	ASSERT_EXIT(KVM_EXIT_INTERNAL_ERROR, &self->m);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, self->m.run->internal.suberror);
	EXPECT_EQ(6, self->m.run->internal.ndata);
	EXPECT_EQ(MMIO, vm_regs(&self->m).rip);
}

TEST_HARNESS_MAIN
