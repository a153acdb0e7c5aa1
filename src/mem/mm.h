/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MM_H
#define _VTX_MM_H

#include <linux/atomic.h>
#include <linux/types.h>

struct mm_struct;
struct vtx_vm;

extern atomic64_t vtx_mm_aged;

int vtx_mm_follow(struct vtx_vm *vm);
void vtx_mm_unfollow(struct vtx_vm *vm);
void vtx_mm_exit(void);
void vtx_mm_flush(struct vtx_vm *vm);
unsigned long vtx_mm_seq(const struct vtx_vm *vm);
bool vtx_mm_retry(const struct vtx_vm *vm, unsigned long seq, unsigned long first,
		  unsigned long end);
unsigned int vtx_mm_level(struct mm_struct *mm, unsigned long hva);

#endif /* _VTX_MM_H */
