/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_GWALK_H
#define _VTX_GWALK_H

#include <linux/kvm_types.h>
#include <linux/types.h>

#include "guest/cr.h"
#include "mem/guest_mem.h"

struct vtx_vcpu;

/* Access rights to ask for: the bits of a page-fault error code. */
#define VTX_ACCESS_WRITE	0x2
#define VTX_ACCESS_USER		0x4
#define VTX_ACCESS_FETCH	0x10

/**
 * struct vtx_gwalk - the guest's paging state, read once
 * @cr0: as the guest sees it
 * @cr3: likewise
 * @cr4: likewise
 * @efer: likewise
 * @rflags: likewise
 * @pdpte: of PAE paging, as the CPU has loaded them
 * @has_pdptes: they are valid
 * @user: CPL is 3
 * @bits: 16, 32 or 64, from the code segment
 */
struct vtx_gwalk {
	u64 cr0;
	u64 cr3;
	u64 cr4;
	u64 efer;
	u64 rflags;
	u64 pdpte[4];
	bool has_pdptes;
	bool user;
	unsigned int bits;
};

/**
 * struct vtx_walked - a walk for code: done already, while it would read the same
 * @w: the paging state then
 * @gva: the page
 * @trail: what it read
 */
struct vtx_walked {
	struct vtx_gwalk w;
	gva_t gva;
	struct vtx_trail trail;
};

void vtx_gwalk_init(const struct vtx_vcpu *vcpu, struct vtx_gwalk *w);
int vtx_gwalk(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
	      u32 access, gpa_t *gpa, u32 *error);
bool __vtx_linear(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, unsigned int seg,
		  u64 offset, unsigned int len, u32 access, gva_t *gva);
int vtx_gva_check_write(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
			unsigned int len);
bool vtx_gva_same_code(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		       const void *bytes, unsigned int len,
		       const struct vtx_walked *walked);
int vtx_gva_fetch(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		  void *buf, unsigned int len, struct vtx_walked *walked);
int vtx_gva_read(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		 void *buf, unsigned int len);
int vtx_gva_write(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		  const void *buf, unsigned int len);
void vtx_load_pdptes(struct vtx_vcpu *vcpu);

/**
 * vtx_linear() - segmentation: from segment and offset to linear address
 * @vcpu:   the vCPU
 * @w:      from vtx_gwalk_init()
 * @seg:    enum vtx_seg
 * @offset: effective address
 * @len:    bytes of the access
 * @write:  it is a write
 * @gva:    result
 *
 * SDM vol. 3 "Limit Checking", "Type Checking"; in 64-bit mode only FS and GS
 * have a base and nothing has a limit.
 *
 * Context: may sleep unless the VMCS is current.
 * Return: false for #GP(0), or #SS(0) if @seg is SS.
 */
static inline bool vtx_linear(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w,
			      unsigned int seg, u64 offset, unsigned int len, bool write,
			      gva_t *gva)
{
	*gva = offset;
	if (w->bits != 64 || seg == VTX_SEG_FS || seg == VTX_SEG_GS)
		if (!__vtx_linear(vcpu, w, seg, offset, len, write ? VTX_ACCESS_WRITE : 0, gva))
			return false;
	return w->bits != 64 || (s64)(*gva << 16) >> 16 == (s64)*gva;
}

/**
 * vtx_linear_code() - vtx_linear() for one byte of code, which need not be readable
 * @vcpu: the vCPU
 * @w:    from vtx_gwalk_init()
 * @rip:  where, in CS
 * @gva:  result
 *
 * Context: may sleep unless the VMCS is current.
 * Return: false for #GP(0).
 */
static inline bool vtx_linear_code(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, u64 rip,
				   gva_t *gva)
{
	if (w->bits == 64)
		return vtx_linear(vcpu, w, VTX_SEG_CS, rip, 1, false, gva);
	return __vtx_linear(vcpu, w, VTX_SEG_CS, rip, 1, VTX_ACCESS_FETCH, gva);
}

#endif /* _VTX_GWALK_H */
