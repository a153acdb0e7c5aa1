/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MMIO_H
#define _VTX_MMIO_H

struct vtx_vcpu;

int vtx_mmio_alloc(struct vtx_vcpu *vcpu);
void vtx_mmio_free(struct vtx_vcpu *vcpu);
int vtx_mmio_exit(struct vtx_vcpu *vcpu);
int vtx_mmio_complete(struct vtx_vcpu *vcpu);

#endif /* _VTX_MMIO_H */
