/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_GUEST_MEM_H
#define _VTX_GUEST_MEM_H

#include <linux/kvm_types.h>
#include <linux/types.h>

struct vtx_memslot;
struct vtx_vm;

/**
 * struct vtx_place - where a guest page lives
 * @gfn: the page
 * @hva: its address in the process
 * @slot: has it; under ept_lock as long as @gen is the VM's, or under map_sem
 * @first: of the slot
 * @end: of the slot
 * @read_only: the guest may not write
 * @logged: its writes are logged
 * @leaving: the slot is on its way out
 * @seq: as of which invalidation (mm.c)
 * @gen: as of which memory map
 */
struct vtx_place {
	gfn_t gfn;
	unsigned long hva;
	struct vtx_memslot *slot;
	gfn_t first;
	gfn_t end;
	bool read_only;
	bool logged;
	bool leaving;
	unsigned long seq;
	unsigned long gen;
};

/* Four levels of tables. */
#define VTX_TRAIL_MAX	4

/**
 * struct vtx_trail - what a walk of the guest's tables has read, and where it led
 * @gen:	as of which vtx_tlb_ept_gen() the addresses hold; 0: it led nowhere
 * @n:		entries read
 * @size:	of each, 4 or 8 bytes
 * @step:	they: where, also in the kernel's mapping, and what was there
 * @page:	the page at the end, in the kernel's mapping
 */
struct vtx_trail {
	s64 gen;
	unsigned int n;
	unsigned int size;
	struct {
		gpa_t gpa;
		const void *at;
		u64 value;
	} step[VTX_TRAIL_MAX];
	const void *page;
};

bool vtx_find_place(struct vtx_vm *vm, gfn_t gfn, struct vtx_place *p);
void vtx_trail_end(struct vtx_vm *vm, struct vtx_trail *t, gpa_t gpa);
bool vtx_trail_leads_to(struct vtx_vm *vm, const struct vtx_trail *t, unsigned int offset,
			const void *bytes, unsigned int len);
int vtx_guest_read(struct vtx_vm *vm, gpa_t gpa, void *buf, unsigned int len);
int vtx_guest_copy(struct vtx_vm *vm, gpa_t gpa, void *buf, unsigned int len,
		   bool write);
int vtx_guest_cmpxchg(struct vtx_vm *vm, gpa_t gpa, u64 old, u64 new,
		      unsigned int size);

#endif /* _VTX_GUEST_MEM_H */
