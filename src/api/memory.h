/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MEMORY_H
#define _VTX_MEMORY_H

#include <linux/types.h>

struct vtx_vm;

void vtx_memory_init(struct vtx_vm *vm);
void vtx_memory_destroy(struct vtx_vm *vm);
u64 vtx_memory_pages(const struct vtx_vm *vm);
long vtx_memory_ioctl(struct vtx_vm *vm, unsigned int cmd, void __user *user);
int vtx_memory_log_cap(struct vtx_vm *vm, unsigned int flags, unsigned long options);

#endif /* _VTX_MEMORY_H */
