// SPDX-License-Identifier: GPL-2.0
/*
 * gwalk.c - walk the guest's own page tables
 *
 * Needed where vtx acts for the guest on a linear address: string I/O, and the
 * bytes of an instruction that touched MMIO. Sets accessed and dirty flags as
 * the CPU would.
 *
 * SDM vol. 3 "Paging", "Access Rights", "Page-Fault Exceptions".
 */
#include "emulate/gwalk.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include <asm/processor-flags.h>

#include "guest/cr.h"
#include "guest/event.h"
#include "mem/guest_mem.h"
#include "vmx/vmcs_init.h"
#include "vmx/vmx_insn.h"
#include "vtx.h"

#define PTE_P		0x1ULL
#define PTE_W		0x2ULL
#define PTE_U		0x4ULL
#define PTE_A		0x20ULL
#define PTE_D		0x40ULL
#define PTE_PS		0x80ULL
#define PTE_NX		BIT_ULL(63)
#define PTE_ADDR	0x000ffffffffff000ULL

/* Above MAXPHYADDR, and bits 8:5 and 2:1. */
#define PDPTE_RESERVED \
	(~GENMASK_ULL(boot_cpu_data.x86_phys_bits - 1, 0) | 0x1e6ULL)

#define PF_PRESENT	0x1
#define PF_RESERVED	0x8

/**
 * vtx_gwalk_init() - read the paging state
 * @vcpu: of this vCPU
 * @w: where to
 *
 * SDM vol. 3 "PDPTE Registers": with PAE paging, what MOV to CR has loaded counts,
 * not what is in memory by now; except that userspace has set CR3 meanwhile.
 *
 * Context: VMCS current.
 */
void vtx_gwalk_init(const struct vtx_vcpu *vcpu, struct vtx_gwalk *w)
{
	unsigned int i;

	w->cr0 = vtx_cr0_read();
	w->cr3 = vmcs_readl(GUEST_CR3);
	w->cr4 = vtx_cr4_read(vcpu);
	w->efer = vtx_efer_lma(vcpu->efer, w->cr0);
	w->rflags = vmcs_readl(GUEST_RFLAGS);
	w->user = vtx_cpl() == 3;
	w->bits = vtx_cs_bits(vmcs_read32(GUEST_CS_AR_BYTES), w->efer);
	w->has_pdptes = vtx_pae_paging(w->cr0, w->cr4, w->efer) && !vcpu->pdptes_stale;
	for (i = 0; w->has_pdptes && i < 4; i++)
		w->pdpte[i] = vmcs_read64(GUEST_PDPTR0 + 2 * i);
}

/**
 * struct paging - one paging mode
 * @levels: of tables
 * @bits: of the linear address per level
 * @entry: size of an entry in bytes
 * @suspect: bits without which no reserved bit can be set
 */
struct paging {
	unsigned int levels;
	unsigned int bits;
	unsigned int entry;
	u64 suspect;
};

/* Above MAXPHYADDR. */
static u64 beyond(void)
{
	return GENMASK_ULL(51, 0) & ~GENMASK_ULL(boot_cpu_data.x86_phys_bits - 1, 0);
}

static struct paging paging_mode(const struct vtx_gwalk *w)
{
	if (w->efer & EFER_LMA)
		return (struct paging){ 4, 9, 8, beyond() | PTE_PS | PTE_NX };
	if (w->cr4 & X86_CR4_PAE)
		return (struct paging){ 3, 9, 8, ~0ULL };
	return (struct paging){ 2, 10, 4, PTE_PS };
}

static bool large_allowed(const struct vtx_gwalk *w, const struct paging *m,
			  unsigned int level)
{
	if (m->entry == 4)
		return level == 2 && (w->cr4 & X86_CR4_PSE);
	return level == 2 || (level == 3 && m->levels == 4);
}

/* Page-fault error bits if @rights forbid @access; @rights: PTE_W, _U, _NX. */
static bool forbidden(const struct vtx_gwalk *w, u64 rights, u32 access)
{
	bool user_page = rights & PTE_U;
	bool user = access & VTX_ACCESS_USER;

	if (user && !user_page)
		return true;
	if (access & VTX_ACCESS_FETCH)
		return (rights & PTE_NX) ||
		       (!user && user_page && (w->cr4 & X86_CR4_SMEP));
	if (!user && user_page && (w->cr4 & X86_CR4_SMAP) &&
	    !(w->rflags & X86_EFLAGS_AC))
		return true;
	if (!(access & VTX_ACCESS_WRITE) || (rights & PTE_W))
		return false;
	return user || (w->cr0 & X86_CR0_WP);
}

/*
 * The CPU sets flags with a locked access; so do we, or walk anew (-EAGAIN). A
 * table in read-only memory, as KVM has it, does without.
 */
static int update_entry(struct vtx_vcpu *vcpu, gpa_t at, u64 *entry, u64 flags,
			unsigned int size)
{
	u64 old = *entry;
	int r;

	if ((old & flags) == flags)
		return 0;
	*entry |= flags;
	r = vtx_guest_cmpxchg(vcpu->vm, at, old, *entry, size);
	if (r == -ENXIO)
		return 0;
	return r == -EFAULT ? -ENXIO : r;
}

/* SDM vol. 3 tables "Format of ... Entry": bits that must be 0. */
static u64 reserved_bits(const struct vtx_gwalk *w, const struct paging *m,
			 unsigned int level, u64 entry)
{
	u64 high = beyond();
	bool large = level > 1 && (entry & PTE_PS) && large_allowed(w, m, level);
	unsigned int shift = PAGE_SHIFT + (level - 1) * m->bits;

	if (m->entry == 4)
		return large ? BIT_ULL(21) : 0;
	if (m->levels == 3) {
		high |= GENMASK_ULL(62, 52);
		if (level == 3)
			return PDPTE_RESERVED;
	}
	if (!(w->efer & EFER_NX))
		high |= BIT_ULL(63);
	if (large)
		return high | GENMASK_ULL(shift - 1, 13);
	/* PS where there is no large page: in a PML4 entry, or a PDPTE without. */
	return level == 4 ? high | PTE_PS : high;
}

static u32 fault_code(const struct vtx_gwalk *w, u32 access)
{
	u32 code = access & (VTX_ACCESS_WRITE | VTX_ACCESS_USER);

	/* I/D is reported only where fetches have rights of their own. */
	if ((access & VTX_ACCESS_FETCH) &&
	    ((w->efer & EFER_NX) || (w->cr4 & X86_CR4_SMEP)))
		code |= VTX_ACCESS_FETCH;
	return code;
}

static void leave_trail(struct vtx_trail *t, gpa_t at, u64 entry, unsigned int size)
{
	t->step[t->n].gpa = at;
	t->step[t->n++].value = entry;
	t->size = size;
}

/* One attempt; -EAGAIN if a table changed under it. @trail: or NULL. */
static int walk(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		u32 access, gpa_t *gpa, u32 *error, struct vtx_trail *trail)
{
	const struct paging m = paging_mode(w);
	u64 rights = PTE_W | PTE_U, entry = 0, at = 0;
	unsigned int level, shift;
	u64 table;
	int r;

	if (!(w->efer & EFER_LMA))
		gva = (u32)gva;
	if (!(w->cr0 & X86_CR0_PG)) {
		*gpa = gva;
		return 0;
	}
	*error = fault_code(w, access);
	table = w->cr3 & (m.levels == 3 ? 0xffffffe0ULL : PTE_ADDR);
	for (level = m.levels; level; level--) {
		shift = PAGE_SHIFT + (level - 1) * m.bits;
		at = table + ((gva >> shift) & ((1U << m.bits) - 1)) * m.entry;
		entry = 0;
		if (level == 3 && w->has_pdptes)
			entry = w->pdpte[(gva >> shift) & 3];
		else if (vtx_guest_read(vcpu->vm, at, &entry, m.entry))
			return -ENXIO;
		if (!(entry & PTE_P))
			return -EFAULT;
		if ((entry & m.suspect) && (entry & reserved_bits(w, &m, level, entry))) {
			*error |= PF_PRESENT | PF_RESERVED;
			return -EFAULT;
		}
		/* PAE's PDPTEs have no rights and no flags. */
		if (m.levels != 3 || level != 3) {
			rights = (rights & entry & (PTE_W | PTE_U)) |
				 ((rights | entry) & PTE_NX);
			r = update_entry(vcpu, at, &entry, PTE_A, m.entry);
			if (r)
				return r;
		}
		if (trail && (level != 3 || !w->has_pdptes))
			leave_trail(trail, at, entry, m.entry);
		if (level == 1 || ((entry & PTE_PS) && large_allowed(w, &m, level)))
			break;
		table = entry & PTE_ADDR;
	}
	if (!(w->efer & EFER_NX))
		rights &= ~PTE_NX;
	if (forbidden(w, rights, access)) {
		*error |= PF_PRESENT;
		return -EFAULT;
	}
	r = access & VTX_ACCESS_WRITE ?
		update_entry(vcpu, at, &entry, PTE_A | PTE_D, m.entry) : 0;
	if (r)
		return r;
	shift = PAGE_SHIFT + (level - 1) * m.bits;
	*gpa = (entry & PTE_ADDR & ~((1ULL << shift) - 1)) | (gva & ((1ULL << shift) - 1));
	/* PSE-36: bits 20:13 of a 4-MByte entry are address bits 39:32. */
	if (m.entry == 4 && level == 2)
		*gpa |= ((entry >> 13) & 0xff) << 32;
	return 0;
}

/* Code segments (bit 3) are never written, and read with bit 1; data ones written with it. */
static bool type_allows(u32 ar, u32 access)
{
	if (access & VTX_ACCESS_WRITE)
		return (ar & 0xa) == 0x2;
	return (access & VTX_ACCESS_FETCH) || (ar & 0xa) != 0x8;
}

/* VMCS current; not in 64-bit mode. */
static bool is_in_segment(const struct vtx_gwalk *w, unsigned int seg, u32 offset,
			  unsigned int len, u32 access)
{
	u32 limit = vmcs_read32(GUEST_ES_LIMIT + 2 * seg);
	u32 ar = vmcs_read32(GUEST_ES_AR_BYTES + 2 * seg);
	u64 last = (u64)offset + len - 1;

	if (ar & VMX_AR_UNUSABLE_MASK)
		return false;
	if ((w->cr0 & X86_CR0_PE) && !type_allows(ar, access))
		return false;
	/* Expand-down data: valid above the limit. */
	if ((ar & 0xc) == 0x4)
		return offset > limit &&
		       last <= (ar & VMX_AR_DB_MASK ? 0xffffffffU : 0xffffU);
	return last <= limit;
}

/**
 * __vtx_linear() - vtx_linear() where a segment has a base
 * @vcpu:   the vCPU
 * @w:      from vtx_gwalk_init()
 * @seg:    enum vtx_seg
 * @offset: effective address
 * @len:    bytes of the access
 * @access: VTX_ACCESS_WRITE, VTX_ACCESS_FETCH or 0
 * @gva:    result
 *
 * Context: may sleep unless the VMCS is current.
 * Return: as vtx_linear(), which looks whether @gva is canonical.
 */
bool __vtx_linear(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, unsigned int seg,
		  u64 offset, unsigned int len, u32 access, gva_t *gva)
{
	bool ok = true;

	vtx_vcpu_load(vcpu);
	*gva = vmcs_readl(GUEST_ES_BASE + 2 * seg) + offset;
	if (w->bits != 64) {
		*gva = (u32)*gva;
		ok = is_in_segment(w, seg, offset, len, access);
	}
	vtx_vcpu_put(vcpu);
	return ok;
}

static int walk_until_done(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
			   u32 access, gpa_t *gpa, u32 *error, struct vtx_trail *trail)
{
	int r;

	do {
		if (trail)
			trail->n = 0;
		r = walk(vcpu, w, gva, access, gpa, error, trail);
	} while (r == -EAGAIN && !fatal_signal_pending(current));
	return r == -EAGAIN ? -ENXIO : r;
}

/**
 * vtx_gwalk() - translate one linear address
 * @vcpu:   the vCPU
 * @w:      from vtx_gwalk_init()
 * @gva:    linear address
 * @access: VTX_ACCESS_*
 * @gpa:    result
 * @error:  error code of the #PF to inject
 *
 * Context: may sleep; VMCS need not be current.
 * Return: 0; -EFAULT: the guest gets #PF with @error; -ENXIO: a table is not in
 * memory.
 */
int vtx_gwalk(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
	      u32 access, gpa_t *gpa, u32 *error)
{
	return walk_until_done(vcpu, w, gva, access, gpa, error, NULL);
}

/**
 * struct span - bytes at a linear address, on one or two pages
 * @gpa: where they are
 * @len: bytes on each; 0: no second page
 */
struct span {
	gpa_t gpa[2];
	unsigned int len[2];
};

/* @r: of the walk. */
static void queue_fault(struct vtx_vcpu *vcpu, gva_t gva, int r, u32 error)
{
	if (r != -EFAULT)
		return;
	vtx_vcpu_load(vcpu);
	vtx_queue_pf(vcpu, gva, error);
	vtx_vcpu_put(vcpu);
}

/* All translations come first: a fault leaves memory as it was. */
static int translate(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		     unsigned int len, u32 access, struct span *s)
{
	u32 error = 0;
	int r, i;

	access |= w->user ? VTX_ACCESS_USER : 0;
	s->len[0] = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(gva));
	s->len[1] = len - s->len[0];
	for (i = 0; i < 2 && s->len[i]; i++) {
		gva_t at = i ? gva + s->len[0] : gva;

		r = vtx_gwalk(vcpu, w, at, access, &s->gpa[i], &error);
		if (r) {
			queue_fault(vcpu, at, r, error);
			return r;
		}
	}
	return 0;
}

static int gva_copy(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		    void *buf, unsigned int len, u32 access)
{
	bool write = access & VTX_ACCESS_WRITE;
	struct span s;
	int r, i;

	r = translate(vcpu, w, gva, len, access, &s);
	if (r)
		return r;
	for (i = 0; !r && i < 2 && s.len[i]; i++) {
		r = write ? vtx_guest_copy(vcpu->vm, s.gpa[i], buf, s.len[i], true) :
			    vtx_guest_read(vcpu->vm, s.gpa[i], buf, s.len[i]);
		buf += s.len[i];
	}
	return r ? -ENXIO : 0;
}

/**
 * vtx_gva_check_write() - would a write fault?
 * @vcpu: the vCPU
 * @w:    from vtx_gwalk_init()
 * @gva:  linear address
 * @len:  at most a page
 *
 * Context: may sleep.
 * Return: 0; -EFAULT: #PF was queued; -ENXIO: not memory that can be written.
 */
int vtx_gva_check_write(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
			unsigned int len)
{
	struct span s;
	int r, i;

	r = translate(vcpu, w, gva, len, VTX_ACCESS_WRITE, &s);
	/* Writing nothing says whether it could be more. */
	for (i = 0; !r && i < 2 && s.len[i]; i++)
		r = vtx_guest_copy(vcpu->vm, s.gpa[i], NULL, 0, true);
	return r;
}

/**
 * vtx_gva_read() - read guest memory at a linear address
 * @vcpu:   the vCPU
 * @w:      from vtx_gwalk_init()
 * @gva:    linear address
 * @buf:    where to
 * @len:    at most a page
 *
 * Context: may sleep.
 * Return: 0; -EFAULT: #PF was queued; -ENXIO: not memory.
 */
int vtx_gva_read(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		 void *buf, unsigned int len)
{
	return gva_copy(vcpu, w, gva, buf, len, 0);
}

/* No call of memcmp(), for which guests without PAE paging would pay, too. */
static bool same_pdptes(const u64 *a, const u64 *b)
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]));
}

static bool is_same_walk(const struct vtx_walked *walked, const struct vtx_gwalk *w,
			 gva_t gva)
{
	const struct vtx_gwalk *then = &walked->w;

	return walked->gva == gva && then->cr3 == w->cr3 && then->cr0 == w->cr0 &&
	       then->cr4 == w->cr4 && then->efer == w->efer && then->user == w->user &&
	       then->has_pdptes == w->has_pdptes &&
	       (!w->has_pdptes || same_pdptes(then->pdpte, w->pdpte));
}

/**
 * vtx_gva_same_code() - would vtx_gva_fetch() read these bytes?
 * @vcpu:   the vCPU
 * @w:      from vtx_gwalk_init()
 * @gva:    linear address
 * @bytes:  the bytes; eight of them can be read in any case
 * @len:    how many
 * @walked: the last such walk of this vCPU, or zeroed
 *
 * Context: any.
 * Return: true: yes; false: fetch them.
 */
bool vtx_gva_same_code(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		       const void *bytes, unsigned int len,
		       const struct vtx_walked *walked)
{
	return is_same_walk(walked, w, gva & PAGE_MASK) &&
	       offset_in_page(gva) + len <= PAGE_SIZE &&
	       vtx_trail_leads_to(vcpu->vm, &walked->trail, offset_in_page(gva), bytes, len);
}

/**
 * vtx_gva_fetch() - read code at a linear address
 * @vcpu:   the vCPU
 * @w:      from vtx_gwalk_init()
 * @gva:    linear address
 * @buf:    where to
 * @len:    up to the end of the page at most
 * @walked: this walk, for vtx_gva_same_code()
 *
 * Context: may sleep.
 * Return: as vtx_gva_read().
 */
int vtx_gva_fetch(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		  void *buf, unsigned int len, struct vtx_walked *walked)
{
	u32 access = VTX_ACCESS_FETCH | (w->user ? VTX_ACCESS_USER : 0), error = 0;
	gpa_t gpa;
	int r;

	walked->trail.gen = 0;
	r = walk_until_done(vcpu, w, gva, access, &gpa, &error, &walked->trail);
	if (r) {
		queue_fault(vcpu, gva, r, error);
		return r;
	}
	walked->w = *w;
	walked->gva = gva & PAGE_MASK;
	vtx_trail_end(vcpu->vm, &walked->trail, gpa);
	return vtx_guest_read(vcpu->vm, gpa, buf, len) ? -ENXIO : 0;
}

/**
 * vtx_gva_write() - write guest memory at a linear address
 * @vcpu: the vCPU
 * @w:    from vtx_gwalk_init()
 * @gva:  linear address
 * @buf:  where from
 * @len:  at most a page
 *
 * Context: may sleep.
 * Return: as vtx_gva_read().
 */
int vtx_gva_write(struct vtx_vcpu *vcpu, const struct vtx_gwalk *w, gva_t gva,
		  const void *buf, unsigned int len)
{
	return gva_copy(vcpu, w, gva, (void *)buf, len, VTX_ACCESS_WRITE);
}

/**
 * vtx_load_pdptes() - fill the PDPTE fields after paging came from outside
 * @vcpu: the vCPU, VMCS not current
 *
 * SDM vol. 3 "PDPTE Registers": MOV to CR loads them from memory; at VM entry
 * with EPT they come from the VMCS (SDM vol. 3 "Loading Page-Directory-Pointer-
 * Table Entries").
 *
 * What can't be read or would be refused is not present: the guest gets #PF.
 *
 * Context: may sleep.
 */
void vtx_load_pdptes(struct vtx_vcpu *vcpu)
{
	u64 pdpte[4], cr3;
	unsigned int i;
	bool pae;

	vtx_vcpu_load(vcpu);
	pae = vtx_pae_paging(vtx_cr0_read(), vtx_cr4_read(vcpu),
			     vtx_efer_read(vcpu));
	cr3 = vmcs_readl(GUEST_CR3);
	vtx_vcpu_put(vcpu);
	vcpu->pdptes_stale = false;
	if (!pae)
		return;
	if (vtx_guest_copy(vcpu->vm, cr3 & 0xffffffe0, pdpte, sizeof(pdpte), false))
		memset(pdpte, 0, sizeof(pdpte));
	vtx_vcpu_load(vcpu);
	for (i = 0; i < 4; i++) {
		if ((pdpte[i] & PTE_P) && (pdpte[i] & PDPTE_RESERVED))
			pdpte[i] = 0;
		vmcs_write64(GUEST_PDPTR0 + 2 * i, pdpte[i]);
	}
	vtx_vcpu_put(vcpu);
}
