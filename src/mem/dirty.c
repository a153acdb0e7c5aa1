// SPDX-License-Identifier: GPL-2.0
/*
 * dirty.c - which pages of a slot the guest has written to
 *
 * Each page of a logged slot that the guest can write to without an exit has its
 * bit set, or gets the dirty flag of its EPT entry set by the CPU. Whoever clears
 * a bit takes the right to write away, or has collected the flags, and flushes
 * before the user gets on: once for the whole log.
 */
#include "mem/dirty.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mem/ept.h"
#include "mem/ept_entry.h"
#include "mem/memslot.h"
#include "mem/mm.h"
#include "vtx.h"

/**
 * vtx_dirty_watch() - nothing of a slot is dirty from now on
 * @vm:   the VM
 * @slot: has a log; the bits in it stay
 *
 * Context: may sleep; the slot does not go.
 */
void vtx_dirty_watch(struct vtx_vm *vm, const struct vtx_memslot *slot)
{
	const struct vtx_ept_log log = { slot->dirty, slot->gfn }, nobody = { NULL };
	gfn_t gfn = slot->gfn, end = gfn + slot->npages, next;

	for (; gfn < end; gfn = next) {
		next = min_t(gfn_t, end, gfn + VTX_EPT_PIECE);
		spin_lock(&vm->ept_lock);
		if (vtx_ept_has_ad(&vm->ept) ?
		    vtx_ept_harvest(&vm->ept, gfn, next, &nobody) :
		    vtx_ept_protect(&vm->ept, gfn, next, &log))
			vtx_mm_flush(vm);
		spin_unlock(&vm->ept_lock);
		cond_resched();
	}
}

/**
 * vtx_dirty_stop_ad() - do without accessed and dirty flags for EPT
 * @vm:  the VM
 * @gpa: where the CPU could not set them, for a page table of the guest
 *
 * For good, and only for what the VMM has made so: a guest whose tables are
 * where nothing is gets no say. vCPUs that enter with the flags enabled go on
 * setting them, which does no harm: what was written to before is in the log when
 * this returns, and can't be written to without an exit.
 *
 * Context: may sleep; takes vm->lock, so that no slot and no vCPU comes meanwhile.
 * Return: true if @gpa is in read-only memory.
 */
bool vtx_dirty_stop_ad(struct vtx_vm *vm, gpa_t gpa)
{
	const struct vtx_memslot *slot;
	bool rom;

	mutex_lock(&vm->lock);
	slot = vtx_memmap_find(&vm->memmap, gpa >> PAGE_SHIFT);
	rom = slot && (slot->flags & KVM_MEM_READONLY);
	if (!rom)
		goto out;
	spin_lock(&vm->ept_lock);
	vm->ept.eptp &= ~VTX_EPTP_AD;
	spin_unlock(&vm->ept_lock);

	vtx_for_each_memslot(slot, &vm->memmap)
		if (slot->dirty)
			vtx_dirty_watch(vm, slot);
out:
	mutex_unlock(&vm->lock);
	return rom;
}

/*
 * Clears the bits of @mask that are set from word @at on, and leaves in @mask
 * which these were; !@clear: leaves them set. The flush is still to come: until
 * then the mmu notifier is told that there may be more than it finds.
 */
static void read_bits(struct vtx_vm *vm, const struct vtx_memslot *slot, u64 at,
		      unsigned long *mask, unsigned int words, bool clear)
{
	const struct vtx_ept_log log = { slot->dirty, slot->gfn };
	unsigned long *dirty = slot->dirty + at, start, end;
	u64 gfn = slot->gfn + at * BITS_PER_LONG;
	u64 last = min_t(u64, gfn + words * BITS_PER_LONG, slot->gfn + slot->npages);
	bool changed = false, ad;
	unsigned int i;

	spin_lock(&vm->ept_lock);
	ad = vtx_ept_has_ad(&vm->ept);
	if (ad)
		changed = vtx_ept_harvest(&vm->ept, gfn, last, &log);
	for (i = 0; i < words; i++) {
		mask[i] &= dirty[i];
		if (clear)
			dirty[i] &= ~mask[i];
	}
	if (clear && !ad)
		for_each_set_bitrange(start, end, mask, words * BITS_PER_LONG)
			changed |= vtx_ept_protect(&vm->ept, gfn + start, gfn + end, &log);
	vm->ept.stale |= changed;
	spin_unlock(&vm->ept_lock);
	cond_resched();
}

/* Of all words of @mask, the first of which is word @at of the slot's log. */
static void read_log(struct vtx_vm *vm, const struct vtx_memslot *slot, u64 at,
		     unsigned long *mask, u64 words, bool clear)
{
	unsigned int n;
	u64 done;

	for (done = 0; done < words; done += n) {
		n = min_t(u64, VTX_EPT_PIECE / BITS_PER_LONG, words - done);
		read_bits(vm, slot, at + done, mask + done, n, clear);
	}
	/* What the guest wrote past a flag or a right it still had is in @mask. */
	spin_lock(&vm->ept_lock);
	if (vm->ept.stale)
		vtx_mm_flush(vm);
	spin_unlock(&vm->ept_lock);
}

/**
 * vtx_dirty_get() - KVM_GET_DIRTY_LOG
 * @vm:   the VM, whose lock is held
 * @slot: has a log
 * @user: where to
 *
 * Context: may sleep.
 * Return: 0, -EFAULT, -ENOMEM.
 */
int vtx_dirty_get(struct vtx_vm *vm, const struct vtx_memslot *slot,
		  unsigned long __user *user)
{
	u64 words = BITS_TO_LONGS(slot->npages);
	unsigned long *mask;
	int r;

	mask = kvmalloc_array(words, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!mask)
		return -ENOMEM;
	memset(mask, 0xff, words * sizeof(long));
	/* With options, clearing is KVM_CLEAR_DIRTY_LOG's business. */
	read_log(vm, slot, 0, mask, words, !vm->log_options);
	r = copy_to_user(user, mask, words * sizeof(long)) ? -EFAULT : 0;
	kvfree(mask);
	return r;
}

/**
 * vtx_dirty_clear() - KVM_CLEAR_DIRTY_LOG
 * @vm:   the VM, whose lock is held
 * @slot: has a log
 * @log:  what the user wants; its first page begins a word
 *
 * Context: may sleep.
 * Return: 0; -EINVAL, -EFAULT, -ENOMEM: no bit was cleared.
 */
int vtx_dirty_clear(struct vtx_vm *vm, const struct vtx_memslot *slot,
		    const struct kvm_clear_dirty_log *log)
{
	u64 words = BITS_TO_LONGS(log->num_pages);
	unsigned long *mask;
	int r = 0;

	if (log->first_page > slot->npages || log->num_pages > slot->npages - log->first_page ||
	    (log->num_pages < slot->npages - log->first_page &&
	     log->num_pages % BITS_PER_LONG))
		return -EINVAL;
	mask = kvmalloc_array(words, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!mask)
		return -ENOMEM;
	if (copy_from_user(mask, log->dirty_bitmap, words * sizeof(long)))
		r = -EFAULT;
	else
		read_log(vm, slot, log->first_page / BITS_PER_LONG, mask, words, true);
	kvfree(mask);
	return r;
}
