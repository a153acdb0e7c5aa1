/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_EPT_H
#define _VTX_EPT_H

#include <linux/kvm_types.h>
#include <linux/types.h>

/**
 * struct vtx_ept - one set of EPT paging structures
 * @root:	PML4 table
 * @eptp:	what the VMCS holds
 */
struct vtx_ept {
	u64 *root;
	u64 eptp;
};

#define VTX_EPT_SPARE	3	/* a walk adds at most a PDPT, a PD and a PT */

/**
 * struct vtx_ept_spare - tables allocated before ept_lock is taken
 * @n:		how many
 * @table:	zeroed pages
 */
struct vtx_ept_spare {
	unsigned int n;
	u64 *table[VTX_EPT_SPARE];
};

int vtx_ept_init(struct vtx_ept *ept);
void vtx_ept_destroy(struct vtx_ept *ept);
int vtx_ept_spare_fill(struct vtx_ept_spare *spare);
void vtx_ept_spare_free(struct vtx_ept_spare *spare);
bool vtx_ept_map(struct vtx_ept *ept, gfn_t gfn, hpa_t phys, bool writable,
		 struct vtx_ept_spare *spare, bool *flush);
bool vtx_ept_zap(struct vtx_ept *ept, gfn_t first, gfn_t end);

#endif /* _VTX_EPT_H */
