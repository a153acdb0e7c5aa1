// SPDX-License-Identifier: GPL-2.0
/*
 * bus.c - writes to devices that the VMM need not answer at once
 *
 * KVM_IOEVENTFD: a write at an address signals an eventfd. Coalesced zones: a
 * write goes to a ring in the third page of the vCPUs' mappings, which the VMM
 * empties when it comes to it.
 */
#include "mem/bus.h"

#include <linux/errno.h>
#include <linux/eventfd.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "vmx/compat.h"
#include "vtx.h"

/* In one VM, as KVM has it. */
#define MAX_ZONES	1000
/* KVM has no limit for these; here who registers one looks at all of them. */
#define MAX_IOEVENTFDS	16384

struct ioeventfd {
	struct list_head link;
	struct hlist_node node;
	struct eventfd_ctx *eventfd;
	u64 addr;
	u64 datamatch;
	u32 len;	/* 0: any */
	bool pio;
	bool wildcard;	/* any data */
};

struct coalesced_zone {
	struct list_head link;
	u64 addr;
	u32 size;
	bool pio;
};

/**
 * vtx_bus_init() - no devices yet
 * @bus: the bus
 *
 * Return: 0, -ENOMEM.
 */
int vtx_bus_init(struct vtx_bus *bus)
{
	spin_lock_init(&bus->lock);
	INIT_LIST_HEAD(&bus->ioeventfds);
	INIT_LIST_HEAD(&bus->zones);
	bus->ring = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return bus->ring ? 0 : -ENOMEM;
}

static void free_ioeventfd(struct ioeventfd *p)
{
	eventfd_ctx_put(p->eventfd);
	kfree(p);
}

/**
 * vtx_bus_destroy() - the mirror of vtx_bus_init(), whatever is on the bus
 * @bus: the bus
 */
void vtx_bus_destroy(struct vtx_bus *bus)
{
	struct ioeventfd *p, *next_p;
	struct coalesced_zone *z, *next_z;

	list_for_each_entry_safe(p, next_p, &bus->ioeventfds, link)
		free_ioeventfd(p);
	list_for_each_entry_safe(z, next_z, &bus->zones, link)
		kfree(z);
	put_page(bus->ring);
}

/* By address and value: a virtio device has its queues at one address. */
static struct hlist_head *bucket(struct vtx_bus *bus, u64 addr, u64 datamatch)
{
	return &bus->hash[hash_64(addr + hash_64(datamatch, 32), VTX_BUS_HASH_BITS)];
}

static bool collide(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return a->pio == b->pio && a->addr == b->addr &&
	       (!a->len || !b->len ||
		(a->len == b->len && (a->wildcard || b->wildcard ||
				      a->datamatch == b->datamatch)));
}

static int assign(struct vtx_bus *bus, struct ioeventfd *fresh)
{
	struct ioeventfd *p;
	int r = 0;

	spin_lock(&bus->lock);
	if (bus->nr_ioeventfds >= MAX_IOEVENTFDS)
		r = -ENOSPC;
	list_for_each_entry(p, &bus->ioeventfds, link)
		if (collide(p, fresh))
			r = -EEXIST;
	if (!r) {
		list_add_tail(&fresh->link, &bus->ioeventfds);
		hlist_add_head(&fresh->node, bucket(bus, fresh->addr, fresh->datamatch));
		bus->nr_ioeventfds++;
	}
	spin_unlock(&bus->lock);
	return r;
}

static struct ioeventfd *take(struct vtx_bus *bus, const struct ioeventfd *like)
{
	struct ioeventfd *p, *found = NULL;

	spin_lock(&bus->lock);
	list_for_each_entry(p, &bus->ioeventfds, link) {
		if (p->eventfd != like->eventfd || p->pio != like->pio ||
		    p->addr != like->addr || p->len != like->len ||
		    p->wildcard != like->wildcard ||
		    (!p->wildcard && p->datamatch != like->datamatch))
			continue;
		found = p;
		list_del(&p->link);
		hlist_del(&p->node);
		bus->nr_ioeventfds--;
		break;
	}
	spin_unlock(&bus->lock);
	return found;
}

static int check(const struct kvm_ioeventfd *args)
{
	switch (args->len) {
	case 0: case 1: case 2: case 4: case 8:
		break;
	default:
		return -EINVAL;
	}
	if (args->addr + args->len < args->addr)
		return -EINVAL;
	if (args->flags & ~(KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO |
			    KVM_IOEVENTFD_FLAG_DEASSIGN))
		return -EINVAL;
	if (!args->len && (args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH))
		return -EINVAL;
	return 0;
}

/**
 * vtx_bus_ioeventfd() - KVM_IOEVENTFD
 * @bus:  the bus
 * @args: what to assign, or to take away
 *
 * Context: may sleep.
 * Return: 0, -EINVAL, -EBADF, -EEXIST, -ENOSPC, -ENOMEM; -ENOENT: nothing like
 * it is assigned.
 */
int vtx_bus_ioeventfd(struct vtx_bus *bus, const struct kvm_ioeventfd *args)
{
	struct ioeventfd *p, *gone;
	int r = check(args);

	if (r && !(args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN))
		return r;
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	p->eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(p->eventfd)) {
		r = PTR_ERR(p->eventfd);
		kfree(p);
		return r;
	}
	p->addr = args->addr;
	p->len = args->len;
	p->pio = args->flags & KVM_IOEVENTFD_FLAG_PIO;
	p->wildcard = !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH);
	p->datamatch = p->wildcard ? 0 : args->datamatch;
	if (!(args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)) {
		r = assign(bus, p);
		if (r)
			free_ioeventfd(p);
		return r;
	}
	gone = take(bus, p);
	free_ioeventfd(p);
	if (!gone)
		return -ENOENT;
	free_ioeventfd(gone);
	return 0;
}

/**
 * vtx_bus_coalesce() - KVM_REGISTER_COALESCED_MMIO
 * @bus:  the bus
 * @zone: addresses whose writes may wait
 *
 * Context: may sleep.
 * Return: 0, -EINVAL, -ENOSPC, -ENOMEM.
 */
int vtx_bus_coalesce(struct vtx_bus *bus, const struct kvm_coalesced_mmio_zone *zone)
{
	struct coalesced_zone *z;
	int r = 0;

	if (zone->pio > 1)
		return -EINVAL;
	z = kzalloc(sizeof(*z), GFP_KERNEL_ACCOUNT);
	if (!z)
		return -ENOMEM;
	z->addr = zone->addr;
	z->size = zone->size;
	z->pio = zone->pio;
	spin_lock(&bus->lock);
	if (bus->nr_zones >= MAX_ZONES) {
		r = -ENOSPC;
	} else {
		list_add_tail(&z->link, &bus->zones);
		bus->nr_zones++;
	}
	spin_unlock(&bus->lock);
	if (r)
		kfree(z);
	return r;
}

static bool within(const struct coalesced_zone *z, u64 addr, u32 len)
{
	return addr >= z->addr && addr + len >= addr && addr + len <= z->addr + z->size;
}

/**
 * vtx_bus_uncoalesce() - KVM_UNREGISTER_COALESCED_MMIO
 * @bus:  the bus
 * @zone: every zone that this one lies in goes
 *
 * Return: 0, -EINVAL.
 */
int vtx_bus_uncoalesce(struct vtx_bus *bus, const struct kvm_coalesced_mmio_zone *zone)
{
	struct coalesced_zone *z, *next;
	LIST_HEAD(gone);

	if (zone->pio > 1)
		return -EINVAL;
	spin_lock(&bus->lock);
	list_for_each_entry_safe(z, next, &bus->zones, link) {
		if (z->pio != zone->pio || !within(z, zone->addr, zone->size))
			continue;
		list_move(&z->link, &gone);
		bus->nr_zones--;
	}
	spin_unlock(&bus->lock);
	list_for_each_entry_safe(z, next, &gone, link)
		kfree(z);
	return 0;
}

/* No two match: collide() has seen to it. @key: of the bucket, @value or 0. */
static struct ioeventfd *match(struct vtx_bus *bus, bool pio, u64 addr, u32 len,
			       u64 value, u64 key)
{
	struct ioeventfd *p;

	hlist_for_each_entry(p, bucket(bus, addr, key), node)
		if (p->pio == pio && p->addr == addr && (!p->len || p->len == len) &&
		    (p->wildcard || p->datamatch == value))
			return p;
	return NULL;
}

/* Those that take any value have 0 where others have theirs. */
static bool signal_match(struct vtx_bus *bus, bool pio, u64 addr, u32 len, u64 value)
{
	struct ioeventfd *p = match(bus, pio, addr, len, value, value);

	if (!p && value)
		p = match(bus, pio, addr, len, value, 0);
	if (!p)
		return false;
	vtx_eventfd_signal(p->eventfd);
	return true;
}

/* The VMM can write the ring: an index from there is checked each time. */
static bool put_in_ring(struct vtx_bus *bus, bool pio, u64 addr, u32 len, u64 value)
{
	struct kvm_coalesced_mmio_ring *ring = page_address(bus->ring);
	u32 last = READ_ONCE(ring->last), next;
	struct coalesced_zone *z;

	list_for_each_entry(z, &bus->zones, link) {
		if (z->pio != pio || !within(z, addr, len))
			continue;
		if (last >= KVM_COALESCED_MMIO_MAX)
			return false;
		last = array_index_nospec(last, KVM_COALESCED_MMIO_MAX);
		next = (last + 1) % KVM_COALESCED_MMIO_MAX;
		if (next == READ_ONCE(ring->first))
			return false;
		ring->coalesced_mmio[last].phys_addr = addr;
		ring->coalesced_mmio[last].len = len;
		memcpy(ring->coalesced_mmio[last].data, &value, sizeof(value));
		ring->coalesced_mmio[last].pio = pio;
		/* The VMM sees the entry before the index that covers it. */
		smp_store_release(&ring->last, next);
		return true;
	}
	return false;
}

/**
 * __vtx_bus_write() - does a write to a device need the VMM now?
 * @bus:   the bus, on which there is something
 * @pio:   port I/O, else memory
 * @addr:  port or guest-physical address
 * @len:   bytes, at most 8
 * @value: what is written, zero-extended
 *
 * Context: may be called with preemption off; IRQs on, as who holds the lock may look
 * at all that is registered.
 * Return: true: it is done.
 */
bool __vtx_bus_write(struct vtx_bus *bus, bool pio, u64 addr, u32 len, u64 value)
{
	bool done;

	spin_lock(&bus->lock);
	done = signal_match(bus, pio, addr, len, value) ||
	       put_in_ring(bus, pio, addr, len, value);
	spin_unlock(&bus->lock);
	return done;
}
