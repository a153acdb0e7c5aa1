/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_ENTER_H
#define _VTX_ENTER_H

#include <linux/linkage.h>
#include <linux/types.h>

asmlinkage int vtx_enter(u64 *regs, bool launched);
void vtx_exit_label(void);

#endif /* _VTX_ENTER_H */
