/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_DIRTY_H
#define _VTX_DIRTY_H

#include <linux/compiler.h>
#include <linux/kvm_types.h>
#include <linux/types.h>

struct kvm_clear_dirty_log;
struct vtx_memslot;
struct vtx_vm;

void vtx_dirty_watch(struct vtx_vm *vm, const struct vtx_memslot *slot);
bool vtx_dirty_stop_ad(struct vtx_vm *vm, gpa_t gpa);
int vtx_dirty_get(struct vtx_vm *vm, const struct vtx_memslot *slot,
		  unsigned long __user *user);
int vtx_dirty_clear(struct vtx_vm *vm, const struct vtx_memslot *slot,
		    const struct kvm_clear_dirty_log *log);

#endif /* _VTX_DIRTY_H */
