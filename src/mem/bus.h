/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _VTX_BUS_H
#define _VTX_BUS_H

#include <linux/compiler.h>
#include <linux/kvm.h>
#include <linux/types.h>

#include "types/mem.h"

int vtx_bus_init(struct vtx_bus *bus);
void vtx_bus_destroy(struct vtx_bus *bus);
int vtx_bus_ioeventfd(struct vtx_bus *bus, const struct kvm_ioeventfd *args);
int vtx_bus_coalesce(struct vtx_bus *bus, const struct kvm_coalesced_mmio_zone *zone);
int vtx_bus_uncoalesce(struct vtx_bus *bus, const struct kvm_coalesced_mmio_zone *zone);
bool __vtx_bus_write(struct vtx_bus *bus, bool pio, u64 addr, u32 len, u64 value);

/* As for most VMs. */
static inline bool vtx_bus_is_empty(const struct vtx_bus *bus)
{
	return likely(!(READ_ONCE(bus->nr_ioeventfds) | READ_ONCE(bus->nr_zones)));
}

static inline bool vtx_bus_write(struct vtx_bus *bus, bool pio, u64 addr, u32 len,
				 u64 value)
{
	return !vtx_bus_is_empty(bus) && __vtx_bus_write(bus, pio, addr, len, value);
}

#endif /* _VTX_BUS_H */
