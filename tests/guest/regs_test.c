// SPDX-License-Identifier: GPL-2.0
/* Registers: after reset, set and got, refused, and kept apart from the host's. */
#include <asm/prctl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

VM_FIXTURE

/* --- reset state, SDM vol 3 "Processor State After Reset" --- */

TEST_F(vm, reset_regs)
{
	struct kvm_regs regs = vm_regs(&self->m);

	EXPECT_EQ(0xfff0, regs.rip);
	EXPECT_EQ(2, regs.rflags);
	EXPECT_EQ(0, regs.rax | regs.rbx | regs.rcx | regs.rsi | regs.rdi | regs.rbp | regs.rsp);
	EXPECT_EQ(0, regs.r8 | regs.r15);
	EXPECT_EQ(6, regs.rdx >> 8 & 0xf);
}

TEST_F(vm, reset_sregs)
{
	struct kvm_sregs s = vm_sregs(&self->m);

	EXPECT_EQ(0xf000, s.cs.selector);
	EXPECT_EQ(0xffff0000, s.cs.base);
	EXPECT_EQ(0xffff, s.cs.limit);
	EXPECT_EQ(0xb, s.cs.type);
	EXPECT_EQ(0, s.ss.base | s.ds.base | s.es.base | s.fs.base | s.gs.base);
	EXPECT_EQ(0xffff, s.ds.limit);
	EXPECT_EQ(3, s.ds.type);
	EXPECT_EQ(11, s.tr.type);
	EXPECT_EQ(2, s.ldt.type);
	EXPECT_EQ(0xffff, s.gdt.limit);
	EXPECT_EQ(0xffff, s.idt.limit);
	EXPECT_EQ(0, s.gdt.base | s.idt.base);
	EXPECT_EQ(0x60000010, s.cr0);
	EXPECT_EQ(0, s.cr2 | s.cr3 | s.cr4 | s.cr8 | s.efer);
	EXPECT_EQ(0xfee00900, s.apic_base);
}

TEST_F(vm, reset_second_vcpu_is_not_boot_processor)
{
	struct kvm_sregs s;
	struct kvm_run *run;
	int cpu = vm_add_cpu(&self->m, 1, &run);

	ASSERT_EQ(0, ioctl(cpu, KVM_GET_SREGS, &s));
	EXPECT_EQ(0xfee00800, s.apic_base);
}

TEST_F(vm, reset_fpu)
{
	struct kvm_fpu fpu;

	memset(&fpu, 0xee, sizeof(fpu));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_FPU, &fpu));
	EXPECT_EQ(0x37f, fpu.fcw);
	EXPECT_EQ(0, fpu.fsw);
	EXPECT_EQ(0, fpu.ftwx);
	for (int i = 0; i < 16; i++)
		EXPECT_EQ(0, fpu.xmm[0][i]);
}

/* A vCPU starts at the reset vector, the last 16 bytes below 4G. */
TEST_F(vm, reset_vector_is_where_execution_starts)
{
	uint8_t *rom = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	rom[0xff0] = 0xf4;	/* hlt */
	ASSERT_EQ(0, vm_set_slot(&self->m, 1, 0xfffff000, PAGE, rom));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0xfff1, vm_regs(&self->m).rip);
}

/* --- set and get --- */

TEST_F(vm, regs_round_trip)
{
	struct kvm_regs set, got;

	for (size_t i = 0; i < sizeof(set) / 8; i++)
		((uint64_t *)&set)[i] = 0x0101010101010101 * (i + 1);
	set.rip = 0x123456789abc;
	set.rflags = 0x246;
	vm_set_regs(&self->m, &set);
	got = vm_regs(&self->m);
	EXPECT_EQ(0, memcmp(&set, &got, sizeof(set)));
}

TEST_F(vm, regs_rflags_bit_1_is_always_set)
{
	struct kvm_regs regs = { .rflags = 0 };

	vm_set_regs(&self->m, &regs);
	EXPECT_EQ(2, vm_regs(&self->m).rflags);
}

TEST_F(vm, regs_reach_the_guest_and_come_back)
{
	struct kvm_regs set, got;

	vm_start(&self->m, MODE_LONG, inc_all);
	for (size_t i = 0; i < 16; i++)
		((uint64_t *)&set)[i] = 0x1111111111111111 * i;
	set.rip = CODE;
	set.rflags = 2;
	vm_set_regs(&self->m, &set);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	got = vm_regs(&self->m);
	for (size_t i = 0; i < 16; i++) {
		EXPECT_EQ(((uint64_t *)&set)[i] + 1, ((uint64_t *)&got)[i])
			TH_LOG("register %zu", i);
	}
}

static bool same_segment(const struct kvm_segment *a, const struct kvm_segment *b)
{
	return a->selector == b->selector && a->base == b->base && a->limit == b->limit &&
	       a->type == b->type && a->present == b->present && a->dpl == b->dpl &&
	       a->db == b->db && a->s == b->s && a->l == b->l && a->g == b->g &&
	       a->avl == b->avl && a->unusable == b->unusable;
}

/* The eight segments are the first members, in a row. */
static bool same_sregs(const struct kvm_sregs *a, const struct kvm_sregs *b)
{
	for (int i = 0; i < 8; i++)
		if (!same_segment(&(&a->cs)[i], &(&b->cs)[i]))
			return false;
	return a->gdt.base == b->gdt.base && a->gdt.limit == b->gdt.limit &&
	       a->idt.base == b->idt.base && a->idt.limit == b->idt.limit &&
	       a->cr0 == b->cr0 && a->cr2 == b->cr2 && a->cr3 == b->cr3 && a->cr4 == b->cr4 &&
	       a->cr8 == b->cr8 && a->efer == b->efer && a->apic_base == b->apic_base;
}

TEST_F(vm, sregs_round_trip_in_every_mode)
{
	for (int mode = MODE_REAL; mode <= MODE_COMPAT; mode++) {
		struct kvm_sregs set, got;

		vm_enter(&self->m, mode, 0);
		set = vm_sregs(&self->m);
		set.cr2 = 0x1234567000;
		set.cr8 = 5;
		set.fs.base = 0x1000 * mode;
		set.gs.selector = mode == MODE_REAL ? 0 : SEL_UDATA;
		vm_set_sregs(&self->m, &set);
		got = vm_sregs(&self->m);
		EXPECT_TRUE(same_sregs(&set, &got)) TH_LOG("mode %d", mode);
	}
}

/* Nothing of the kernel's stack may hide in the padding. */
TEST_F(vm, sregs_padding_is_zero)
{
	struct kvm_sregs s;

	memset(&s, 0xee, sizeof(s));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_SREGS, &s));
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(0, (&s.cs)[i].padding);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, s.gdt.padding[i] | s.idt.padding[i]);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0, s.interrupt_bitmap[i]);
}

TEST_F(vm, sregs_reach_the_run_page)
{
	struct kvm_sregs s;

	vm_start(&self->m, MODE_REAL, hlt16);
	s = vm_sregs(&self->m);
	s.cr8 = 3;
	vm_set_sregs(&self->m, &s);
	self->m.run->cr8 = 3;
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(3, self->m.run->cr8);
	EXPECT_EQ(0xfee00900, self->m.run->apic_base);
}

/* --- what SET_SREGS refuses, and that refusing changes nothing --- */

#define EXPECT_REFUSED(m, change) do {						\
	struct kvm_sregs before_ = vm_sregs(m), s = before_, after_;		\
	s.cr2 ^= 0xabc000;	/* a change that would show */			\
	change;									\
	errno = 0;								\
	EXPECT_EQ(-1, ioctl((m)->cpu, KVM_SET_SREGS, &s))			\
		TH_LOG("%s", #change);						\
	EXPECT_EQ(EINVAL, errno);						\
	after_ = vm_sregs(m);							\
	EXPECT_TRUE(same_sregs(&before_, &after_))				\
		TH_LOG("%s", #change);						\
} while (0)

TEST_F(vm, sregs_long_mode_without_its_parts_gives_einval)
{
	vm_enter(&self->m, MODE_LONG, 0);
	EXPECT_REFUSED(&self->m, s.cr4 &= ~CR4_PAE);
	EXPECT_REFUSED(&self->m, s.efer &= ~EFER_LMA);
	EXPECT_REFUSED(&self->m, s.cr3 |= 1ULL << 60);
}

TEST_F(vm, sregs_long_mode_bits_outside_give_einval)
{
	vm_enter(&self->m, MODE_PAE, 0);
	EXPECT_REFUSED(&self->m, s.efer |= EFER_LMA);
	EXPECT_REFUSED(&self->m, s.cs.l = 1);
	vm_enter(&self->m, MODE_PROT, 0);
	EXPECT_REFUSED(&self->m, s.efer |= EFER_LMA | EFER_LME);
}

TEST_F(vm, sregs_bad_cr0_gives_einval)
{
	vm_enter(&self->m, MODE_PROT, 0);
	EXPECT_REFUSED(&self->m, s.cr0 |= 1ULL << 32);
	EXPECT_REFUSED(&self->m, s.cr0 |= 1ULL << 63);
	EXPECT_REFUSED(&self->m, s.cr0 |= CR0_NW);
	EXPECT_REFUSED(&self->m, s.cr0 = CR0_PG | CR0_ET | CR0_NE);
}

TEST_F(vm, sregs_bad_cr4_gives_einval)
{
	vm_enter(&self->m, MODE_PROT, 0);
	EXPECT_REFUSED(&self->m, s.cr4 |= 1ULL << 63);
	EXPECT_REFUSED(&self->m, s.cr4 |= 1ULL << 31);
	EXPECT_REFUSED(&self->m, s.cr4 |= 1ULL << 15);
	if (!on_kvm())
		EXPECT_REFUSED(&self->m, s.cr4 |= CR4_VMXE);
}

TEST_F(vm, sregs_bad_apic_base_gives_einval)
{
	vm_enter(&self->m, MODE_PROT, 0);
	EXPECT_REFUSED(&self->m, s.apic_base = 1 << 10);
	EXPECT_REFUSED(&self->m, s.apic_base |= 1);
	EXPECT_REFUSED(&self->m, s.apic_base |= 1ULL << 60);
}

TEST_F(vm, sregs_every_supported_cr4_bit_can_be_set_before_cpuid)
{
	static const uint64_t bits[] = { CR4_DE, CR4_PSE, CR4_PAE, CR4_OSFXSR, CR4_OSXMMEXCPT, 1 << 7 };

	for (int i = 0; i < 6; i++) {
		struct kvm_sregs s = vm_sregs(&self->m);

		s.cr4 |= bits[i];
		vm_set_sregs(&self->m, &s);
		EXPECT_EQ(s.cr4, vm_sregs(&self->m).cr4);
	}
}

/* --- FPU --- */

TEST_F(vm, fpu_round_trip)
{
	struct kvm_fpu set, got;

	memset(&set, 0, sizeof(set));
	for (int i = 0; i < 8; i++)
		memset(set.fpr[i], 0x11 * (i + 1), 10);
	for (int i = 0; i < 16; i++)
		memset(set.xmm[i], i + 1, 16);
	set.fcw = 0x027f;
	set.fsw = 0x3800;
	set.ftwx = 0xff;
	set.mxcsr = 0x1f80;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_FPU, &set));
	memset(&got, 0xee, sizeof(got));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_FPU, &got));
	EXPECT_EQ(set.fcw, got.fcw);
	EXPECT_EQ(set.fsw, got.fsw);
	EXPECT_EQ(set.ftwx, got.ftwx);
	EXPECT_EQ(0, memcmp(set.xmm, got.xmm, sizeof(set.xmm)));
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(0, memcmp(set.fpr[i], got.fpr[i], 10));
}

static void sse_on(struct vm *m)
{
	struct kvm_sregs s = vm_sregs(m);

	s.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
	vm_set_sregs(m, &s);
}

TEST_F(vm, fpu_reaches_the_guest_and_comes_back)
{
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	memset(fpu.xmm[0], 0xaa, 16);
	memset(fpu.xmm[15], 0x55, 16);
	vm_start(&self->m, MODE_LONG, swap_xmm);
	sse_on(&self->m);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_FPU, &fpu));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_FPU, &fpu));
	for (int i = 0; i < 16; i++) {
		EXPECT_EQ(0x55, fpu.xmm[0][i]);
		EXPECT_EQ(0xaa, fpu.xmm[15][i]);
	}
}

/* KVM_RUN between loading and storing the host's own FPU registers. */
static long run_with_fpu(int cpu, const void *pattern, void *xmm15, uint32_t *mxcsr, uint16_t *fcw)
{
	long ret;

	asm volatile("movdqu %[in], %%xmm0\n\tmovdqa %%xmm0, %%xmm15\n\t"
		     "fninit\n\tsyscall\n\t"
		     "movdqu %%xmm15, %[out]\n\tstmxcsr %[mxcsr]\n\tfnstcw %[fcw]"
		     : "=a" (ret), [out] "=m" (*(char (*)[16])xmm15), [mxcsr] "=m" (*mxcsr),
		       [fcw] "=m" (*fcw)
		     : "a" (SYS_ioctl), "D" ((long)cpu), "S" ((long)KVM_RUN), "d" (0L),
		       [in] "m" (*(const char (*)[16])pattern)
		     : "rcx", "r11", "xmm0", "xmm15", "memory");
	return ret;
}

TEST_F(vm, fpu_of_host_survives_run)
{
	char host[16], out[16];
	uint32_t mxcsr;
	uint16_t fcw;

	vm_start(&self->m, MODE_LONG, fill_fpu);
	sse_on(&self->m);
	memset(self->m.ram + DATA, 0x66, 16);
	memset(host, 0x99, 16);
	ASSERT_EQ(0, run_with_fpu(self->m.cpu, host, out, &mxcsr, &fcw));
	ASSERT_EQ(KVM_EXIT_HLT, self->m.run->exit_reason);
	EXPECT_EQ(0, memcmp(host, out, 16));
	EXPECT_EQ(0x1f80, mxcsr);
	EXPECT_EQ(0x37f, fcw);
}

/* Two vCPUs in turn on one thread, the host's registers in between. */
TEST_F(vm, fpu_of_two_vcpus_stays_apart)
{
	struct vm other;
	char host[16], out[16];
	uint32_t mxcsr;
	uint16_t fcw;

	vm_create(&other);
	vm_start(&self->m, MODE_LONG, fill_fpu);
	sse_on(&self->m);
	memset(self->m.ram + DATA, 0x66, 16);
	vm_start(&other, MODE_LONG, read_xmm);
	sse_on(&other);
	memset(other.ram + DATA, 0xff, 0x30);
	memset(host, 0x99, 16);
	ASSERT_EQ(0, run_with_fpu(self->m.cpu, host, out, &mxcsr, &fcw));
	ASSERT_EQ(0, run_with_fpu(other.cpu, host, out, &mxcsr, &fcw));
	ASSERT_EQ(KVM_EXIT_HLT, other.run->exit_reason);
	for (int i = 0; i < 16; i++)
		EXPECT_EQ(0, other.ram[DATA + i]);
	EXPECT_EQ(0x1f80, *(uint32_t *)(other.ram + DATA + 0x20));
	EXPECT_EQ(0x37f, *(uint16_t *)(other.ram + DATA + 0x28));
	EXPECT_EQ(0, *(uint16_t *)(other.ram + DATA + 0x2a));
	/* The first still has its own. */
	vm_start(&self->m, MODE_LONG, read_xmm);
	sse_on(&self->m);
	memset(self->m.ram + DATA, 0, 16);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x66, self->m.ram[DATA + 7]);
	EXPECT_EQ(0x7f80, *(uint32_t *)(self->m.ram + DATA + 0x20));
	EXPECT_EQ(0x077f, *(uint16_t *)(self->m.ram + DATA + 0x28));
}

/* --- debug registers --- */

TEST_F(vm, debug_registers_are_the_vcpus_own)
{
	struct vm other;
	struct kvm_regs regs;

	vm_create(&other);
	vm_start(&self->m, MODE_LONG, set_dr);
	regs = vm_regs(&self->m);
	regs.rax = 0x123450;
	regs.rbx = 0x4ff;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);

	vm_start(&other, MODE_LONG, get_dr);
	ASSERT_EXIT(KVM_EXIT_HLT, &other);
	EXPECT_EQ(0, vm_regs(&other).rax);
	EXPECT_EQ(0, vm_regs(&other).rbx);
	EXPECT_EQ(0xffff0ff0, vm_regs(&other).rcx);
	EXPECT_EQ(0x400, vm_regs(&other).rdx);

	vm_start(&self->m, MODE_LONG, get_dr);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0x123450, vm_regs(&self->m).rax);
	EXPECT_EQ(0x123450, vm_regs(&self->m).rbx);
	EXPECT_EQ(0x4ff, vm_regs(&self->m).rdx);
}

static volatile int watched;

/* A data breakpoint of the host's own, counted by perf. */
static int open_breakpoint(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&watched,
		.bp_len = HW_BREAKPOINT_LEN_4,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

TEST_F(vm, debug_registers_of_host_survive_run)
{
	int fd = open_breakpoint();
	struct kvm_regs regs;
	uint64_t hits = 0;

	if (fd < 0)
		SKIP(return, "no hardware breakpoints: %s", strerror(errno));
	watched = 1;
	vm_start(&self->m, MODE_LONG, set_dr);
	regs = vm_regs(&self->m);
	regs.rax = 0x123450;
	regs.rbx = 0x400;
	vm_set_regs(&self->m, &regs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	watched = 2;
	ASSERT_EQ(sizeof(hits), read(fd, &hits, sizeof(hits)));
	EXPECT_EQ(2, hits);
}

/* --- the host's segment bases and system call MSRs --- */

TEST_F(vm, host_gs_base_and_syscalls_survive_run)
{
	unsigned long base = 0x123456000, got = 0;

	ASSERT_EQ(0, syscall(SYS_arch_prctl, ARCH_SET_GS, base));
	vm_start(&self->m, MODE_LONG, set_syscall_msrs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	ASSERT_EQ(0, syscall(SYS_arch_prctl, ARCH_GET_GS, &got));
	EXPECT_EQ(base, got);
	EXPECT_EQ(getpid(), syscall(SYS_getpid));
}

static uint64_t get_msr(struct vm *m, uint32_t index)
{
	uint64_t data;

	if (!cpu_get_msr(m->cpu, index, &data))
		die("KVM_GET_MSRS %#x", index);
	return data;
}

/* What the guest wrote is the vCPU's, after SWAPGS exchanged; another vCPU has zeros. */
TEST_F(vm, syscall_msrs_are_the_vcpus_own)
{
	static const uint32_t index[] = { 0xc0000081, 0xc0000082, 0xc0000100, 0x175, 0x176 };
	struct vm other;

	vm_create(&other);
	vm_start(&self->m, MODE_LONG, set_syscall_msrs);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	vm_start(&other, MODE_LONG, hlt64);
	ASSERT_EXIT(KVM_EXIT_HLT, &other);
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(0x123400000000 | index[i], get_msr(&self->m, index[i]))
			TH_LOG("%#x", index[i]);
		EXPECT_EQ(0, get_msr(&other, index[i])) TH_LOG("%#x", index[i]);
	}
	EXPECT_EQ(0x1234c0000102, get_msr(&self->m, 0xc0000101));
	EXPECT_EQ(0x1234c0000101, get_msr(&self->m, 0xc0000102));
	EXPECT_EQ(0xc0000084, get_msr(&self->m, 0xc0000084));
	EXPECT_EQ(0x174, get_msr(&self->m, 0x174));
	EXPECT_EQ(0, get_msr(&other, 0xc0000102));
}

/* --- the time stamp counter --- */

TEST_F(vm, tsc_only_goes_forward)
{
	vm_start(&self->m, MODE_LONG, rdtsc_often);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

TEST_F(vm, tsc_set_by_host_is_where_guest_goes_on)
{
	ASSERT_TRUE(cpu_set_msr(self->m.cpu, 0x10, 1ULL << 50));
	vm_start(&self->m, MODE_LONG, rdtsc_often);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_LE(1ULL << 50, vm_regs(&self->m).rsi);
	EXPECT_GT((1ULL << 50) + (1ULL << 40), vm_regs(&self->m).rsi);
	EXPECT_LT(vm_regs(&self->m).rsi, get_msr(&self->m, 0x10));
}

TEST_HARNESS_MAIN
