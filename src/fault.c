// SPDX-License-Identifier: GPL-2.0
/*
 * fault.c - from a guest-physical address to a page of the process
 *
 * Owns the way EPT violation -> slot -> page -> EPT entry, and the kernel's own
 * accesses to guest memory. Entered from exit.c with preemption off (fast: only
 * pages that are in the process's page table) or from a sleepable context.
 */
#include "fault.h"

#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include <asm/io.h>

#include "ept_entry.h"
#include "memslot.h"
#include "mm.h"
#include "vtx.h"

/**
 * struct place - where a guest page lives
 * @hva: address in the process
 * @seq: as of which invalidation (mm.c)
 * @gen: as of which memory map
 * @writable: the slot is not read-only
 */
struct place {
	unsigned long hva;
	unsigned long seq;
	unsigned long gen;
	bool writable;
};

static bool find_place(struct vtx_vm *vm, gfn_t gfn, struct place *p)
{
	const struct vtx_memslot *slot;

	spin_lock(&vm->ept_lock);
	slot = vtx_memmap_find(vm->memmap, gfn);
	if (slot) {
		p->hva = vtx_memslot_hva(slot, gfn);
		p->writable = !(slot->flags & KVM_MEM_READONLY);
		p->gen = vm->map_gen;
		p->seq = vtx_mm_seq(vm);
	}
	spin_unlock(&vm->ept_lock);
	return slot;
}

/* Return: as vtx_fault_fast(), 0 to look the page up again. */
static int map_page(struct vtx_vcpu *vcpu, gfn_t gfn, const struct place *p,
		    struct page *page, bool writable)
{
	struct vtx_vm *vm = vcpu->vm;
	int r = VTX_FAULT_MAPPED;
	bool flush = false;

	/*
	 * The guest's writes go past the process's page table: the page has to
	 * be dirty as long as it can be written. Cleaning it calls the notifier.
	 */
	if (writable)
		set_page_dirty_lock(page);
	spin_lock(&vm->ept_lock);
	if (p->gen != vm->map_gen || vtx_mm_retry(vm, p->seq) || vm->dead)
		r = vm->dead ? -EIO : 0;
	else if (!vtx_ept_map(&vm->ept, gfn, page_to_phys(page), writable,
			      &vcpu->spare, &flush))
		r = VTX_FAULT_SLEEP;
	if (flush) {
		vtx_tlb_ept_flush(&vm->tlb);
		r = 0;
	}
	spin_unlock(&vm->ept_lock);
	return r;
}

/**
 * vtx_fault_fast() - give the guest a page that the process has in hand
 * @vcpu:  the vCPU that faulted
 * @gpa:   where
 * @write: it wants to write
 *
 * Context: may be called with preemption off.
 * Return: enum vtx_fault, or -EIO if the process is gone.
 */
int vtx_fault_fast(struct vtx_vcpu *vcpu, gpa_t gpa, bool write)
{
	gfn_t gfn = gpa >> PAGE_SHIFT;
	struct page *page;
	struct place p;
	bool writable;
	int r;

	if (!find_place(vcpu->vm, gfn, &p) || (write && !p.writable))
		return VTX_FAULT_MMIO;
	/* Writable if the process could write without a fault of its own. */
	writable = p.writable;
	if (!writable || !get_user_page_fast_only(p.hva, FOLL_WRITE, &page)) {
		writable = false;
		if (write || !get_user_page_fast_only(p.hva, 0, &page))
			return VTX_FAULT_SLEEP;
	}
	/* Dirtying a file's page takes its lock. */
	if (writable && !PageAnon(page) && !PageDirty(page)) {
		put_page(page);
		return VTX_FAULT_SLEEP;
	}
	r = map_page(vcpu, gfn, &p, page, writable);
	put_page(page);
	return r ? r : VTX_FAULT_SLEEP;
}

/**
 * vtx_fault_slow() - give the guest a page, whatever it takes
 * @vcpu:  the vCPU that faulted
 * @gpa:   where
 * @write: it wants to write
 *
 * Context: may sleep; killable.
 * Return: VTX_FAULT_MAPPED or VTX_FAULT_MMIO; -EFAULT if the process has no
 * such memory, -EHWPOISON, -ENOMEM, -EINTR, -EIO.
 */
int vtx_fault_slow(struct vtx_vcpu *vcpu, gpa_t gpa, bool write)
{
	gfn_t gfn = gpa >> PAGE_SHIFT;
	struct page *page;
	struct place p;
	bool writable;
	int r;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		r = vtx_ept_spare_fill(&vcpu->spare);
		if (r)
			return r;
		if (!find_place(vcpu->vm, gfn, &p) || (write && !p.writable))
			return VTX_FAULT_MMIO;
		writable = write;
		r = get_user_pages_unlocked(p.hva, 1, &page,
					    (write ? FOLL_WRITE : 0) | FOLL_HWPOISON);
		if (r != 1)
			return r < 0 ? r : -EFAULT;
		r = map_page(vcpu, gfn, &p, page, writable);
		put_page(page);
	} while (!r || r == VTX_FAULT_SLEEP);
	return r;
}

/**
 * vtx_guest_copy() - the kernel reads or writes guest-physical memory
 * @vm:    the VM of the current process
 * @gpa:   guest-physical address
 * @buf:   kernel memory
 * @len:   bytes, within one guest page
 * @write: to the guest
 *
 * Context: may sleep.
 * Return: 0; -ENXIO: no (writable) memory there; -EFAULT: the process has none.
 */
int vtx_guest_copy(struct vtx_vm *vm, gpa_t gpa, void *buf, unsigned int len,
		   bool write)
{
	void __user *hva;
	struct place p;

	if (!find_place(vm, gpa >> PAGE_SHIFT, &p) || (write && !p.writable))
		return -ENXIO;
	hva = (void __user *)(p.hva + offset_in_page(gpa));
	if (write)
		return copy_to_user(hva, buf, len) ? -EFAULT : 0;
	return copy_from_user(buf, hva, len) ? -EFAULT : 0;
}
