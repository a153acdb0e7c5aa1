// SPDX-License-Identifier: GPL-2.0
/*
 * msr_filter.c - MSRs that a VMM takes away from its guest
 *
 * KVM_X86_SET_MSR_FILTER. A filter is made whole and replaced whole; who looks
 * at it is in the run loop and must not wait.
 */
#include "guest/msr_filter.h"

#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/apicdef.h>
#include <asm/msr-index.h>

#include "guest/msr.h"
#include "guest/msr_table.h"
#include "vtx.h"

struct msr_range {
	u32 flags;
	u32 base;
	u32 nmsrs;
	unsigned long *bitmap;
};

/**
 * struct vtx_msr_filter - what KVM_X86_SET_MSR_FILTER said
 * @rcu:	its end
 * @deny:	what no range has is denied
 * @nr:		ranges in use
 * @range:	the first one that covers an access decides
 * @bits:	the bitmaps
 */
struct vtx_msr_filter {
	struct rcu_head rcu;
	bool deny;
	unsigned int nr;
	struct msr_range range[KVM_MSR_FILTER_MAX_RANGES];
	unsigned long bits[];
};

static unsigned int longs(const struct kvm_msr_filter_range *r)
{
	return BITS_TO_LONGS(r->nmsrs);
}

static int check(const struct kvm_msr_filter *f, unsigned int *total, unsigned int *used)
{
	unsigned int i;

	*total = 0;
	*used = 0;
	if (f->flags & ~KVM_MSR_FILTER_DEFAULT_DENY)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(f->ranges); i++) {
		const struct kvm_msr_filter_range *r = &f->ranges[i];

		if (!r->nmsrs)
			continue;
		if (!r->flags || (r->flags & ~(KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)) ||
		    r->nmsrs > KVM_MSR_FILTER_MAX_BITMAP_SIZE * 8)
			return -EINVAL;
		*total += longs(r);
		(*used)++;
	}
	/* No MSR at all would be a mistake. */
	if (!*used && (f->flags & KVM_MSR_FILTER_DEFAULT_DENY))
		return -EINVAL;
	return 0;
}

static int fill(struct vtx_msr_filter *filter, const struct kvm_msr_filter *f)
{
	unsigned long *bits = filter->bits;
	unsigned int i;

	filter->deny = f->flags & KVM_MSR_FILTER_DEFAULT_DENY;
	for (i = 0; i < ARRAY_SIZE(f->ranges); i++) {
		const struct kvm_msr_filter_range *r = &f->ranges[i];

		if (!r->nmsrs)
			continue;
		if (copy_from_user(bits, (const void __user *)r->bitmap,
				   longs(r) * sizeof(long)))
			return -EFAULT;
		filter->range[filter->nr++] = (struct msr_range){
			.flags = r->flags, .base = r->base, .nmsrs = r->nmsrs, .bitmap = bits,
		};
		bits += longs(r);
	}
	return 0;
}

static bool filter_allows(const struct vtx_msr_filter *filter, u32 index, u32 access)
{
	unsigned int i;

	if (!filter)
		return true;
	/* x2APIC MSRs are the APIC's, as KVM has it. */
	if (index >= APIC_BASE_MSR && index <= APIC_BASE_MSR + 0xff)
		return true;
	for (i = 0; i < filter->nr; i++) {
		const struct msr_range *r = &filter->range[i];

		if (index - r->base < r->nmsrs && (r->flags & access))
			return test_bit(index - r->base, r->bitmap);
	}
	return !filter->deny;
}

static void intercept(struct vtx_vcpu *vcpu, const struct vtx_msr_direct *direct,
		      const struct vtx_msr_filter *filter)
{
	vtx_msr_intercept(vcpu, direct->index,
			  !filter_allows(filter, direct->index, KVM_MSR_FILTER_READ),
			  !direct->write ||
			  !filter_allows(filter, direct->index, KVM_MSR_FILTER_WRITE));
}

/* The MSRs that guests access without an exit must exit if they are filtered. */
static void update_bitmaps(struct vtx_vm *vm, const struct vtx_msr_filter *filter)
{
	struct vtx_vcpu *vcpu;
	unsigned int i;

	list_for_each_entry(vcpu, &vm->vcpus, node)
		for (i = 0; i < VTX_NR_MSRS_DIRECT; i++)
			intercept(vcpu, &vtx_msrs_direct[i], filter);
}

/**
 * vtx_msr_filter_set() - KVM_X86_SET_MSR_FILTER
 * @vm:   the VM
 * @user: struct kvm_msr_filter
 *
 * A guest that is in an access to a MSR right now still gets the old answer.
 *
 * Context: may sleep.
 * Return: 0, -EINVAL, -EFAULT, -ENOMEM.
 */
int vtx_msr_filter_set(struct vtx_vm *vm, const void __user *user)
{
	struct vtx_msr_filter *filter = NULL, *old;
	unsigned int total, used;
	struct kvm_msr_filter f;
	int r;

	if (copy_from_user(&f, user, sizeof(f)))
		return -EFAULT;
	r = check(&f, &total, &used);
	if (r)
		return r;
	if (used) {
		filter = kvzalloc(struct_size(filter, bits, total), GFP_KERNEL_ACCOUNT);
		if (!filter)
			return -ENOMEM;
		r = fill(filter, &f);
		if (r) {
			kvfree(filter);
			return r;
		}
	}
	mutex_lock(&vm->lock);
	old = rcu_replace_pointer(vm->msr_filter, filter, lockdep_is_held(&vm->lock));
	update_bitmaps(vm, filter);
	mutex_unlock(&vm->lock);
	if (old)
		kvfree_rcu(old, rcu);
	return 0;
}

/**
 * vtx_msr_filter_new_vcpu() - a vCPU joins a VM that may have a filter
 * @vm: the VM, whose lock is held
 */
void vtx_msr_filter_new_vcpu(struct vtx_vm *vm)
{
	const struct vtx_msr_filter *filter =
		rcu_dereference_protected(vm->msr_filter, lockdep_is_held(&vm->lock));

	if (filter)
		update_bitmaps(vm, filter);
}

/**
 * vtx_msr_filter_destroy() - the VM's filter, if any, goes
 * @vm: the VM, which nobody uses any more
 */
void vtx_msr_filter_destroy(struct vtx_vm *vm)
{
	kvfree(rcu_dereference_protected(vm->msr_filter, true));
}

/**
 * vtx_msr_allowed() - may the guest access this MSR?
 * @vm:     its VM
 * @index:  RCX
 * @access: KVM_MSR_FILTER_READ or _WRITE
 *
 * Return: false: the VMM's filter has it.
 */
bool vtx_msr_allowed(struct vtx_vm *vm, u32 index, u32 access)
{
	bool allowed;

	rcu_read_lock();
	allowed = filter_allows(rcu_dereference(vm->msr_filter), index, access);
	rcu_read_unlock();
	return allowed;
}
