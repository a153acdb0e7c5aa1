/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_EXIT_H
#define _VTX_EXIT_H

struct vtx_vcpu;

void vtx_exit_init(struct vtx_vcpu *vcpu);
int vtx_exit_fast(struct vtx_vcpu *vcpu);
int vtx_exit_atomic(struct vtx_vcpu *vcpu);
int vtx_exit_slow(struct vtx_vcpu *vcpu);
int vtx_exit_shutdown(struct vtx_vcpu *vcpu);

#endif /* _VTX_EXIT_H */
