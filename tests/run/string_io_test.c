// SPDX-License-Identifier: GPL-2.0
/* INS and OUTS: order, batches, faults, and what is due between their rounds. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define PORT 0x3f8
#define STRING SCRATCH
#define RUN_LIMIT 10000

VM_FIXTURE

/* A string instruction at work: what its exits moved, in order. */
struct string_run {
	uint8_t bytes[16384];
	size_t len;
	int exits;
};

/* Runs to HLT; OUT data is collected, IN data is the counter 1, 2, 3, ... */
static void run_string(struct __test_metadata *_metadata, struct vm *m, struct string_run *s)
{
	for (;;) {
		size_t len;

		ASSERT_EQ(0, vm_run(m));
		if (m->run->exit_reason == KVM_EXIT_HLT)
			return;
		ASSERT_EQ(KVM_EXIT_IO, m->run->exit_reason)
			vm_dump(m);
		len = (size_t)m->run->io.size * m->run->io.count;
		ASSERT_EQ(PORT, m->run->io.port);
		ASSERT_LT(0, len);
		ASSERT_GE(PAGE, len);
		ASSERT_GE(sizeof(s->bytes), s->len + len);
		ASSERT_GE(m->run_size, m->run->io.data_offset + len);
		if (m->run->io.direction == KVM_EXIT_IO_IN)
			for (size_t i = 0; i < len; i++)
				((uint8_t *)vm_io_data(m))[i] = s->len + i + 1;
		memcpy(s->bytes + s->len, vm_io_data(m), len);
		s->len += len;
		s->exits++;
		ASSERT_GT(RUN_LIMIT, s->exits);
	}
}

/* Fills guest memory with a pattern in which no two bytes within 251 are equal. */
static void fill_pattern(struct vm *m, uint32_t gpa, size_t len)
{
	for (size_t i = 0; i < len; i++)
		m->ram[gpa + i] = i % 251;
}

static void set_string_regs(struct vm *m, uint64_t si, uint64_t di, uint64_t cx, bool backward)
{
	struct kvm_regs regs = vm_regs(m);

	regs.rsi = si;
	regs.rdi = di;
	regs.rcx = cx;
	regs.rflags = backward ? 0x402 : 2;
	vm_set_regs(m, &regs);
}

TEST_F(vm, rep_outsb_moves_every_byte_in_order)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	const size_t n = 5000;

	vm_start(m, MODE_LONG, rep_outsb);
	fill_pattern(m, STRING + 100, n);
	set_string_regs(m, STRING + 100, 0, n, false);
	run_string(_metadata, m, &s);
	ASSERT_EQ(n, s.len);
	EXPECT_EQ(0, memcmp(s.bytes, m->ram + STRING + 100, n));
	EXPECT_EQ(0, vm_regs(m).rcx);
	EXPECT_EQ(STRING + 100 + n, vm_regs(m).rsi);
	EXPECT_EQ(n, s.exits);
}

TEST_F(vm, rep_outsw_backward_moves_every_word_in_order)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	const size_t n = 2500;

	vm_start(m, MODE_LONG, rep_outsw);
	fill_pattern(m, STRING, 2 * n);
	set_string_regs(m, STRING + 2 * n - 2, 0, n, true);
	run_string(_metadata, m, &s);
	ASSERT_EQ(2 * n, s.len);
	for (size_t i = 0; i < n; i++) {
		ASSERT_EQ(0, memcmp(s.bytes + 2 * i, m->ram + STRING + 2 * (n - 1 - i), 2))
			TH_LOG("word %zu", i);
	}
	EXPECT_EQ(STRING - 2, vm_regs(m).rsi);
	EXPECT_EQ(n, s.exits);
}

/* 4-byte elements at an odd address: some lie in two pages. */
TEST_F(vm, rep_outsl_element_across_pages_is_whole)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	const size_t n = 2048;

	vm_start(m, MODE_LONG, rep_outsl);
	fill_pattern(m, STRING + 1, 4 * n);
	set_string_regs(m, STRING + 1, 0, n, false);
	run_string(_metadata, m, &s);
	ASSERT_EQ(4 * n, s.len);
	EXPECT_EQ(0, memcmp(s.bytes, m->ram + STRING + 1, 4 * n));
	EXPECT_EQ(n, s.exits);
}

TEST_F(vm, rep_insb_fills_memory_in_order)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	const size_t n = 9000;

	vm_start(m, MODE_LONG, rep_insb);
	memset(m->ram + STRING, 0xee, n + 200);
	set_string_regs(m, 0, STRING + 100, n, false);
	run_string(_metadata, m, &s);
	ASSERT_EQ(n, s.len);
	EXPECT_EQ(0, memcmp(s.bytes, m->ram + STRING + 100, n));
	EXPECT_EQ(0xee, m->ram[STRING + 99]);
	EXPECT_EQ(0xee, m->ram[STRING + 100 + n]);
	EXPECT_EQ(STRING + 100 + n, vm_regs(m).rdi);
	EXPECT_EQ(0, vm_regs(m).rcx);
	/* One at a time would livelock a client that lets a timer hit between exits. */
	EXPECT_GE(n / 100, s.exits);
	if (!on_kvm())
		EXPECT_GE(4, s.exits);
}

TEST_F(vm, rep_insw_backward_fills_memory_downward)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	const size_t n = 600;

	vm_start(m, MODE_LONG, rep_insw);
	set_string_regs(m, 0, STRING + 2 * n - 2, n, true);
	run_string(_metadata, m, &s);
	ASSERT_EQ(2 * n, s.len);
	for (size_t i = 0; i < n; i++) {
		ASSERT_EQ(0, memcmp(s.bytes + 2 * i, m->ram + STRING + 2 * (n - 1 - i), 2))
			TH_LOG("word %zu", i);
	}
	EXPECT_EQ(STRING - 2, vm_regs(m).rdi);
}

/* REP INS advances only when the client has supplied the data. */
TEST_F(vm, rep_insb_finishes_before_immediate_exit)
{
	struct vm *m = &self->m;
	uint64_t left;

	vm_start(m, MODE_LONG, rep_insb);
	set_string_regs(m, 0, STRING, 100, false);
	ASSERT_EXIT(KVM_EXIT_IO, m);
	memset(vm_io_data(m), 0x77, m->run->io.count);
	left = 100 - m->run->io.count;
	vm_finish_io(m);
	EXPECT_EQ(0x77, m->ram[STRING]);
	EXPECT_EQ(left, vm_regs(m).rcx);
	EXPECT_EQ(STRING + 100 - left, vm_regs(m).rdi);
}

/* The client takes away elements that it was asked for: they are not there to be stored. */
TEST_F(vm, rep_insb_retires_what_the_client_left_of_rcx)
{
	struct vm *m = &self->m;

	for (int backward = 0; backward < 2; backward++) {
		vm_start(m, MODE_LONG, rep_insb);
		memset(m->ram + STRING, 0xee, 200);
		set_string_regs(m, 0, STRING + 100, 2, backward);
		ASSERT_EXIT(KVM_EXIT_IO, m);
		memcpy(vm_io_data(m), "abc", 3);
		set_string_regs(m, 0, STRING + 100, 1, backward);
		ASSERT_EXIT(KVM_EXIT_HLT, m);
		EXPECT_EQ(0, vm_regs(m).rcx);
		EXPECT_EQ(STRING + (backward ? 99 : 101), vm_regs(m).rdi);
		EXPECT_EQ('a', m->ram[STRING + 100]);
		EXPECT_EQ(0xee, m->ram[STRING + 101]);
		EXPECT_EQ(0xee, m->ram[STRING + 99]);
	}
}

TEST_F(vm, rep_insb_with_more_in_rcx_goes_on)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };

	vm_start(m, MODE_LONG, rep_insb);
	set_string_regs(m, 0, STRING, 3, false);
	ASSERT_EXIT(KVM_EXIT_IO, m);
	memset(vm_io_data(m), 0x77, m->run->io.count);
	set_string_regs(m, 0, STRING, 300, false);
	run_string(_metadata, m, &s);
	EXPECT_EQ(0, vm_regs(m).rcx);
	EXPECT_EQ(STRING + 300, vm_regs(m).rdi);
	EXPECT_EQ(0x77, m->ram[STRING]);
}

TEST_F(vm, rep_insb_with_nothing_left_of_rcx_stores_nothing)
{
	struct vm *m = &self->m;

	vm_start(m, MODE_LONG, rep_insb);
	memset(m->ram + STRING, 0xee, 4);
	set_string_regs(m, 0, STRING, 2, false);
	ASSERT_EXIT(KVM_EXIT_IO, m);
	memset(vm_io_data(m), 0x77, 2);
	set_string_regs(m, 0, STRING, 0, false);
	ASSERT_EXIT(KVM_EXIT_HLT, m);
	EXPECT_EQ(0, vm_regs(m).rcx);
	EXPECT_EQ(STRING, vm_regs(m).rdi);
	EXPECT_EQ(0xee, m->ram[STRING]);
}

TEST_F(vm, insb_stores_where_the_client_points_rdi)
{
	struct vm *m = &self->m;

	vm_start(m, MODE_LONG, rep_insb);
	memset(m->ram + STRING, 0xee, 2 * PAGE);
	set_string_regs(m, 0, STRING, 2, false);
	ASSERT_EXIT(KVM_EXIT_IO, m);
	memcpy(vm_io_data(m), "ab", 2);
	set_string_regs(m, 0, STRING + PAGE + 7, 2, false);
	ASSERT_EXIT(KVM_EXIT_HLT, m);
	EXPECT_EQ(STRING + PAGE + 9, vm_regs(m).rdi);
	EXPECT_EQ(0, memcmp(m->ram + STRING + PAGE + 7, "ab", 2));
	EXPECT_EQ(0xee, m->ram[STRING]);
}

/* OUTS is over when the client sees its element: what it sets then stays. */
TEST_F(vm, rep_outsb_goes_on_where_the_client_points)
{
	struct vm *m = &self->m;

	vm_start(m, MODE_LONG, rep_outsb);
	memcpy(m->ram + STRING, "abcdefgh", 8);
	set_string_regs(m, STRING, 0, 5, false);
	ASSERT_EXIT(KVM_EXIT_IO, m);
	ASSERT_EQ(1, m->run->io.count);
	EXPECT_EQ('a', *(char *)vm_io_data(m));
	EXPECT_EQ(STRING + 1, vm_regs(m).rsi);
	EXPECT_EQ(4, vm_regs(m).rcx);
	set_string_regs(m, STRING + 6, 0, 1, false);
	ASSERT_EXIT(KVM_EXIT_IO, m);
	EXPECT_EQ('g', *(char *)vm_io_data(m));
	EXPECT_EQ(CODE + 7, vm_regs(m).rip);
	ASSERT_EXIT(KVM_EXIT_HLT, m);
	EXPECT_EQ(0, vm_regs(m).rcx);
	EXPECT_EQ(STRING + 7, vm_regs(m).rsi);
}

/* SDM vol. 3 "Single-Step Exception Condition": behind each round of a repeated instruction. */
static void count_steps(struct __test_metadata *_metadata, struct vm *m, int *steps, int *exits)
{
	struct kvm_regs regs = vm_regs(m);

	regs.rflags |= 0x100;
	vm_set_regs(m, &regs);
	*steps = *exits = 0;
	for (;;) {
		ASSERT_EQ(0, vm_run(m));
		if (m->run->exit_reason == KVM_EXIT_HLT)
			return;
		ASSERT_GT(100, *steps + *exits);
		if (m->run->exit_reason == KVM_EXIT_IO && m->run->io.port == PORT_TRAP) {
			ASSERT_EQ(1, vm_trap(m).vector);
			++*steps;
		} else {
			++*exits;
		}
	}
}

TEST_F(vm, rep_outsb_and_insb_are_stepped_by_rounds)
{
	struct vm *m = &self->m;
	int steps, exits;

	vm_start(m, MODE_LONG, rep_outsb);
	set_string_regs(m, STRING, 0, 5, false);
	count_steps(_metadata, m, &steps, &exits);
	EXPECT_EQ(5, exits);
	/* MOV, the five rounds. KVM loses those behind an exit. */
	if (!on_kvm())
		EXPECT_EQ(6, steps);
	vm_start(m, MODE_LONG, rep_insb);
	set_string_regs(m, 0, STRING + PAGE - 2, 5, false);
	count_steps(_metadata, m, &steps, &exits);
	if (!on_kvm()) {
		EXPECT_EQ(2, exits);
		EXPECT_EQ(3, steps);
	}
}

/* What can be fetched is not data, unless its descriptor says so. */
TEST_F(vm, outsb_of_an_execute_only_code_segment_faults)
{
	struct vm *m = &self->m;
	struct kvm_sregs sregs;

	for (int readable = 0; readable < 2; readable++) {
		vm_start(m, MODE_PROT, cs_outsb32);
		sregs = vm_sregs(m);
		sregs.cs.type = readable ? 11 : 9;
		vm_set_sregs(m, &sregs);
		fill_pattern(m, STRING, 64);
		set_string_regs(m, STRING + 5, 0, 1, false);
		ASSERT_EXIT(KVM_EXIT_IO, m);
		if (readable) {
			EXPECT_EQ(PORT, m->run->io.port);
			EXPECT_EQ(5, *(uint8_t *)vm_io_data(m));
			ASSERT_EXIT(KVM_EXIT_HLT, m);
		} else {
			ASSERT_EQ(PORT_TRAP, m->run->io.port);
			EXPECT_EQ(13, vm_trap(m).vector);
			EXPECT_EQ(0, vm_trap(m).error);
			EXPECT_EQ(STRING + 5, vm_regs(m).rsi);
		}
	}
}

TEST_F(vm, rep_with_count_zero_does_nothing)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };

	vm_start(m, MODE_LONG, rep_outsb);
	set_string_regs(m, STRING, 0, 0, false);
	run_string(_metadata, m, &s);
	EXPECT_EQ(0, s.exits);
	EXPECT_EQ(STRING, vm_regs(m).rsi);
}

TEST_F(vm, outsb_without_rep_moves_one)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };

	vm_start(m, MODE_LONG, outsb_once);
	fill_pattern(m, STRING, 16);
	set_string_regs(m, STRING + 5, 0, 100, false);
	run_string(_metadata, m, &s);
	ASSERT_EQ(1, s.len);
	EXPECT_EQ(5, s.bytes[0]);
	EXPECT_EQ(100, vm_regs(m).rcx);
	EXPECT_EQ(STRING + 6, vm_regs(m).rsi);
}

TEST_F(vm, rep_outsb_address_size_32_uses_low_halves)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };

	vm_start(m, MODE_LONG, rep_outsb_addr32);
	fill_pattern(m, STRING, 16);
	set_string_regs(m, 0xdead00000000 + STRING, 0, 0xbeef00000003, false);
	run_string(_metadata, m, &s);
	ASSERT_EQ(3, s.len);
	EXPECT_EQ(0, memcmp(s.bytes, m->ram + STRING, 3));
	EXPECT_EQ(STRING + 3, vm_regs(m).rsi);
}

TEST_F(vm, rep_outsb_reads_through_page_tables)
{
	struct vm *m = &self->m;
	static const enum mode modes[] = { MODE_LONG, MODE_LONG_4K };

	for (int i = 0; i < 2; i++) {
		struct string_run s = { 0 };

		vm_start(m, modes[i], rep_outsb);
		fill_pattern(m, STRING, 200);
		set_string_regs(m, ALIAS + STRING, 0, 200, false);
		run_string(_metadata, m, &s);
		ASSERT_EQ(200, s.len);
		EXPECT_EQ(0, memcmp(s.bytes, m->ram + STRING, 200));
	}
}

TEST_F(vm, rep_insb_32bit_modes_write_through_page_tables)
{
	struct vm *m = &self->m;

	for (int mode = MODE_PROT; mode <= MODE_PAE; mode++) {
		struct string_run s = { 0 };
		uint32_t base = mode == MODE_PROT ? 0 : ALIAS;

		vm_start(m, mode, rep_insb32);
		memset(m->ram + STRING, 0, 200);
		set_string_regs(m, 0, base + STRING, 200, false);
		run_string(_metadata, m, &s);
		ASSERT_EQ(200, s.len);
		EXPECT_EQ(0, memcmp(s.bytes, m->ram + STRING, 200)) TH_LOG("mode %d", mode);
		EXPECT_EQ(base + STRING + 200, vm_regs(m).rdi);
	}
}

TEST_F(vm, rep_outsb_real_mode_adds_segment_base)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	struct kvm_sregs sregs;

	vm_start(m, MODE_REAL, rep_outsb16);
	fill_pattern(m, STRING, 64);
	sregs = vm_sregs(m);
	sregs.ds.selector = STRING >> 4;
	sregs.ds.base = STRING;
	vm_set_sregs(m, &sregs);
	set_string_regs(m, 7, 0, 20, false);
	run_string(_metadata, m, &s);
	ASSERT_EQ(20, s.len);
	EXPECT_EQ(0, memcmp(s.bytes, m->ram + STRING + 7, 20));
	EXPECT_EQ(27, vm_regs(m).rsi);
}

TEST_F(vm, outsb_segment_override_is_used)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	struct kvm_sregs sregs;

	vm_start(m, MODE_REAL, outsb_fs16);
	fill_pattern(m, STRING, 64);
	sregs = vm_sregs(m);
	sregs.fs.selector = STRING >> 4;
	sregs.fs.base = STRING;
	vm_set_sregs(m, &sregs);
	set_string_regs(m, 33, 0, 0, false);
	run_string(_metadata, m, &s);
	ASSERT_EQ(1, s.len);
	EXPECT_EQ(33, s.bytes[0]);
}

TEST_F(vm, rep_insb_real_mode_wraps_di)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	struct kvm_sregs sregs;

	vm_start(m, MODE_REAL, rep_insb16);
	sregs = vm_sregs(m);
	sregs.es.selector = STRING >> 4;
	sregs.es.base = STRING;
	vm_set_sregs(m, &sregs);
	set_string_regs(m, 0, 0xfffe, 4, false);
	run_string(_metadata, m, &s);
	ASSERT_EQ(4, s.len);
	EXPECT_EQ(1, m->ram[STRING + 0xfffe]);
	EXPECT_EQ(2, m->ram[STRING + 0xffff]);
	EXPECT_EQ(3, m->ram[STRING]);
	EXPECT_EQ(4, m->ram[STRING + 1]);
	EXPECT_EQ(2, vm_regs(m).rdi);
}

/* The page after is not mapped: the bytes before it go out, then #PF at the right place. */
TEST_F(vm, rep_outsb_into_unmapped_page_faults_there)
{
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	struct trap trap;

	vm_start(m, MODE_LONG_4K, rep_outsb);
	((uint64_t *)(m->ram + PAGE_TABLES + 0x6000))[(STRING >> 12) + 1] = 0;
	fill_pattern(m, STRING, PAGE);
	set_string_regs(m, STRING + PAGE - 10, 0, 50, false);
	while (s.len < 10) {
		ASSERT_EXIT(KVM_EXIT_IO, m);
		ASSERT_EQ(PORT, m->run->io.port);
		memcpy(s.bytes + s.len, vm_io_data(m), m->run->io.count);
		s.len += m->run->io.count;
	}
	ASSERT_EQ(10, s.len);
	EXPECT_EQ(0, memcmp(s.bytes, m->ram + STRING + PAGE - 10, 10));
	ASSERT_EXIT(KVM_EXIT_IO, m);
	ASSERT_EQ(PORT_TRAP, m->run->io.port);
	trap = vm_trap(m);
	EXPECT_EQ(14, trap.vector);
	EXPECT_EQ(0, trap.error);
	EXPECT_EQ(STRING + PAGE, vm_sregs(m).cr2);
	EXPECT_EQ(40, vm_regs(m).rcx);
	EXPECT_EQ(STRING + PAGE, vm_regs(m).rsi);
}

/*
 * Memory that is a device, or can't be written: refused before the port is asked,
 * whose data would be lost.
 */
static void expect_refused(struct __test_metadata *_metadata, struct vm *m, const char *insn)
{
	struct kvm_run *run = m->run;
	uint64_t rip = CODE + 5;

	ASSERT_EXIT(KVM_EXIT_INTERNAL_ERROR, m);
	EXPECT_EQ(KVM_INTERNAL_ERROR_EMULATION, run->internal.suberror);
	EXPECT_EQ(rip, vm_regs(m).rip);
	EXPECT_EQ(1, vm_regs(m).rcx);
	ASSERT_EQ(8, run->emulation_failure.ndata);
	ASSERT_EQ(KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES,
		  run->emulation_failure.flags);
	ASSERT_EQ(2, run->emulation_failure.insn_size);
	EXPECT_EQ(0, memcmp(insn, run->emulation_failure.insn_bytes, 2));
}

TEST_F(vm, string_io_with_a_device_is_refused_first)
{
	struct vm *m = &self->m;

	if (on_kvm())
		SKIP(return, "KVM does it by KVM_EXIT_MMIO");
	vm_start(m, MODE_LONG, rep_insb);
	set_string_regs(m, 0, MMIO, 1, false);
	expect_refused(_metadata, m, "\xf3\x6c");
	vm_start(m, MODE_LONG, rep_outsb);
	set_string_regs(m, MMIO, 0, 1, false);
	expect_refused(_metadata, m, "\xf3\x6e");
	/* A device's page behind memory's. */
	vm_start(m, MODE_LONG, rep_insw);
	set_string_regs(m, 0, RAM_SIZE - 1, 1, false);
	ASSERT_EXIT(KVM_EXIT_INTERNAL_ERROR, m);
}

TEST_F(vm, string_input_to_rom_is_refused_first)
{
	struct vm *m = &self->m;
	void *rom = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region region = {
		.slot = 1, .flags = KVM_MEM_READONLY, .guest_phys_addr = ALIAS - PAGE,
		.memory_size = PAGE, .userspace_addr = (uintptr_t)rom,
	};

	if (on_kvm())
		SKIP(return, "KVM does it by KVM_EXIT_MMIO");
	ASSERT_EQ(0, ioctl(m->fd, KVM_SET_USER_MEMORY_REGION, &region));
	vm_start(m, MODE_PROT, rep_insb32);
	set_string_regs(m, 0, ALIAS - PAGE, 1, false);
	expect_refused(_metadata, m, "\xf3\x6c");
}

/* A table in ROM, with no flag set in it: it is used as it is. */
TEST_F(vm, string_io_through_page_table_in_rom)
{
	struct kvm_userspace_memory_region rom = {
		.slot = 1, .flags = KVM_MEM_READONLY, .guest_phys_addr = 0x100000,
		.memory_size = PAGE,
	};
	struct vm *m = &self->m;
	struct string_run s = { 0 };
	void *table = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	rom.userspace_addr = (uintptr_t)table;
	ASSERT_EQ(0, ioctl(m->fd, KVM_SET_USER_MEMORY_REGION, &rom));
	for (int turn = 0; turn < 2; turn++) {
		if (turn)
			vm_start(m, MODE_LONG, rep_insb);
		else
			vm_start(m, MODE_LONG, rep_outsb);
		memcpy(table, m->ram + PAGE_TABLES + 0x3000, PAGE);
		((uint64_t *)(m->ram + PAGE_TABLES + 0x1000))[ALIAS >> 30] = rom.guest_phys_addr | 7;
		fill_pattern(m, STRING, 200);
		set_string_regs(m, ALIAS + STRING, ALIAS + STRING, 200, false);
		s.len = 0;
		run_string(_metadata, m, &s);
		ASSERT_EQ(200, s.len);
		EXPECT_EQ(0, memcmp(s.bytes, m->ram + STRING, 200));
		EXPECT_EQ(0, memcmp(table, m->ram + PAGE_TABLES + 0x3000, PAGE));
	}
}

/* With PAE paging the CPU has the top entries in registers since MOV to CR3. */
TEST_F(vm, string_io_uses_pdptes_as_loaded)
{
	struct vm *m = &self->m;

	vm_start(m, MODE_PAE, rep_insb32);
	set_string_regs(m, 0, ALIAS + STRING, 100, false);
	ASSERT_EXIT(KVM_EXIT_IO, m);
	ASSERT_EQ(100, m->run->io.count);
	memset(vm_io_data(m), 0x77, 100);
	((uint64_t *)(m->ram + PAGE_TABLES))[ALIAS >> 30] = 0;
	ASSERT_EXIT(KVM_EXIT_HLT, m);
	EXPECT_EQ(0x77, m->ram[STRING + 99]);
}

TEST_HARNESS_MAIN
