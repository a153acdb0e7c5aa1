/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_VCPU_H
#define _VTX_VCPU_H

#include <linux/types.h>

struct file;
struct vm_area_struct;
struct vtx_vcpu;
struct vtx_vm;

struct vtx_vcpu *vtx_vcpu_create(struct vtx_vm *vm, unsigned int id);
void vtx_vcpu_destroy(struct vtx_vcpu *vcpu);

int vtx_vcpu_mmap(struct file *file, struct vm_area_struct *vma);

#endif /* _VTX_VCPU_H */
