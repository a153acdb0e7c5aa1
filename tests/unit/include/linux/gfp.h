/* SPDX-License-Identifier: GPL-2.0 */
/* Pages come from the test, which may count or refuse them. */
#ifndef _UNIT_LINUX_GFP_H
#define _UNIT_LINUX_GFP_H

#define GFP_KERNEL_ACCOUNT	0

unsigned long get_zeroed_page(unsigned int flags);
void free_page(unsigned long address);

#endif /* _UNIT_LINUX_GFP_H */
