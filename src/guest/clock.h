/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_CLOCK_H
#define _VTX_CLOCK_H

#include <linux/kvm.h>

/* KVM_CAP_ADJUST_CLOCK: what KVM_GET_CLOCK gives. */
#define VTX_CLOCK_FLAGS	KVM_CLOCK_REALTIME

struct vtx_vm;

void vtx_clock_init(struct vtx_vm *vm);
void vtx_clock_get(struct vtx_vm *vm, struct kvm_clock_data *data);
int vtx_clock_set(struct vtx_vm *vm, const struct kvm_clock_data *data);

#endif /* _VTX_CLOCK_H */
