/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_EXIT_MSR_H
#define _VTX_EXIT_MSR_H

struct vtx_vcpu;

int vtx_exit_rdmsr(struct vtx_vcpu *vcpu);
int vtx_exit_wrmsr(struct vtx_vcpu *vcpu);
int vtx_msr_complete(struct vtx_vcpu *vcpu);

#endif /* _VTX_EXIT_MSR_H */
