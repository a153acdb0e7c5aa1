/* SPDX-License-Identifier: GPL-2.0 */
/* Host-physical addresses are the program's own. */
#ifndef _UNIT_LINUX_MM_H
#define _UNIT_LINUX_MM_H

#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/types.h>

#define PAGE_SHIFT		12
#define PAGE_SIZE		4096UL

#define __pa(address)		((u64)(address))
#define __va(phys)		((void *)(phys))

/* Of the pages that the test hands out: it lies behind each. */
struct page {
	struct list_head lru;
};

#define virt_to_page(address)	((struct page *)((char *)(address) + PAGE_SIZE))
#define page_address(page)	((void *)((char *)(page) - PAGE_SIZE))

#define min(a, b)		((a) < (b) ? (a) : (b))
#define max(a, b)		((a) > (b) ? (a) : (b))

void unit_warn(const char *what);
void unit_race(u64 *at);
void unit_store(u64 *at, u64 value);

#define WARN_ON_ONCE(c) do { if (c) unit_warn(#c); } while (0)

/* Others may be quicker. */
static inline bool try_cmpxchg(u64 *at, u64 *old, u64 value)
{
	unit_race(at);
	if (*at != *old) {
		*old = *at;
		return false;
	}
	unit_store(at, value);
	return true;
}

#endif /* _UNIT_LINUX_MM_H */
