/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_MM_H
#define _VTX_MM_H

#include <linux/types.h>

struct vtx_vm;

int vtx_mm_follow(struct vtx_vm *vm);
void vtx_mm_unfollow(struct vtx_vm *vm);
void vtx_mm_exit(void);
unsigned long vtx_mm_seq(const struct vtx_vm *vm);
bool vtx_mm_retry(const struct vtx_vm *vm, unsigned long seq);

#endif /* _VTX_MM_H */
