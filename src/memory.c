// SPDX-License-Identifier: GPL-2.0
/*
 * memory.c - the ioctls that make and watch guest memory
 *
 * Owns a VM's memory map and the dirty bitmaps in it. A slot that goes or moves
 * is marked as leaving first, so that nothing of it is mapped any more, zapped
 * in pieces, and taken out of the map last: as long as the guest can reach any
 * of it the mmu notifier finds it there.
 *
 * Dirty log: a page of a logged slot that the guest can write to without an
 * exit has its bit set. Whoever clears a bit takes the right to write away and
 * flushes before he tells the user.
 */
#include "memory.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "memslot.h"
#include "vtx.h"

/* Guest pages that are walked without a pause. */
#define PIECE		BIT(16)

#define MAX_PAGES	((1ULL << 31) - 1)	/* of a slot, KVM's limit */

/* Bitmap words that are copied to and from the user at a time. */
#define LOG_WORDS	(PAGE_SIZE / sizeof(unsigned long))

static struct vtx_memmap *alloc_map(unsigned int slots)
{
	return kvzalloc(struct_size((struct vtx_memmap *)NULL, slot, slots),
			GFP_KERNEL_ACCOUNT);
}

/**
 * vtx_memory_init() - begin with no memory
 * @vm: the new VM
 *
 * Return: 0, -ENOMEM.
 */
int vtx_memory_init(struct vtx_vm *vm)
{
	init_rwsem(&vm->map_sem);
	vm->memmap = alloc_map(0);
	return vm->memmap ? 0 : -ENOMEM;
}

/**
 * vtx_memory_destroy() - free the memory map
 * @vm: the VM, which nobody runs and which follows its process no more
 */
void vtx_memory_destroy(struct vtx_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->memmap->n; i++)
		kvfree(vm->memmap->slot[i].dirty);
	kvfree(vm->memmap);
}

/* What no VM could have: KVM's checks in KVM's order. */
static int check_region(const struct kvm_userspace_memory_region *r)
{
	if (r->flags & ~(u32)(KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES))
		return -EINVAL;
	if (!PAGE_ALIGNED(r->memory_size) || !PAGE_ALIGNED(r->guest_phys_addr) ||
	    !PAGE_ALIGNED(r->userspace_addr) ||
	    r->memory_size != (unsigned long)r->memory_size)
		return -EINVAL;
	if (r->userspace_addr != untagged_addr(r->userspace_addr) ||
	    !access_ok((void __user *)(unsigned long)r->userspace_addr, r->memory_size))
		return -EINVAL;
	/* The upper half is KVM's address-space id, of which there is one. */
	if (r->slot >= VTX_NR_MEMSLOTS)
		return -EINVAL;
	if (r->guest_phys_addr + r->memory_size < r->guest_phys_addr)
		return -EINVAL;
	/* Four levels of EPT. */
	if (r->guest_phys_addr + r->memory_size > 1ULL << 48)
		return -EINVAL;
	if (r->memory_size >> PAGE_SHIFT > MAX_PAGES)
		return -EINVAL;
	return 0;
}

/*
 * Zap the guest's pages of a slot, or take the right to write away from them.
 * Flushed with the lock held: a page that has left the EPT is not found there
 * by the mmu notifier, which then flushes nothing before the page is reused.
 */
static void take(struct vtx_vm *vm, gfn_t gfn, gfn_t end, bool zap)
{
	gfn_t next;

	for (; gfn < end; gfn = next) {
		next = min_t(gfn_t, end, gfn + PIECE);
		spin_lock(&vm->ept_lock);
		if (zap ? vtx_ept_zap(&vm->ept, gfn, next) :
			  vtx_ept_protect(&vm->ept, gfn, next))
			vtx_tlb_ept_flush(&vm->tlb);
		spin_unlock(&vm->ept_lock);
		cond_resched();
	}
}

/* vm->lock held. Faults that start after this see the new map. */
static void install_map(struct vtx_vm *vm, struct vtx_memmap *map)
{
	struct vtx_memmap *old = vm->memmap;

	spin_lock(&vm->ept_lock);
	vm->memmap = map;
	vm->map_gen++;
	spin_unlock(&vm->ept_lock);
	/* Copies that found the old map may still be under way. */
	down_write(&vm->map_sem);
	up_write(&vm->map_sem);
	kvfree(old);
}

/* vm->lock held. Nothing of the slot is mapped when this returns. */
static void empty_slot(struct vtx_vm *vm, struct vtx_memslot *slot)
{
	spin_lock(&vm->ept_lock);
	slot->leaving = true;
	vm->map_gen++;
	spin_unlock(&vm->ept_lock);
	take(vm, slot->gfn, slot->gfn + slot->npages, true);
}

static bool initially_set(const struct vtx_vm *vm)
{
	return vm->log_options & KVM_DIRTY_LOG_INITIALLY_SET;
}

/* Gives @slot a bitmap: the one that it has already, or a new one. */
static int begin_log(struct vtx_vm *vm, struct vtx_memslot *slot,
		     const struct vtx_memslot *old)
{
	if (!(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return 0;
	if (old && old->dirty) {
		slot->dirty = old->dirty;
		return 0;
	}
	slot->dirty = kvcalloc(BITS_TO_LONGS(slot->npages), sizeof(long),
			       GFP_KERNEL_ACCOUNT);
	if (!slot->dirty)
		return -ENOMEM;
	if (initially_set(vm))
		bitmap_set(slot->dirty, 0, slot->npages);
	return 0;
}

/* After logging of a slot that stayed where it is was turned on or off. */
static void log_changed(struct vtx_vm *vm, const struct vtx_memslot *slot)
{
	/* Off: what was taken apart may become large pages again. */
	if (!slot->dirty)
		take(vm, slot->gfn, slot->gfn + slot->npages, true);
	else if (!initially_set(vm))
		take(vm, slot->gfn, slot->gfn + slot->npages, false);
}

/* vm->lock held. @slot without pages: delete. */
static int replace(struct vtx_vm *vm, struct vtx_memslot *slot, struct vtx_memslot *old)
{
	bool stays = old && slot->npages && slot->gfn == old->gfn;
	unsigned long *dirty = old ? old->dirty : NULL;
	struct vtx_memmap *map;
	int r;

	map = alloc_map(vm->memmap->n + 1);
	if (!map)
		return -ENOMEM;
	r = begin_log(vm, slot, old);
	if (r) {
		kvfree(map);
		return r;
	}
	if (old && !stays)
		empty_slot(vm, old);
	vtx_memmap_replace(map, vm->memmap, slot->id, slot->npages ? slot : NULL);
	install_map(vm, map);
	if (dirty != slot->dirty)
		kvfree(dirty);
	if (stays)
		log_changed(vm, slot);
	return 0;
}

/* vm->lock held. @id comes from the user and has been checked. */
static struct vtx_memslot *find_id(struct vtx_vm *vm, u32 id)
{
	return vtx_memmap_find_id(vm->memmap, array_index_nospec(id, VTX_NR_MEMSLOTS));
}

/* vm->lock held. */
static int set_region(struct vtx_vm *vm, const struct kvm_userspace_memory_region *r)
{
	struct vtx_memslot *old = find_id(vm, r->slot);
	struct vtx_memslot slot = {
		.gfn = r->guest_phys_addr >> PAGE_SHIFT,
		.npages = r->memory_size >> PAGE_SHIFT,
		.hva = r->userspace_addr,
		.id = r->slot,
		.flags = r->flags,
	};

	if (!slot.npages) {
		if (!old)
			return -EINVAL;
		slot.flags = 0;
		return replace(vm, &slot, old);
	}
	if (old) {
		/* A slot can move and be logged, not change in any other way. */
		if (slot.npages != old->npages || slot.hva != old->hva ||
		    ((slot.flags ^ old->flags) & KVM_MEM_READONLY))
			return -EINVAL;
		if (slot.gfn == old->gfn && slot.flags == old->flags)
			return 0;
	}
	if (vtx_memmap_overlaps(vm->memmap, &slot))
		return -EEXIST;
	return replace(vm, &slot, old);
}

static int ioctl_set_region(struct vtx_vm *vm, void __user *user)
{
	struct kvm_userspace_memory_region region;
	int r;

	if (copy_from_user(&region, user, sizeof(region)))
		return -EFAULT;
	r = check_region(&region);
	if (r)
		return r;
	mutex_lock(&vm->lock);
	r = set_region(vm, &region);
	mutex_unlock(&vm->lock);
	return r;
}

/*
 * vm->lock held. Clears the bits of @mask that are set from word @at on, and
 * leaves in @mask which these were.
 */
static void clear_bits(struct vtx_vm *vm, struct vtx_memslot *slot, u64 at,
		       unsigned long *mask, unsigned int words)
{
	unsigned long *dirty = slot->dirty + at, start, end;
	u64 gfn = slot->gfn + at * BITS_PER_LONG;
	bool changed = false;
	unsigned int i;

	spin_lock(&vm->ept_lock);
	for (i = 0; i < words; i++) {
		mask[i] &= dirty[i];
		dirty[i] &= ~mask[i];
	}
	for_each_set_bitrange(start, end, mask, words * BITS_PER_LONG)
		changed |= vtx_ept_protect(&vm->ept, gfn + start, gfn + end);
	if (changed)
		vtx_tlb_ept_flush(&vm->tlb);
	spin_unlock(&vm->ept_lock);
	cond_resched();
}

/* vm->lock held. */
static int get_log(struct vtx_vm *vm, struct vtx_memslot *slot,
		   unsigned long __user *user, unsigned long *buf)
{
	u64 words = BITS_TO_LONGS(slot->npages), at;
	unsigned int n;

	for (at = 0; at < words; at += n) {
		n = min_t(u64, LOG_WORDS, words - at);
		if (vm->log_options) {
			/* Clearing is KVM_CLEAR_DIRTY_LOG's business. */
			memcpy(buf, slot->dirty + at, n * sizeof(long));
		} else {
			memset(buf, 0xff, n * sizeof(long));
			clear_bits(vm, slot, at, buf, n);
		}
		if (copy_to_user(user + at, buf, n * sizeof(long)))
			return -EFAULT;
	}
	return 0;
}

/* vm->lock held. */
static int clear_log(struct vtx_vm *vm, struct vtx_memslot *slot,
		     const struct kvm_clear_dirty_log *log, unsigned long *buf)
{
	unsigned long __user *user = log->dirty_bitmap;
	u64 words = BITS_TO_LONGS(log->num_pages), at;
	unsigned int n;

	if (log->first_page > slot->npages || log->num_pages > slot->npages - log->first_page ||
	    (log->num_pages < slot->npages - log->first_page &&
	     log->num_pages % BITS_PER_LONG))
		return -EINVAL;
	for (at = 0; at < words; at += n) {
		n = min_t(u64, LOG_WORDS, words - at);
		if (copy_from_user(buf, user + at, n * sizeof(long)))
			return -EFAULT;
		clear_bits(vm, slot, log->first_page / BITS_PER_LONG + at, buf, n);
	}
	return 0;
}

/* @get, or @clear what it says. */
static int ioctl_log(struct vtx_vm *vm, u32 id, const struct kvm_dirty_log *get,
		     const struct kvm_clear_dirty_log *clear)
{
	struct vtx_memslot *slot;
	unsigned long *buf;
	int r = -ENOENT;

	if (id >= VTX_NR_MEMSLOTS || (clear && clear->first_page % BITS_PER_LONG))
		return -EINVAL;
	buf = kmalloc_array(LOG_WORDS, sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	mutex_lock(&vm->lock);
	slot = find_id(vm, id);
	if (slot && slot->dirty)
		r = get ? get_log(vm, slot, get->dirty_bitmap, buf) :
			  clear_log(vm, slot, clear, buf);
	mutex_unlock(&vm->lock);
	kfree(buf);
	return r;
}

/**
 * vtx_memory_log_cap() - KVM_ENABLE_CAP of KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2
 * @vm:      the VM
 * @flags:   none exist
 * @options: KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE, KVM_DIRTY_LOG_INITIALLY_SET
 *
 * Return: 0, -EINVAL.
 */
int vtx_memory_log_cap(struct vtx_vm *vm, unsigned int flags, unsigned long options)
{
	unsigned long allowed = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	if (options & allowed)
		allowed |= KVM_DIRTY_LOG_INITIALLY_SET;
	if (flags || (options & ~allowed))
		return -EINVAL;
	mutex_lock(&vm->lock);
	vm->log_options = options;
	mutex_unlock(&vm->lock);
	return 0;
}

/**
 * vtx_memory_ioctl() - the ioctls of this file
 * @vm:   the VM, of the current process
 * @cmd:  which
 * @user: its argument
 *
 * Context: may sleep.
 * Return: 0 or the errno that KVM gives; -ENOTTY if it is none of them.
 */
long vtx_memory_ioctl(struct vtx_vm *vm, unsigned int cmd, void __user *user)
{
	struct kvm_clear_dirty_log clear;
	struct kvm_dirty_log get;

	switch (cmd) {
	case KVM_SET_USER_MEMORY_REGION:
		return ioctl_set_region(vm, user);
	case KVM_GET_DIRTY_LOG:
		if (copy_from_user(&get, user, sizeof(get)))
			return -EFAULT;
		return ioctl_log(vm, get.slot, &get, NULL);
	case KVM_CLEAR_DIRTY_LOG:
		if (copy_from_user(&clear, user, sizeof(clear)))
			return -EFAULT;
		return ioctl_log(vm, clear.slot, NULL, &clear);
	default:
		return -ENOTTY;
	}
}
