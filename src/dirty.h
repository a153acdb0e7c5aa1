/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_DIRTY_H
#define _VTX_DIRTY_H

#include <linux/compiler.h>

struct kvm_clear_dirty_log;
struct vtx_memslot;
struct vtx_vm;

void vtx_dirty_watch(struct vtx_vm *vm, const struct vtx_memslot *slot);
void vtx_dirty_stop_ad(struct vtx_vm *vm);
int vtx_dirty_get(struct vtx_vm *vm, const struct vtx_memslot *slot,
		  unsigned long __user *user);
int vtx_dirty_clear(struct vtx_vm *vm, const struct vtx_memslot *slot,
		    const struct kvm_clear_dirty_log *log);

#endif /* _VTX_DIRTY_H */
