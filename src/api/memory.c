// SPDX-License-Identifier: GPL-2.0
/*
 * memory.c - the ioctls that make and watch guest memory
 *
 * Owns a VM's memory map and the dirty bitmaps in it. A slot that goes or moves
 * is marked as leaving first, so that nothing of it is mapped any more, zapped
 * in pieces, and taken out of the map last: as long as the guest can reach any
 * of it the mmu notifier finds it there.
 */
#include "api/memory.h"

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "mem/dirty.h"
#include "mem/ept.h"
#include "mem/ept_entry.h"
#include "mem/memslot.h"
#include "mem/mm.h"
#include "vtx.h"

#define MAX_PAGES	((1ULL << 31) - 1)	/* of a slot, KVM's limit */

/**
 * vtx_memory_init() - begin with no memory
 * @vm: the new VM
 */
void vtx_memory_init(struct vtx_vm *vm)
{
	init_rwsem(&vm->map_sem);
	vtx_memmap_init(&vm->memmap);
}

static void free_slot(struct vtx_memslot *slot)
{
	if (!slot)
		return;
	kvfree(slot->dirty);
	kfree(slot);
}

/**
 * vtx_memory_destroy() - free the memory map
 * @vm: the VM, which nobody runs and which follows its process no more
 *
 * Context: may sleep.
 */
void vtx_memory_destroy(struct vtx_vm *vm)
{
	struct vtx_memslot *slot, *next;

	rbtree_postorder_for_each_entry_safe(slot, next, &vm->memmap.by_gfn, by_gfn) {
		free_slot(slot);
		cond_resched();
	}
}

/**
 * vtx_memory_pages() - how much memory a VM has
 * @vm: the VM, whose lock is held
 *
 * Return: pages in its slots.
 */
u64 vtx_memory_pages(const struct vtx_vm *vm)
{
	return vm->memmap.npages;
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
	if (r->memory_size >> PAGE_SHIFT > MAX_PAGES)
		return -EINVAL;
	return 0;
}

/*
 * Zap the guest's pages of a slot. Flushed with the lock held: a page that has
 * left the EPT is not found there by the mmu notifier, which then flushes nothing
 * before the page is reused.
 */
static void zap(struct vtx_vm *vm, const struct vtx_memslot *slot)
{
	const struct vtx_ept_log log = { slot->dirty, slot->gfn };
	gfn_t gfn = slot->gfn, end = gfn + slot->npages, next;

	for (; gfn < end; gfn = next) {
		next = min_t(gfn_t, end, gfn + VTX_EPT_PIECE);
		spin_lock(&vm->ept_lock);
		if (vtx_ept_zap(&vm->ept, gfn, next, &log))
			vtx_mm_flush(vm);
		spin_unlock(&vm->ept_lock);
		cond_resched();
	}
}

/* vm->lock held. Faults that start after this see the new map. @old, @new: or NULL. */
static void change_map(struct vtx_vm *vm, struct vtx_memslot *old, struct vtx_memslot *new)
{
	spin_lock(&vm->ept_lock);
	if (old)
		vtx_memmap_remove(&vm->memmap, old);
	if (new)
		vtx_memmap_add(&vm->memmap, new);
	WRITE_ONCE(vm->map_gen, vm->map_gen + 1);
	spin_unlock(&vm->ept_lock);
	if (!old)
		return;
	/* Copies that found the old slot may still be under way. */
	down_write(&vm->map_sem);
	up_write(&vm->map_sem);
}

/* vm->lock held. Nothing of the slot is mapped when this returns. */
static void empty_slot(struct vtx_vm *vm, struct vtx_memslot *slot)
{
	spin_lock(&vm->ept_lock);
	slot->leaving = true;
	WRITE_ONCE(vm->map_gen, vm->map_gen + 1);
	spin_unlock(&vm->ept_lock);
	zap(vm, slot);
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
		zap(vm, slot);
	else if (!initially_set(vm))
		vtx_dirty_watch(vm, slot);
}

/* vm->lock held. @want without pages: delete @old. */
static int replace(struct vtx_vm *vm, const struct vtx_memslot *want, struct vtx_memslot *old)
{
	bool stays = old && want->npages && want->gfn == old->gfn;
	struct vtx_memslot *new = NULL;
	int r;

	if (want->npages) {
		new = kmemdup(want, sizeof(*want), GFP_KERNEL_ACCOUNT);
		if (!new)
			return -ENOMEM;
		r = begin_log(vm, new, old);
		if (r) {
			kfree(new);
			return r;
		}
	}
	if (old && !stays)
		empty_slot(vm, old);
	change_map(vm, old, new);
	if (old && new && old->dirty == new->dirty)
		old->dirty = NULL;
	free_slot(old);
	if (stays)
		log_changed(vm, new);
	return 0;
}

/* vm->lock held. */
static int set_region(struct vtx_vm *vm, const struct kvm_userspace_memory_region *r)
{
	struct vtx_memslot *old = vtx_memmap_find_id(&vm->memmap, r->slot);
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
	if (vtx_memmap_overlaps(&vm->memmap, &slot))
		return -EEXIST;
	/* What four levels of EPT don't reach, or the CPU has no addresses for. */
	if (slot.gfn + slot.npages >
	    1ULL << (min_t(u8, VTX_EPT_GPA_BITS, boot_cpu_data.x86_phys_bits) - PAGE_SHIFT))
		return -EINVAL;
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

/* @get, or @clear what it says. */
static int ioctl_log(struct vtx_vm *vm, u32 id, const struct kvm_dirty_log *get,
		     const struct kvm_clear_dirty_log *clear)
{
	struct vtx_memslot *slot;
	int r = -ENOENT;

	if (id >= VTX_NR_MEMSLOTS || (clear && clear->first_page % BITS_PER_LONG))
		return -EINVAL;
	mutex_lock(&vm->lock);
	slot = vtx_memmap_find_id(&vm->memmap, id);
	if (slot && slot->dirty)
		r = get ? vtx_dirty_get(vm, slot, get->dirty_bitmap) :
			  vtx_dirty_clear(vm, slot, clear);
	mutex_unlock(&vm->lock);
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
