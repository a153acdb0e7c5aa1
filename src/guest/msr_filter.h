/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MSR_FILTER_H
#define _VTX_MSR_FILTER_H

#include <linux/types.h>

struct vtx_vm;

int vtx_msr_filter_set(struct vtx_vm *vm, const void __user *user);
void vtx_msr_filter_new_vcpu(struct vtx_vm *vm);
void vtx_msr_filter_destroy(struct vtx_vm *vm);
bool vtx_msr_allowed(struct vtx_vm *vm, u32 index, u32 access);

#endif /* _VTX_MSR_FILTER_H */
