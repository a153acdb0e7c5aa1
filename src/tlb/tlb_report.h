/* SPDX-License-Identifier: GPL-2.0 */
/* What happened to the TLB, told to people and programs. */
#ifndef _VTX_TLB_REPORT_H
#define _VTX_TLB_REPORT_H

#include <linux/moduleparam.h>
#include <linux/types.h>

#include "uapi/vtx.h"

struct seq_file;
struct vtx_tlb_vcpu;
struct vtx_tlb_vm;

extern const struct kernel_param_ops vtx_tlb_policy_ops;

/**
 * vtx_tlb_is_report() - is this ioctl vtx_tlb_ioctl()'s?
 * @ioctl: its number
 *
 * Return: true for VTX_GET_INFO and VTX_GET_TLB_STATS.
 */
static inline bool vtx_tlb_is_report(unsigned int ioctl)
{
	return ioctl == VTX_GET_INFO || ioctl == VTX_GET_TLB_STATS;
}

long vtx_tlb_ioctl(unsigned int ioctl, void __user *arg, struct vtx_tlb_vm *vm,
		   struct vtx_tlb_vcpu *vcpu);
int vtx_tlb_show(struct seq_file *m);
int vtx_tlb_show_vms(struct seq_file *m);

#endif /* _VTX_TLB_REPORT_H */
