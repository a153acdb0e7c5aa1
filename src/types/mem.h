/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What src/mem keeps in a VM and in a vCPU. Who owns a structure is in its first line;
 * others ask that file.
 */
#ifndef _VTX_TYPES_MEM_H
#define _VTX_TYPES_MEM_H

#include <linux/kvm_types.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct vtx_mm;

#define VTX_BUS_HASH_BITS	8
#define VTX_EPT_RESERVE		8	/* so that not each new table means to sleep */

/**
 * struct vtx_memmap - memslot.c: a VM's slots, never overlapping
 * @n:		how many
 * @npages:	pages in them
 * @by_gfn:	by guest page
 * @by_id:	by the user's number
 * @by_hva:	interval tree by address in the process
 */
struct vtx_memmap {
	unsigned int n;
	u64 npages;
	struct rb_root by_gfn;
	struct rb_root by_id;
	struct rb_root_cached by_hva;
};

/**
 * struct vtx_bus - bus.c: writes that are dealt with without the VMM, of one VM
 * @lock:	 protects what follows, innermost
 * @ioeventfds:	 KVM_IOEVENTFD
 * @zones:	 KVM_REGISTER_COALESCED_MMIO
 * @nr_ioeventfds: how many
 * @nr_zones:	 likewise
 * @ring:	 the coalesced ring, one page, shared with the VMM
 * @hash:	 @ioeventfds by address and value
 */
struct vtx_bus {
	spinlock_t lock;
	struct list_head ioeventfds;
	struct list_head zones;
	unsigned int nr_ioeventfds;
	unsigned int nr_zones;
	struct page *ring;
	struct hlist_head hash[1 << VTX_BUS_HASH_BITS];
};

/**
 * struct vtx_ept - ept.c: one set of EPT paging structures
 * @root:	PML4 table
 * @eptp:	what the VMCS holds
 * @stale:	CPUs may still have what entries said before
 * @gone:	tables that were taken out and CPUs may still walk
 */
struct vtx_ept {
	u64 *root;
	u64 eptp;
	bool stale;
	struct list_head gone;
};

/**
 * struct vtx_ept_spare - ept.c: tables allocated before ept_lock is taken
 * @n:		how many
 * @table:	zeroed pages
 */
struct vtx_ept_spare {
	unsigned int n;
	u64 *table[VTX_EPT_RESERVE];
};

/**
 * struct vtx_fault_vcpu - fault.c
 * @spare:	EPT pages in reserve
 * @last:	guest page that the last EPT violation mapped
 * @absent:	guest page that the process was last found not to have
 * @dense:	neighbours came with the last page that was mapped
 */
struct vtx_fault_vcpu {
	struct vtx_ept_spare spare;
	gfn_t last;
	gfn_t absent;
	bool dense;
};

/**
 * struct vtx_follow - mm.c: how the VM hears of changes in its process
 * @mm:		[I] the process's mmu notifier
 * @link:	[its lock] on its list of VMs
 */
struct vtx_follow {
	struct vtx_mm *mm;
	struct list_head link;
};

#endif /* _VTX_TYPES_MEM_H */
