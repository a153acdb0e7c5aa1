/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_EXIT_CR_H
#define _VTX_EXIT_CR_H

struct vtx_vcpu;

int vtx_exit_cr(struct vtx_vcpu *vcpu);
int vtx_exit_dr(struct vtx_vcpu *vcpu);

#endif /* _VTX_EXIT_CR_H */
