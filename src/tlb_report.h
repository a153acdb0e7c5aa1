/* SPDX-License-Identifier: GPL-2.0 */
/* What happened to the TLB, told to people and programs. */
#ifndef _VTX_TLB_REPORT_H
#define _VTX_TLB_REPORT_H

#include <linux/moduleparam.h>
#include <linux/types.h>

struct seq_file;
struct vtx_tlb_vcpu;
struct vtx_tlb_vm;

extern const struct kernel_param_ops vtx_tlb_policy_ops;

long vtx_tlb_ioctl(unsigned int ioctl, void __user *arg, struct vtx_tlb_vm *vm,
		   struct vtx_tlb_vcpu *vcpu);
int vtx_tlb_show(struct seq_file *m, struct vtx_tlb_vm *vm, struct vtx_tlb_vcpu *vcpu);

#endif /* _VTX_TLB_REPORT_H */
