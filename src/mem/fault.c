// SPDX-License-Identifier: GPL-2.0
/*
 * fault.c - from a guest-physical address to a page of the process
 *
 * Owns the way EPT violation -> slot -> pages -> EPT entries. Entered from exit.c
 * with preemption off (fast: only pages that are in the process's page table) or
 * from a sleepable context.
 */
#include "mem/fault.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include <asm/cpufeature.h>
#include <asm/io.h>
#include <asm/vmx.h>

#include "mem/ept.h"
#include "mem/ept_entry.h"
#include "mem/guest_mem.h"
#include "mem/memslot.h"
#include "mem/mm.h"
#include "tlb/tlb.h"
#include "vtx.h"

/* Pages looked up for one violation: aligned, so that they share a table. */
#define AROUND		32

/**
 * struct found - pages of the process around a guest page
 * @first: guest page of the first
 * @n: how many
 * @level: how large a page of the guest they can be
 * @writable: the process can write to them
 * @page: held
 */
struct found {
	gfn_t first;
	int n;
	unsigned int level;
	bool writable;
	struct page *page[AROUND];
};

struct vtx_fault_counters vtx_fault_count;

/* CVE-2018-12207: code in large pages can hang such a CPU. */
static bool no_large_code(void)
{
	return boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT);
}

/* A large page must have the slot, and the same alignment on both sides. */
static bool large_fits(const struct vtx_place *p, u64 access)
{
	const u64 span = vtx_ept_span(2);
	gfn_t first = p->gfn & ~(span - 1);

	if (no_large_code() && (access & VTX_EPT_X))
		return false;
	return (vtx_tlb_caps.ept_vpid_cap & VMX_EPT_2MB_PAGE_BIT) && !p->logged &&
	       !(((p->hva >> PAGE_SHIFT) ^ p->gfn) & (span - 1)) &&
	       first >= p->first && first + span <= p->end;
}

static void put_pages(struct found *f)
{
	while (f->n)
		put_page(f->page[--f->n]);
}

/* The pages from @first on that the process has in its page table. */
static bool look(const struct vtx_place *p, struct found *f, gfn_t first, gfn_t end, bool write)
{
	int before = p->gfn - first, n;

	n = get_user_pages_fast_only(p->hva - before * PAGE_SIZE, end - first,
				     write ? FOLL_WRITE : 0, f->page);
	f->first = first;
	f->writable = write;
	f->n = max(n, 0);
	if (n > before)
		return true;
	put_pages(f);
	return false;
}

/* A guest that touches pages here and there would not use the neighbours. */
static bool is_near(const struct vtx_vcpu *vcpu, gfn_t gfn)
{
	gfn_t last = vcpu->fault.last;

	return gfn != last && gfn - last + AROUND <= 2 * AROUND;
}

/* The page with those around it, if they are there, too; else with those behind. */
static bool look_at_neighbours(const struct vtx_place *p, struct found *f, bool write)
{
	gfn_t first = max(p->gfn & ~(gfn_t)(AROUND - 1), p->first);
	gfn_t end = min((p->gfn | (AROUND - 1)) + 1, p->end);

	return look(p, f, first, end, write) ||
	       (first < p->gfn && look(p, f, p->gfn, end, write));
}

/*
 * Looks without sleeping. Most guests that touch new memory touch what the process
 * has not populated: then one look at the page itself is all that it costs. Where
 * neighbours were of use the last time, they come with the first look. Return: false
 * if the page itself is not there.
 */
static bool look_around(struct vtx_vcpu *vcpu, const struct vtx_place *p, struct found *f,
			bool write)
{
	/* Of a logged slot, only what the guest writes to is dirty. */
	bool around = f->level == 1 && !(p->logged && write) && is_near(vcpu, p->gfn);

	if (around && vcpu->fault.dense)
		return look_at_neighbours(p, f, write);
	if (!look(p, f, p->gfn, p->gfn + 1, write))
		return false;
	if (!around)
		return true;
	put_pages(f);
	return look_at_neighbours(p, f, write);
}

/*
 * The guest's writes go past the process's page table: a page has to be dirty
 * as long as it can be written. Cleaning it calls the notifier. An anonymous
 * page needs no lock for that, a file's does and sleeps. One that MADV_FREE has
 * given up is the kernel's to take until somebody writes.
 */
static bool make_dirty(struct page *page, bool written)
{
	struct folio *folio = page_folio(page);

	if (folio_test_dirty(folio))
		return true;
	if (!folio_test_anon(folio) || (!written && !folio_test_swapbacked(folio)))
		return false;
	folio_set_dirty(folio);
	return true;
}

/* ept_lock held. The page that faulted. */
static enum vtx_ept_result map_one(struct vtx_vcpu *vcpu, const struct vtx_place *p,
				   const struct found *f)
{
	hpa_t phys = page_to_phys(f->page[p->gfn - f->first]);
	u64 rights = VTX_EPT_X | (f->writable ? VTX_EPT_W : 0);
	bool large = f->level > 1;
	enum vtx_ept_result r;

	if (p->logged && f->writable)
		__set_bit(p->gfn - p->first, p->slot->dirty);
	if (large) {
		phys &= PMD_MASK;
		rights &= no_large_code() ? ~VTX_EPT_X : ~0ULL;
	}
	r = vtx_ept_map(&vcpu->vm->ept, p->gfn, phys, rights, f->level, &vcpu->fault.spare);
	if (r == VTX_EPT_MAPPED)
		atomic64_inc(large ? &vtx_fault_count.large : &vtx_fault_count.small);
	return r;
}

/*
 * ept_lock held. As map_one(), also where something else is mapped: that goes, with
 * a flush, and the page comes before another vCPU's fault brings back what was there.
 */
static enum vtx_ept_result replace_one(struct vtx_vcpu *vcpu, const struct vtx_place *p,
				       const struct found *f)
{
	enum vtx_ept_result r = map_one(vcpu, p, f);

	if (likely(r != VTX_EPT_FLUSH))
		return r;
	/* What was there may have been written to. */
	if (p->logged)
		__set_bit(p->gfn - p->first, p->slot->dirty);
	vtx_mm_flush(vcpu->vm);
	return map_one(vcpu, p, f);
}

/* ept_lock held. Its neighbours, as far as nothing is mapped there. Return: how many. */
static unsigned int map_others(struct vtx_ept *ept, const struct found *f)
{
	unsigned int filled;
	u64 phys[AROUND];
	int i;

	for (i = 0; i < f->n; i++) {
		phys[i] = page_to_phys(f->page[i]) | VTX_EPT_X;
		if (f->writable && make_dirty(f->page[i], false))
			phys[i] |= VTX_EPT_W;
	}
	filled = vtx_ept_fill(ept, f->first, phys, f->n);
	atomic64_add(filled, &vtx_fault_count.around);
	return filled;
}

/* ept_lock held. */
static bool is_stale(struct vtx_vm *vm, const struct vtx_place *p, const struct found *f)
{
	unsigned long first = p->hva - ((p->gfn - f->first) << PAGE_SHIFT);
	unsigned long end = first + ((unsigned long)f->n << PAGE_SHIFT);

	if (f->level > 1) {
		first = p->hva & PMD_MASK;
		end = first + PMD_SIZE;
	}
	return p->gen != vm->map_gen || vtx_mm_retry(vm, p->seq, first, end);
}

/* Return: as vtx_fault_fast(), VTX_FAULT_RACED, or VTX_FAULT_SMALL. */
static int map_found(struct vtx_vcpu *vcpu, const struct vtx_place *p, const struct found *f)
{
	struct vtx_vm *vm = vcpu->vm;
	int r = VTX_FAULT_MAPPED;

	spin_lock(&vm->ept_lock);
	if (vm->dead) {
		r = -EIO;
	} else if (is_stale(vm, p, f)) {
		atomic64_inc(&vtx_fault_count.raced);
		r = VTX_FAULT_RACED;
	} else {
		switch (replace_one(vcpu, p, f)) {
		case VTX_EPT_MAPPED:
			vcpu->fault.last = p->gfn;
			vcpu->fault.dense = f->n > 1 && map_others(&vm->ept, f);
			break;
		case VTX_EPT_NO_SPARE:
			r = VTX_FAULT_SLEEP;
			break;
		case VTX_EPT_NO_LARGE:
			r = VTX_FAULT_SMALL;
			break;
		case VTX_EPT_FLUSH:	/* replace_one() has seen to it */
			break;
		}
	}
	spin_unlock(&vm->ept_lock);
	return r;
}

/* Return: as map_found(). */
static int map_level(struct vtx_vcpu *vcpu, const struct vtx_place *p, u64 access,
		     unsigned int level)
{
	bool write = access & VTX_EPT_W, found;
	struct found f = { .level = level };
	int r = VTX_FAULT_SLEEP;

	/* Writable if the process could write without a fault of its own. */
	found = !p->read_only && (write || !p->logged) && look_around(vcpu, p, &f, true);
	if (!found && !write)
		found = look_around(vcpu, p, &f, false);
	if (!found) {
		vcpu->fault.absent = p->gfn;
		return VTX_FAULT_SLEEP;
	}
	if (f.writable && !make_dirty(f.page[p->gfn - f.first], write))
		f.writable = false;
	if (f.writable || !write)
		r = map_found(vcpu, p, &f);
	put_pages(&f);
	return r;
}

/* Return: as vtx_fault_fast(), or VTX_FAULT_RACED. */
static int map_present(struct vtx_vcpu *vcpu, const struct vtx_place *p, u64 access)
{
	unsigned int level = large_fits(p, access) ? vtx_mm_level(vcpu->vm->mm, p->hva) : 1;
	int r = map_level(vcpu, p, access, level);

	return r == VTX_FAULT_SMALL ? map_level(vcpu, p, access, 1) : r;
}

/**
 * vtx_fault_fast() - give the guest a page that the process has in hand
 * @vcpu:   the vCPU that faulted
 * @gpa:    where
 * @access: what it wants: VTX_EPT_R, W, X, as in the exit qualification
 *
 * Context: may be called with preemption off.
 * Return: enum vtx_fault, or -EIO if the process is gone.
 */
int vtx_fault_fast(struct vtx_vcpu *vcpu, gpa_t gpa, u64 access)
{
	struct vtx_place p;
	int r;

	if (!vtx_find_place(vcpu->vm, gpa >> PAGE_SHIFT, &p))
		return VTX_FAULT_MMIO;
	if ((access & VTX_EPT_W) && p.read_only)
		return VTX_FAULT_ROM;
	if (p.leaving)
		return VTX_FAULT_SLEEP;
	r = map_present(vcpu, &p, access);
	return r == VTX_FAULT_RACED ? VTX_FAULT_SLEEP : r;
}

/* As a part of a large page, or with what is near it in its file? */
static bool came_with_others(struct page *page)
{
	return !PageAnon(page) || PageCompound(page);
}

/* Makes the process have the page. */
static int map_absent(struct vtx_vcpu *vcpu, const struct vtx_place *p, u64 access)
{
	struct found f = { .first = p->gfn, .level = 1, .writable = access & VTX_EPT_W };
	int r;

	r = get_user_pages_unlocked(p->hva, 1, f.page,
				    (f.writable ? FOLL_WRITE : 0) | FOLL_HWPOISON);
	if (r != 1)
		return r < 0 ? r : -EFAULT;
	f.n = 1;
	if (f.writable)
		set_page_dirty_lock(f.page[0]);
	r = VTX_FAULT_SLEEP;
	if (vcpu->fault.dense || !f.writable || came_with_others(f.page[0]))
		r = map_present(vcpu, p, access);
	if (r == VTX_FAULT_SLEEP)
		r = map_found(vcpu, p, &f);
	put_pages(&f);
	return r;
}

/**
 * vtx_fault_slow() - give the guest a page, whatever it takes
 * @vcpu:   the vCPU that faulted
 * @gpa:    where
 * @access: as for vtx_fault_fast()
 *
 * A page that the hardware has lost gives the process SIGBUS.
 *
 * Context: may sleep; killable.
 * Return: VTX_FAULT_MAPPED, _MMIO or _ROM; -EFAULT if the process has no
 * such memory, -ENOMEM, -EINTR, -EIO.
 */
int vtx_fault_slow(struct vtx_vcpu *vcpu, gpa_t gpa, u64 access)
{
	struct vtx_place p;
	int r;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		r = vtx_ept_spare_fill(&vcpu->fault.spare);
		if (r)
			return r;
		if (!vtx_find_place(vcpu->vm, gpa >> PAGE_SHIFT, &p))
			return VTX_FAULT_MMIO;
		if ((access & VTX_EPT_W) && p.read_only)
			return VTX_FAULT_ROM;
		if (p.leaving)
			r = VTX_FAULT_RACED;
		else if (vcpu->fault.absent == p.gfn)
			r = VTX_FAULT_SLEEP;	/* vtx_fault_fast() has just looked */
		else
			r = map_present(vcpu, &p, access);
		vcpu->fault.absent = VTX_NO_GFN;
		if (r == VTX_FAULT_SLEEP)
			r = map_absent(vcpu, &p, access);
	} while (r == VTX_FAULT_SLEEP);
	if (r == -EHWPOISON) {
		/* What the process's own access gets, and KVM's users handle. */
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)p.hva, PAGE_SHIFT, current);
		return VTX_FAULT_MAPPED;
	}
	/* The guest comes again, signals first. */
	return r == VTX_FAULT_RACED ? VTX_FAULT_MAPPED : r;
}

/**
 * vtx_fault_free() - give up what a vCPU has in reserve
 * @vcpu: the vCPU
 */
void vtx_fault_free(struct vtx_vcpu *vcpu)
{
	vtx_ept_spare_free(&vcpu->fault.spare);
}

/**
 * vtx_fault_show() - the counters, one a line
 * @m: where to
 *
 * Return: 0, as a seq_file's show wants it.
 */
int vtx_fault_show(struct seq_file *m)
{
	seq_printf(m, "mapped_4k %lld\n", atomic64_read(&vtx_fault_count.small));
	seq_printf(m, "mapped_around %lld\n", atomic64_read(&vtx_fault_count.around));
	seq_printf(m, "mapped_2m %lld\n", atomic64_read(&vtx_fault_count.large));
	seq_printf(m, "split_2m %lld\n", atomic64_read(&vtx_ept_count.splits));
	seq_printf(m, "tables %lld\n", atomic64_read(&vtx_ept_count.tables));
	seq_printf(m, "now_2m %lld\n", atomic64_read(&vtx_ept_count.large));
	seq_printf(m, "raced %lld\n", atomic64_read(&vtx_fault_count.raced));
	seq_printf(m, "aged %lld\n", atomic64_read(&vtx_mm_aged));
	return 0;
}
