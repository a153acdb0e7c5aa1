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
	/*
	 * The guest's writes go past the process's page table: the page has to
	 * be dirty as long as it can be written. Cleaning it calls the notifier.
	 * An anonymous page needs no lock for that, a file's does and sleeps.
	 */
	if (writable && PageAnon(page)) {
		SetPageDirty(page);
	} else if (writable && !PageDirty(page)) {
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
		if (writable)
			set_page_dirty_lock(page);
		r = map_page(vcpu, gfn, &p, page, writable);
		put_page(page);
	} while (r == VTX_FAULT_SLEEP);
	/* Raced with an invalidation: the guest comes again, signals first. */
	return r ? r : VTX_FAULT_MAPPED;
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
	int r = -ENXIO;

	/* Until this is released the VMM can't have heard that the slot is gone. */
	down_read(&vm->map_sem);
	if (!find_place(vm, gpa >> PAGE_SHIFT, &p) || (write && !p.writable))
		goto out;
	hva = (void __user *)(p.hva + offset_in_page(gpa));
	if (write)
		r = copy_to_user(hva, buf, len) ? -EFAULT : 0;
	else
		r = copy_from_user(buf, hva, len) ? -EFAULT : 0;
out:
	up_read(&vm->map_sem);
	return r;
}

/**
 * vtx_guest_cmpxchg() - atomic update of a guest page-table entry
 * @vm:   the VM of the current process
 * @gpa:  guest-physical address, aligned
 * @old:  the value that was read
 * @new:  the value to store
 * @size: 4 or 8
 *
 * Context: may sleep.
 * Return: 0; -EAGAIN: it holds another value; -ENXIO, -EFAULT as
 * vtx_guest_copy().
 */
int vtx_guest_cmpxchg(struct vtx_vm *vm, gpa_t gpa, u64 old, u64 new,
		      unsigned int size)
{
	u32 old32 = old, new32 = new;
	unsigned long hva;
	struct place p;
	int r = -ENXIO;

	down_read(&vm->map_sem);
	if (!find_place(vm, gpa >> PAGE_SHIFT, &p) || !p.writable)
		goto out;
	hva = p.hva + offset_in_page(gpa);
	if (size == 4)
		r = __try_cmpxchg_user((u32 __user *)hva, &old32, new32, fault32);
	else
		r = __try_cmpxchg_user((u64 __user *)hva, &old, new, fault64);
	if (r > 0)
		r = -EAGAIN;
out:
	up_read(&vm->map_sem);
	return r;
}
