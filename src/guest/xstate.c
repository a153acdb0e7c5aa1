// SPDX-License-Identifier: GPL-2.0
/*
 * xstate.c - the extended state of the FPU, to and from the VMM
 *
 * The guest's area is in XSAVE's standard format, which is also the API's.
 * Nothing that XRSTOR would fault on may get in: SDM vol. 1 "Operation of
 * XRSTOR".
 */
#include "guest/xstate.h"

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <asm/page_types.h>
#include <asm/fpu/types.h>

#include "guest/cpuid.h"
#include "vmx/host.h"
#include "vtx.h"

#define LEGACY_SIZE	sizeof(struct fxregs_state)
/* SDM vol. 1 "MXCSR": every CPU with VMX has DAZ, none more than this. */
#define MXCSR_VALID	0xffffU

/**
 * vtx_get_xsave() - KVM_GET_XSAVE
 * @vcpu:  the vCPU
 * @xsave: result
 */
void vtx_get_xsave(struct vtx_vcpu *vcpu, struct kvm_xsave *xsave)
{
	struct xregs_state *x = (void *)xsave->region;

	memset(xsave, 0, sizeof(*xsave));
	memcpy(xsave, vcpu->fpu, min_t(size_t, vtx_fpu_size(), sizeof(*xsave)));
	/* FXSAVE has no header to say what is there. */
	if (!vtx_fpu_xcr0_supported())
		x->header.xfeatures = XFEATURE_MASK_FPSSE;
	/* Another host that gives this guest as much must be able to take it. */
	x->header.xfeatures &= vtx_cpuid_xcr0(vcpu) | XFEATURE_MASK_SSE;
}

static bool header_valid(const struct xregs_state *x)
{
	u64 supported = vtx_fpu_xcr0_supported();

	if (!supported)
		return !(x->header.xfeatures & ~(u64)XFEATURE_MASK_FPSSE);
	return !(x->header.xfeatures & ~supported) && !x->header.xcomp_bv &&
	       !memchr_inv(x->header.reserved, 0, sizeof(x->header.reserved));
}

/**
 * vtx_set_xsave() - KVM_SET_XSAVE
 * @vcpu:  the vCPU
 * @xsave: the values
 *
 * Return: 0; -EINVAL: components that vtx does not have, a bad MXCSR.
 */
int vtx_set_xsave(struct vtx_vcpu *vcpu, const struct kvm_xsave *xsave)
{
	const struct xregs_state *x = (const void *)xsave->region;
	struct xregs_state *fpu = vcpu->fpu;
	bool have_header = vtx_fpu_xcr0_supported();
	u64 features = have_header ? x->header.xfeatures : XFEATURE_MASK_FPSSE;
	u32 mxcsr = fpu->i387.mxcsr;

	if (!header_valid(x))
		return -EINVAL;
	/* As KVM does: with x87, too, and without any of them it stays. */
	if (features & (XFEATURE_MASK_FPSSE | XFEATURE_MASK_YMM))
		mxcsr = x->i387.mxcsr;
	if (mxcsr & ~MXCSR_VALID)
		return -EINVAL;

	/* A component that is not there is in its initial state. */
	memset(&fpu->i387, 0, LEGACY_SIZE);
	fpu->i387.cwd = 0x37f;
	if (features & XFEATURE_MASK_FP) {
		memcpy(&fpu->i387, &x->i387, offsetof(struct fxregs_state, mxcsr));
		memcpy(fpu->i387.st_space, x->i387.st_space, sizeof(fpu->i387.st_space));
	}
	if (features & XFEATURE_MASK_SSE)
		memcpy(fpu->i387.xmm_space, x->i387.xmm_space,
		       sizeof(fpu->i387.xmm_space));
	fpu->i387.mxcsr = mxcsr;
	if (have_header) {
		memset(&fpu->header, 0, sizeof(fpu->header));
		fpu->header.xfeatures = features;
		memcpy(fpu->extended_state_area, x->extended_state_area,
		       min_t(size_t, vtx_fpu_size(), sizeof(*xsave)) -
		       offsetof(struct xregs_state, extended_state_area));
	}
	return 0;
}

/**
 * vtx_get_xcrs() - KVM_GET_XCRS
 * @vcpu: the vCPU
 * @xcrs: result
 */
void vtx_get_xcrs(struct vtx_vcpu *vcpu, struct kvm_xcrs *xcrs)
{
	memset(xcrs, 0, sizeof(*xcrs));
	if (!vtx_fpu_xcr0_supported())
		return;
	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].value = vcpu->xcr0;
}

/**
 * vtx_xcr0_valid() - may XCR0 hold this?
 * @xcr0:    the value
 * @allowed: bits that the guest may set
 *
 * SDM vol. 2 "XSETBV": x87 always, AVX needs SSE, the three of AVX-512 go
 * together and need AVX.
 *
 * Return: false: #GP(0).
 */
bool vtx_xcr0_valid(u64 xcr0, u64 allowed)
{
	if (!(xcr0 & XFEATURE_MASK_FP) || (xcr0 & ~allowed))
		return false;
	if ((xcr0 & XFEATURE_MASK_YMM) && !(xcr0 & XFEATURE_MASK_SSE))
		return false;
	if (xcr0 & XFEATURE_MASK_AVX512)
		return (xcr0 & XFEATURE_MASK_AVX512) == XFEATURE_MASK_AVX512 &&
		       (xcr0 & XFEATURE_MASK_YMM);
	return true;
}

/**
 * vtx_set_xcrs() - KVM_SET_XCRS
 * @vcpu: the vCPU
 * @xcrs: the values; only XCR0 means anything
 *
 * Return: 0; -EINVAL: what the guest could not set, either.
 */
int vtx_set_xcrs(struct vtx_vcpu *vcpu, const struct kvm_xcrs *xcrs)
{
	u64 allowed = vtx_cpuid_xcr0(vcpu);
	unsigned int i;

	if (!vtx_fpu_xcr0_supported() || xcrs->flags || xcrs->nr_xcrs > KVM_MAX_XCRS)
		return -EINVAL;
	for (i = 0; i < xcrs->nr_xcrs; i++) {
		if (xcrs->xcrs[i].xcr)
			continue;
		if (!vtx_xcr0_valid(xcrs->xcrs[i].value, allowed))
			return -EINVAL;
		vcpu->xcr0 = xcrs->xcrs[i].value;
		break;
	}
	return 0;
}
