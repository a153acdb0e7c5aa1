/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_VM_H
#define _VTX_VM_H

struct vtx_vm;

int vtx_vm_create_fd(void);
void vtx_vm_put(struct vtx_vm *vm);
int vtx_check_extension(unsigned long cap);

#endif /* _VTX_VM_H */
