// SPDX-License-Identifier: GPL-2.0
/*
 * guest_mem.c - guest memory as the kernel reads and writes it
 *
 * By the process's addresses, which may fault and sleep; or by the EPT, where the
 * pages are that the guest uses. Owns neither.
 */
#include "mem/guest_mem.h"

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/asm.h>
#include <asm/extable_fixup_types.h>
#include <asm/io.h>

#include "mem/ept.h"
#include "mem/ept_entry.h"
#include "mem/memslot.h"
#include "mem/mm.h"
#include "tlb/tlb.h"
#include "vtx.h"

/**
 * vtx_find_place() - which slot has a guest page, and where in the process is it?
 * @vm:  the VM
 * @gfn: the page
 * @p:   result
 *
 * Return: false: no slot has it.
 */
bool vtx_find_place(struct vtx_vm *vm, gfn_t gfn, struct vtx_place *p)
{
	struct vtx_memslot *slot;

	spin_lock(&vm->ept_lock);
	slot = vtx_memmap_find(&vm->memmap, gfn);
	if (slot) {
		p->gfn = gfn;
		p->hva = vtx_memslot_hva(slot, gfn);
		p->slot = slot;
		p->first = slot->gfn;
		p->end = slot->gfn + slot->npages;
		p->read_only = slot->flags & KVM_MEM_READONLY;
		p->logged = slot->dirty;
		p->leaving = slot->leaving;
		p->gen = vm->map_gen;
		p->seq = vtx_mm_seq(vm);
	}
	spin_unlock(&vm->ept_lock);
	return slot;
}

/*
 * map_sem held since @p was found: its slot and its log live, and the log goes
 * with the slot where that is moved to meanwhile.
 */
static void log_write(struct vtx_vm *vm, const struct vtx_place *p)
{
	if (!p->logged)
		return;
	spin_lock(&vm->ept_lock);
	__set_bit(p->gfn - p->first, p->slot->dirty);
	spin_unlock(&vm->ept_lock);
}

/*
 * One load from the guest's memory as the kernel maps it; on to @broken for an
 * uncorrected error there, which would end the host if it came to a plain load.
 */
#define LOAD_OR(broken, value, from)						\
	asm_goto_output("1: mov %[src], %[dst]\n\t"				\
			_ASM_EXTABLE_TYPE(1b, %l[broken], EX_TYPE_DEFAULT_MCE_SAFE) \
			: [dst] "=r" (value) : [src] "m" (*(from)) : : broken)

/*
 * The guest changes its page tables while they are read: an entry, 4 or 8 bytes,
 * is the old one or the new one. Return: false: the memory is broken.
 */
static bool read_once(void *buf, const void *from, unsigned int len)
{
	switch (len) {
	case 8:
		LOAD_OR(broken, *(u64 *)buf, (const u64 *)from);
		return true;
	case 4:
		LOAD_OR(broken, *(u32 *)buf, (const u32 *)from);
		return true;
	default:
		return !copy_mc_to_kernel(buf, from, len);
	}
broken:
	return false;
}

/* The same of the process's memory. */
static int read_user_once(void *buf, const void __user *from, unsigned int len)
{
	switch (len) {
	case 8:
		return get_user(*(u64 *)buf, (const u64 __user *)from);
	case 4:
		return get_user(*(u32 *)buf, (const u32 __user *)from);
	default:
		return copy_from_user(buf, from, len) ? -EFAULT : 0;
	}
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
	struct vtx_place p;
	int r = -ENXIO;

	/* Until this is released the VMM can't have heard that the slot is gone. */
	down_read(&vm->map_sem);
	if (!vtx_find_place(vm, gpa >> PAGE_SHIFT, &p) || (write && p.read_only))
		goto out;
	hva = (void __user *)(p.hva + offset_in_page(gpa));
	if (write)
		r = copy_to_user(hva, buf, len) ? -EFAULT : 0;
	else
		r = read_user_once(buf, hva, len);
	if (write)
		log_write(vm, &p);
out:
	up_read(&vm->map_sem);
	return r;
}

/*
 * ept_lock held. What the guest uses, its page tables and its code, is in its EPT:
 * no need to ask the process. Return: the kernel's address, NULL: it is not there.
 */
static const void *in_ept(const struct vtx_vm *vm, gpa_t gpa)
{
	hpa_t page = gpa >> VTX_EPT_GPA_BITS ? 0 : vtx_ept_lookup(&vm->ept, gpa >> PAGE_SHIFT);

	return page ? __va(page) + offset_in_page(gpa) : NULL;
}

/**
 * vtx_guest_read() - the kernel reads guest-physical memory
 * @vm:   the VM of the current process
 * @gpa:  guest-physical address
 * @buf:  kernel memory
 * @len:  bytes, within one guest page
 *
 * Context: may sleep.
 * Return: as vtx_guest_copy().
 */
int vtx_guest_read(struct vtx_vm *vm, gpa_t gpa, void *buf, unsigned int len)
{
	const void *from;
	bool done;

	spin_lock(&vm->ept_lock);
	from = in_ept(vm, gpa);
	done = from && read_once(buf, from, len);
	spin_unlock(&vm->ept_lock);
	return done ? 0 : vtx_guest_copy(vm, gpa, buf, len, false);
}

/**
 * vtx_trail_end() - a walk is done: where can what it read be seen again?
 * @vm:  the VM
 * @t:   the entries, with @n, @size, @gpa and @value
 * @gpa: in the page at the end
 */
void vtx_trail_end(struct vtx_vm *vm, struct vtx_trail *t, gpa_t gpa)
{
	bool all = true;
	unsigned int i;

	spin_lock(&vm->ept_lock);
	for (i = 0; i < t->n; i++) {
		t->step[i].at = in_ept(vm, t->step[i].gpa);
		all &= !!t->step[i].at;
	}
	t->page = in_ept(vm, gpa & PAGE_MASK);
	t->gen = all && t->page ? vtx_tlb_ept_gen(&vm->tlb) : 0;
	spin_unlock(&vm->ept_lock);
}

/* ept_lock held. */
static bool is_still_there(struct vtx_vm *vm, const struct vtx_trail *t)
{
	unsigned int i;
	u64 now;
	u32 half;

	if (t->gen != vtx_tlb_ept_gen(&vm->tlb))
		return false;
	for (i = 0; i < t->n; i++) {
		const void *at = t->step[i].at;

		if (likely(t->size == 8)) {
			LOAD_OR(broken, now, (const u64 *)at);
		} else {
			LOAD_OR(broken, half, (const u32 *)at);
			now = half;
		}
		if (now != t->step[i].value)
			return false;
	}
	return true;
broken:
	return false;
}

/*
 * ept_lock held. @bytes are eight at least, of which @len count. Words, since each is
 * a load: the first one may begin before @offset, the last one ends with the bytes.
 */
static bool has_bytes(const void *page, unsigned int offset, const void *bytes,
		      unsigned int len)
{
	unsigned int at = min_t(unsigned int, offset, PAGE_SIZE - 8);
	u64 now, then, differ;

	LOAD_OR(broken, now, (const u64 *)(page + at));
	memcpy(&then, bytes, 8);
	differ = (now >> 8 * (offset - at)) ^ then;
	if (likely(len <= 8))
		return !(differ << (64 - 8 * len));
	LOAD_OR(broken, now, (const u64 *)(page + offset + len - 8));
	memcpy(&then, bytes + len - 8, 8);
	return !differ && now == then;
broken:
	return false;
}

/**
 * vtx_trail_leads_to() - would a walk lead where it led, and to the same bytes?
 * @vm:     the VM
 * @t:      from vtx_trail_end(), or zeroed
 * @offset: in the page at the end
 * @bytes:  what was there; eight bytes of them can be read in any case
 * @len:    how many, within the page
 *
 * Nothing has left the EPT since, so that what was there still is; then all
 * entries are read again, and must be what they were.
 *
 * Return: false: walk.
 */
bool vtx_trail_leads_to(struct vtx_vm *vm, const struct vtx_trail *t, unsigned int offset,
			const void *bytes, unsigned int len)
{
	bool same;

	spin_lock(&vm->ept_lock);
	same = is_still_there(vm, t) && has_bytes(t->page, offset, bytes, len);
	spin_unlock(&vm->ept_lock);
	return same;
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
	struct vtx_place p;
	int r = -ENXIO;

	down_read(&vm->map_sem);
	if (!vtx_find_place(vm, gpa >> PAGE_SHIFT, &p) || p.read_only)
		goto out;
	hva = p.hva + offset_in_page(gpa);
	if (size == 4)
		r = __try_cmpxchg_user((u32 __user *)hva, &old32, new32, fault32);
	else
		r = __try_cmpxchg_user((u64 __user *)hva, &old, new, fault64);
	if (r > 0)
		r = -EAGAIN;
	log_write(vm, &p);
out:
	up_read(&vm->map_sem);
	return r;
}
