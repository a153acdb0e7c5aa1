// SPDX-License-Identifier: GPL-2.0
/* The FPU's extended state: KVM_GET/SET_XSAVE and _XCRS, the guest's and the host's apart. */
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

VM_FIXTURE

TEST_F(vm, xsave_agrees_with_fpu)
{
	struct kvm_xsave x;
	struct kvm_fpu fpu;

	ASSERT_EQ(1, vm_cap(&self->m, KVM_CAP_XSAVE));
	memset(&fpu, 0, sizeof(fpu));
	fpu.fcw = 0x27f;
	fpu.mxcsr = 0x1f80;
	memset(fpu.xmm[3], 0x5a, 16);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_FPU, &fpu));
	memset(&x, 0xee, sizeof(x));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XSAVE, &x));
	EXPECT_EQ(0x27f, x.region[0] & 0xffff);
	EXPECT_EQ(0x1f80, x.region[6]);
	EXPECT_EQ(0x5a5a5a5a, x.region[40 + 3 * 4]);
	EXPECT_EQ(3, x.region[128] & 3);
	/* Nothing of the kernel's memory behind the area. */
	EXPECT_EQ(0, x.region[1023]);
}

TEST_F(vm, xsave_round_trip)
{
	struct kvm_xsave set, got;
	struct kvm_fpu fpu;

	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XSAVE, &set));
	for (int i = 40; i < 104; i++)
		set.region[i] = i * 0x01010101;
	set.region[0] = 0x37f;
	set.region[128] |= 3;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_XSAVE, &set));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XSAVE, &got));
	EXPECT_EQ(0, memcmp(&set.region[40], &got.region[40], 64 * 4));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_FPU, &fpu));
	EXPECT_EQ(0, memcmp(&set.region[40], fpu.xmm, 256));
}

TEST_F(vm, xsave_reaches_the_guest)
{
	struct kvm_xsave x;
	struct kvm_sregs s;

	vm_start(&self->m, MODE_LONG, read_xmm);
	s = vm_sregs(&self->m);
	s.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
	vm_set_sregs(&self->m, &s);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XSAVE, &x));
	x.region[40 + 15 * 4] = 0xfeedf00d;
	x.region[6] = 0x1fa0;
	x.region[128] |= 3;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_XSAVE, &x));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(0, memcmp("\x0d\xf0\xed\xfe", self->m.ram + DATA, 4));
	EXPECT_EQ(0, memcmp("\xa0\x1f", self->m.ram + DATA + 0x20, 2));
}

TEST_F(vm, xsave_bad_values_give_einval)
{
	struct kvm_xsave good, x;

	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XSAVE, &good));
	x = good;
	x.region[128] |= 3;
	x.region[6] = 0x10000;		/* MXCSR */
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XSAVE, &x));
	x = good;
	x.region[129] = 0x80000000;	/* XSTATE_BV */
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XSAVE, &x));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_SET_XSAVE, 1UL));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.cpu, KVM_GET_XSAVE, 1UL));
	if (!vm_cap(&self->m, KVM_CAP_XCRS))
		return;
	x = good;
	x.region[131] = 0x80000000;	/* XCOMP_BV: compacted */
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XSAVE, &x));
}

TEST_F(vm, xcrs_round_trip_and_refusals)
{
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = 3 } };

	if (!vm_cap(&self->m, KVM_CAP_XCRS)) {
		EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XCRS, &x));
		SKIP(return, "no XSAVE on this machine");
	}
	vm_set_supported_cpuid(&self->m);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_XCRS, &x));
	x.xcrs[0].value = 0;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XCRS, &x));
	EXPECT_EQ(1, x.nr_xcrs);
	EXPECT_EQ(3, x.xcrs[0].value);
	x.xcrs[0].value = 2;		/* without x87 */
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XCRS, &x));
	x.xcrs[0].value = 5;		/* AVX without SSE */
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XCRS, &x));
	x.xcrs[0].value = 3;
	x.flags = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XCRS, &x));
	x.flags = 0;
	x.nr_xcrs = KVM_MAX_XCRS + 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XCRS, &x));
}

/* MXCSR comes with x87, SSE and AVX alike; without any of them it stays. */
TEST_F(vm, xsave_mxcsr_goes_with_every_component_that_has_it)
{
	struct kvm_xsave x;
	struct kvm_fpu fpu;

	if (!vm_cap(&self->m, KVM_CAP_XCRS))
		SKIP(return, "no XSAVE on this machine");
	vm_set_supported_cpuid(&self->m);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XSAVE, &x));
	for (uint32_t component = 1; component <= 4; component *= 2) {
		x.region[6] = 0x1f80 | component;
		x.region[128] = component;
		ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_XSAVE, &x));
		ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_FPU, &fpu));
		EXPECT_EQ(0x1f80 | component, fpu.mxcsr);
	}
	x.region[6] = 0;
	x.region[128] = 0;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_XSAVE, &x));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_FPU, &fpu));
	EXPECT_EQ(0x1f84, fpu.mxcsr);
	x.region[6] = 0x10000;
	x.region[128] = 1;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XSAVE, &x));
}

/* A guest whose CPUID has no AVX: neither in XCR0 nor in what a VMM saves of it. */
TEST_F(vm, xsave_of_a_guest_without_avx)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = 7 } };
	struct kvm_cpuid2 *cpuid = supported_cpuid(&self->m);
	struct kvm_cpuid_entry2 *e = find_cpuid(cpuid, 0xd, 0);
	struct kvm_xsave x;

	if (!vm_cap(&self->m, KVM_CAP_XCRS) || !e || !(e->eax & 4))
		SKIP(return, "no AVX on this machine");
	e->eax = 3;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_CPUID2, cpuid));
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XCRS, &xcrs));
	xcrs.xcrs[0].value = 3;
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_XCRS, &xcrs));
	memset(&x, 0, sizeof(x));
	x.region[0] = 0x37f;
	x.region[6] = 0x1f80;
	x.region[128] = 7;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_XSAVE, &x));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XSAVE, &x));
	EXPECT_EQ(3, x.region[128]);
}

/* Without CPUID leaf 0DH there is x87 only. */
TEST_F(vm, xcr0_of_a_guest_without_cpuid)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0] = { .xcr = 0, .value = 1 } };

	if (!vm_cap(&self->m, KVM_CAP_XCRS))
		SKIP(return, "no XSAVE on this machine");
	EXPECT_EQ(0, ioctl(self->m.cpu, KVM_SET_XCRS, &xcrs));
	xcrs.xcrs[0].value = 3;
	EXPECT_ERRNO(EINVAL, ioctl(self->m.cpu, KVM_SET_XCRS, &xcrs));
}

/*
 * KVM_RUN with a pattern in two AVX registers, which a system call leaves alone.
 * @out: what is in them afterwards, one after the other.
 */
static long run_with_ymm(struct vm *m, const uint8_t in[32], uint8_t out[64])
{
	long r = SYS_ioctl;

	asm volatile("vmovups (%[in]), %%ymm0\n\t"
		     "vmovups (%[in]), %%ymm15\n\t"
		     "syscall\n\t"
		     "vmovups %%ymm0, (%[out])\n\t"
		     "vmovups %%ymm15, 32(%[out])"
		     : "+a"(r)
		     : "D"((long)m->cpu), "S"((long)KVM_RUN), "d"(0L), [in]"r"(in), [out]"r"(out)
		     : "rcx", "r11", "xmm0", "xmm15", "memory");
	return r;
}

/* Guest and host, and two exits apart: AVX state is neither lost nor leaked. */
TEST_F(vm, avx_state_is_the_guests_own)
{
	struct kvm_xcrs x;
	struct kvm_xsave xsave;
	uint8_t mine[32], after[64];

	if (!vm_cap(&self->m, KVM_CAP_XCRS))
		SKIP(return, "no XSAVE on this machine");
	vm_set_supported_cpuid(&self->m);
	vm_start(&self->m, MODE_LONG, avx64);
	memset(self->m.ram + DATA, 0xa5, 32);
	memset(mine, 0x3c, 32);
	ASSERT_EQ(0, run_with_ymm(&self->m, mine, after));
	ASSERT_EQ(KVM_EXIT_HLT, self->m.run->exit_reason);
	EXPECT_EQ(0, memcmp(mine, after, 32));
	EXPECT_EQ(0, memcmp(mine, after + 32, 32));
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XCRS, &x));
	EXPECT_EQ(7, x.xcrs[0].value);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XSAVE, &xsave));
	EXPECT_EQ(6, xsave.region[128] & 6);	/* SSE and AVX; x87 is as after reset */
	EXPECT_EQ(0xa5a5a5a5, xsave.region[576 / 4]);	/* upper half of ymm0 */
	xsave.region[576 / 4 + 15 * 4] = 0x12345678;
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_XSAVE, &xsave));
	ASSERT_EQ(0, run_with_ymm(&self->m, mine, after));
	ASSERT_EQ(KVM_EXIT_HLT, self->m.run->exit_reason);
	EXPECT_EQ(0, memcmp(mine, after, 32));
	EXPECT_EQ(0, memcmp(mine, after + 32, 32));
	EXPECT_EQ(0, memcmp(self->m.ram + DATA, self->m.ram + DATA + 0x40, 32));
	EXPECT_EQ(0, memcmp("\x78\x56\x34\x12", self->m.ram + DATA + 0x70, 4));
	EXPECT_NE(0x3c, self->m.ram[DATA + 0x60]);
}

/*
 * KVM_RUN with the process's own zmm0, zmm31, k1 and k7, at these offsets before
 * and after. One piece of assembly: the C library uses those registers, too.
 */
static long run_with_zmm(int cpu, const uint8_t *before, uint8_t *after)
{
	long r;

	asm volatile("vmovups (%[b]), %%zmm0\n\t"
		     "vmovups 64(%[b]), %%zmm31\n\t"
		     "kmovq 128(%[b]), %%k1\n\t"
		     "kmovq 136(%[b]), %%k7\n\t"
		     "syscall\n\t"
		     "vmovups %%zmm0, (%[a])\n\t"
		     "vmovups %%zmm31, 64(%[a])\n\t"
		     "kmovq %%k1, 128(%[a])\n\t"
		     "kmovq %%k7, 136(%[a])\n\t"
		     "vzeroupper"
		     : "=a"(r)
		     : "a"(SYS_ioctl), "D"(cpu), "S"(KVM_RUN), "d"(0), [b] "r"(before), [a] "r"(after)
		     : "rcx", "r11", "memory", "xmm0");
	return r;
}

/* Where KVM_GET_XSAVE has k0, the upper half of zmm0, and zmm16. */
enum { AREA_K = 0x440, AREA_ZMM_HI = 0x480, AREA_ZMM16 = 0x680 };

/* As above, of AVX-512: all three components that it adds. */
TEST_F(vm, avx512_state_is_the_guests_own)
{
	struct kvm_cpuid_entry2 *e = find_cpuid(supported_cpuid(&self->m), 0xd, 0);
	uint8_t mine[144], after[144], want[64];
	struct kvm_xsave xsave;
	uint8_t *area = (uint8_t *)&xsave;

	if (!e || (e->eax & 0xe6) != 0xe6)
		SKIP(return, "no AVX-512 on this machine");
	vm_set_supported_cpuid(&self->m);
	vm_start(&self->m, MODE_LONG, zmm64);
	for (size_t i = 0; i < 64; i++)
		self->m.ram[DATA + i] = 0xa0 + i;
	memset(mine, 0x3c, sizeof(mine));
	ASSERT_EQ(0, run_with_zmm(self->m.cpu, mine, after));
	ASSERT_EQ(KVM_EXIT_HLT, self->m.run->exit_reason);
	EXPECT_EQ(0, memcmp(mine, after, sizeof(mine)));

	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_GET_XSAVE, &xsave));
	EXPECT_EQ(0x66, xsave.region[128] & 0x66);	/* SSE, AVX, k, upper halves */
	EXPECT_EQ(0, memcmp(self->m.ram + DATA, area + AREA_K + 8, 8));
	EXPECT_EQ(0, memcmp(self->m.ram + DATA + 32, area + AREA_ZMM_HI, 32));
	xsave.region[128] |= 0x80;		/* zmm16 to zmm31 */
	memset(area + AREA_ZMM16, 0, 16 * 64);
	memset(want, 0x5b, sizeof(want));
	memcpy(area + AREA_ZMM16 + 15 * 64, want, 64);
	memcpy(area + AREA_K + 7 * 8, want, 8);
	ASSERT_EQ(0, ioctl(self->m.cpu, KVM_SET_XSAVE, &xsave));

	ASSERT_EQ(0, run_with_zmm(self->m.cpu, mine, after));
	ASSERT_EQ(KVM_EXIT_HLT, self->m.run->exit_reason);
	EXPECT_EQ(0, memcmp(mine, after, sizeof(mine)));
	EXPECT_EQ(0, memcmp(self->m.ram + DATA, self->m.ram + DATA + 0x40, 64));
	EXPECT_EQ(0, memcmp(want, self->m.ram + DATA + 0x80, 64));
	EXPECT_EQ(0, memcmp(self->m.ram + DATA, self->m.ram + DATA + 0xc0, 8));
	EXPECT_EQ(0, memcmp(want, self->m.ram + DATA + 0xc8, 8));
}

TEST_HARNESS_MAIN
