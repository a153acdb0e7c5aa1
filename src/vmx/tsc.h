/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_TSC_H
#define _VTX_TSC_H

#include <linux/types.h>

struct vtx_vcpu;
struct vtx_vm;

void vtx_tsc_vm_init(struct vtx_vm *vm);
void vtx_tsc_vcpu_init(struct vtx_vcpu *vcpu);
u64 vtx_tsc_read(const struct vtx_vcpu *vcpu);
void vtx_tsc_set(struct vtx_vcpu *vcpu, u64 data, bool from_guest);
u64 vtx_tsc_adjust(const struct vtx_vcpu *vcpu);
void vtx_tsc_set_adjust(struct vtx_vcpu *vcpu, u64 data, bool from_guest);
void vtx_tsc_carry(struct vtx_vcpu *vcpu);
void vtx_tsc_load(const struct vtx_vcpu *vcpu);

#endif /* _VTX_TSC_H */
