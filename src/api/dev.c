// SPDX-License-Identifier: GPL-2.0
/*
 * dev.c - /dev/vtx and the system ioctls of the KVM API
 */
#include "api/dev.h"

#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "api/vm.h"
#include "guest/cpuid.h"
#include "guest/mce.h"
#include "guest/msr_table.h"
#include "tlb/tlb.h"
#include "tlb/tlb_report.h"
#include "vtx.h"

/* KVM looks at the padding of what comes in, for this one ioctl alone. */
static int check_padding(const struct kvm_cpuid2 __user *user, u32 n)
{
	struct kvm_cpuid_entry2 e;
	u32 i;

	for (i = 0; i < n; i++) {
		if (copy_from_user(&e, &user->entries[i], sizeof(e)))
			return -EINVAL;
		if (e.padding[0] | e.padding[1] | e.padding[2])
			return -EINVAL;
	}
	return 0;
}

static int ioctl_cpuid(struct kvm_cpuid2 __user *user,
		       int (*list)(struct kvm_cpuid_entry2 *entries, unsigned int max))
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid2 head;
	int n, r = 0;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (!head.nent)
		return -E2BIG;
	head.nent = min_t(u32, head.nent, VTX_MAX_CPUID);
	if (list == vtx_cpuid_emulated)
		r = check_padding(user, head.nent);
	if (r)
		return r;
	entries = kvcalloc(head.nent, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	if (!entries)
		return -ENOMEM;
	n = list(entries, head.nent);
	if (n < 0) {
		r = n;
		goto out;
	}
	head.nent = n;
	if (copy_to_user(user->entries, entries, n * sizeof(*entries)) ||
	    copy_to_user(user, &head, sizeof(head)))
		r = -EFAULT;
out:
	kvfree(entries);
	return r;
}

#define MAX_MSRS 128

static int ioctl_msr_list(struct kvm_msr_list __user *user,
			  unsigned int (*list)(u32 *indices, unsigned int max))
{
	struct kvm_msr_list head;
	unsigned int n, room;
	u32 *indices;
	int r = 0;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	indices = kcalloc(MAX_MSRS, sizeof(*indices), GFP_KERNEL_ACCOUNT);
	if (!indices)
		return -ENOMEM;
	room = head.nmsrs;
	n = list(indices, MAX_MSRS);
	head.nmsrs = n;
	if (copy_to_user(user, &head, sizeof(head)))
		r = -EFAULT;
	else if (room < n)
		r = -E2BIG;
	else if (copy_to_user(user->indices, indices, n * sizeof(*indices)))
		r = -EFAULT;
	kfree(indices);
	return r;
}

/* KVM_GET_MSRS on the system: what guests can be given. */
static int ioctl_feature_msrs(struct kvm_msrs __user *user)
{
	struct kvm_msr_entry e;
	struct kvm_msrs head;
	unsigned int i;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= 256)
		return -E2BIG;
	for (i = 0; i < head.nmsrs; i++) {
		if (copy_from_user(&e, &user->entries[i], sizeof(e)))
			return -EFAULT;
		if (vtx_msr_feature(e.index, &e.data))
			break;
		if (copy_to_user(&user->entries[i], &e, sizeof(e)))
			return -EFAULT;
	}
	return i;
}

static int ioctl_mce_cap(u64 __user *user)
{
	u64 cap = vtx_mce_supported();

	return copy_to_user(user, &cap, sizeof(cap)) ? -EFAULT : 0;
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case KVM_GET_API_VERSION:
		return arg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		/* The argument is the machine type, 0 is the only one. */
		return arg ? -EINVAL : vtx_vm_create_fd();
	case KVM_CHECK_EXTENSION:
		return vtx_check_extension(arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return arg ? -EINVAL : VTX_RUN_PAGES * PAGE_SIZE;
	case KVM_GET_SUPPORTED_CPUID:
		return ioctl_cpuid(user, vtx_cpuid_supported);
	case KVM_GET_EMULATED_CPUID:
		return ioctl_cpuid(user, vtx_cpuid_emulated);
	case KVM_GET_MSR_INDEX_LIST:
		return ioctl_msr_list(user, vtx_msr_list);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return ioctl_msr_list(user, vtx_msr_feature_list);
	case KVM_GET_MSRS:
		return ioctl_feature_msrs(user);
	case KVM_X86_GET_MCE_CAP_SUPPORTED:
		return ioctl_mce_cap(user);
	case VTX_GET_INFO:
	case VTX_GET_TLB_STATS:
		return vtx_tlb_ioctl(cmd, user, NULL, NULL);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice vtx_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vtx",
	.fops = &dev_fops,
	.mode = 0600,
};

/**
 * vtx_dev_register() - make /dev/vtx; the last step of loading
 *
 * Return: 0 or a negative errno.
 */
int vtx_dev_register(void)
{
	return misc_register(&vtx_misc);
}

/** vtx_dev_unregister() - the first step of unloading */
void vtx_dev_unregister(void)
{
	misc_deregister(&vtx_misc);
}
