/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_VM_H
#define _VTX_VM_H

int vtx_vm_create_fd(void);
int vtx_check_extension(unsigned long cap);

#endif /* _VTX_VM_H */
