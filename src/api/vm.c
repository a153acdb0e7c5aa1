// SPDX-License-Identifier: GPL-2.0
/*
 * vm.c - life of a VM and its ioctls
 *
 * Owns struct vtx_vm and its vCPUs. No VMX here.
 */
#include "api/vm.h"

#include <linux/anon_inodes.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "api/memory.h"
#include "api/vcpu.h"
#include "api/vcpu_ioctl.h"
#include "guest/clock.h"
#include "guest/mce.h"
#include "guest/msr_filter.h"
#include "mem/bus.h"
#include "mem/ept.h"
#include "mem/memslot.h"
#include "mem/mm.h"
#include "run/debug.h"
#include "tlb/tlb.h"
#include "tlb/tlb_report.h"
#include "vmx/caps.h"
#include "vmx/host.h"
#include "vmx/tsc.h"
#include "vtx.h"

static struct vtx_vm *vm_create(void)
{
	struct vtx_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int r = -ENOMEM;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	spin_lock_init(&vm->ept_lock);
	vm->pid = task_tgid_nr(current);
	vtx_tsc_vm_init(vm);
	vtx_clock_init(vm);
	INIT_LIST_HEAD(&vm->vcpus);
	vtx_memory_init(vm);
	r = vtx_bus_init(&vm->bus);
	if (r)
		goto out_vm;
	r = vtx_ept_init(&vm->ept, vtx_ept_ad);
	if (r)
		goto out_bus;
	r = vtx_tlb_vm_init(&vm->tlb, vm->ept.eptp);
	if (r)
		goto out_ept;
	mmgrab(current->mm);
	vm->mm = current->mm;
	r = vtx_mm_follow(vm);
	if (r)
		goto out_tlb;
	return vm;

out_tlb:
	mmdrop(vm->mm);
	vtx_tlb_vm_destroy(&vm->tlb);
out_ept:
	vtx_ept_destroy(&vm->ept);
out_bus:
	vtx_bus_destroy(&vm->bus);
out_vm:
	kfree(vm);
	return ERR_PTR(r);
}

static void vm_destroy(struct vtx_vm *vm)
{
	struct vtx_vcpu *vcpu, *next;

	vtx_mm_unfollow(vm);
	list_for_each_entry_safe(vcpu, next, &vm->vcpus, node)
		vtx_vcpu_destroy(vcpu);
	vtx_tlb_vm_destroy(&vm->tlb);
	vtx_ept_destroy(&vm->ept);
	vtx_bus_destroy(&vm->bus);
	vtx_msr_filter_destroy(vm);
	mmdrop(vm->mm);
	vtx_memory_destroy(vm);
	kfree(vm);
}

/* A VM or vCPU fd is closed. */
static void vm_put(struct vtx_vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		vm_destroy(vm);
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct vtx_vcpu *vcpu = file->private_data;

	vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vtx_vcpu_ioctl,
	.mmap = vtx_vcpu_mmap,
	.llseek = noop_llseek,
};

/* vm->lock held. Return: 0 if there can be a vCPU of this id, or KVM's errno. */
static int check_vcpu_id(struct vtx_vm *vm, unsigned long id)
{
	const struct vtx_vcpu *vcpu;

	if (vm->nr_vcpus >= VTX_MAX_VCPUS)
		return -EINVAL;
	/* The first try fixes it. */
	if (!vm->max_vcpu_ids)
		vm->max_vcpu_ids = VTX_MAX_VCPU_IDS;
	if (id >= vm->max_vcpu_ids)
		return -EINVAL;
	if (id >= vm->next_vcpu_id)
		return 0;
	list_for_each_entry(vcpu, &vm->vcpus, node)
		if (vcpu->id == id)
			return -EEXIST;
	return 0;
}

static int create_vcpu(struct vtx_vm *vm, unsigned long id)
{
	struct vtx_vcpu *vcpu;
	char name[24];
	int fd;

	if (id >= VTX_MAX_VCPU_IDS)
		return -EINVAL;
	mutex_lock(&vm->lock);
	fd = check_vcpu_id(vm, id);
	if (fd)
		goto out;
	vcpu = vtx_vcpu_create(vm, id);
	fd = PTR_ERR(vcpu);
	if (IS_ERR(vcpu))
		goto out;
	list_add_tail(&vcpu->node, &vm->vcpus);
	vm->next_vcpu_id = max_t(unsigned int, vm->next_vcpu_id, id + 1);
	vtx_msr_filter_new_vcpu(vm);
	refcount_inc(&vm->users);
	snprintf(name, sizeof(name), "vtx-vcpu:%lu", id);
	/* The fd is visible once it is installed: nothing can fail after that. */
	vm->nr_vcpus++;
	fd = anon_inode_getfd(name, &vcpu_fops, vcpu, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		goto out;
	vm->nr_vcpus--;
	refcount_dec(&vm->users);
	list_del(&vcpu->node);
	vtx_vcpu_destroy(vcpu);
out:
	mutex_unlock(&vm->lock);
	return fd;
}

/* With "unrestricted guest" no page of the guest is needed for a TSS. */
static int ioctl_set_tss_addr(struct vtx_vm *vm, unsigned long addr)
{
	return addr > (unsigned int)(-3 * PAGE_SIZE) ? -EINVAL : 0;
}

/* Nor for an identity map. KVM wants it before the first vCPU. */
static int ioctl_set_identity_map_addr(struct vtx_vm *vm, void __user *user)
{
	u64 addr;
	int r = 0;

	if (copy_from_user(&addr, user, sizeof(addr)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	if (vm->nr_vcpus)
		r = -EINVAL;
	mutex_unlock(&vm->lock);
	return r;
}

/* KVM's limits for shadow paging, which there is none of: only kept. */
#define MIN_MMU_PAGES	64
#define PAGES_PER_MMU_PAGE 50

static int ioctl_set_nr_mmu_pages(struct vtx_vm *vm, u32 n)
{
	if (n < MIN_MMU_PAGES)
		return -EINVAL;
	mutex_lock(&vm->lock);
	vm->mmu_pages = n;
	mutex_unlock(&vm->lock);
	return 0;
}

/* Without a wish: what KVM makes of the slots, once there were some. */
static int ioctl_get_nr_mmu_pages(struct vtx_vm *vm)
{
	int n;

	mutex_lock(&vm->lock);
	n = vm->mmu_pages;
	if (!n && vm->map_gen)
		n = max_t(u64, vtx_memory_pages(vm) / PAGES_PER_MMU_PAGE, MIN_MMU_PAGES);
	mutex_unlock(&vm->lock);
	return n;
}

static int ioctl_set_boot_id(struct vtx_vm *vm, unsigned long id)
{
	int r = -EBUSY;

	mutex_lock(&vm->lock);
	if (!vm->nr_vcpus) {
		vm->boot_id = id;
		r = 0;
	}
	mutex_unlock(&vm->lock);
	return r;
}

/* Once, before the first vCPU: which ids there can be. */
static int set_max_vcpu_ids(struct vtx_vm *vm, u64 ids)
{
	int r = -EINVAL;

	if (ids > VTX_MAX_VCPU_IDS)
		return r;
	mutex_lock(&vm->lock);
	if (!vm->max_vcpu_ids)
		vm->max_vcpu_ids = ids;
	if (vm->max_vcpu_ids == ids)
		r = 0;
	mutex_unlock(&vm->lock);
	return r;
}

static int ioctl_enable_cap(struct vtx_vm *vm, void __user *user)
{
	const u32 reasons = KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
			    KVM_MSR_EXIT_REASON_FILTER;
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, user, sizeof(cap)))
		return -EFAULT;
	switch (cap.cap) {
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return vtx_memory_log_cap(vm, cap.flags, cap.args[0]);
	case KVM_CAP_MAX_VCPU_ID:
		return cap.flags ? -EINVAL : set_max_vcpu_ids(vm, cap.args[0]);
	case KVM_CAP_X86_USER_SPACE_MSR:
		if (cap.flags || (cap.args[0] & ~(u64)reasons))
			return -EINVAL;
		WRITE_ONCE(vm->user_msrs, cap.args[0]);
		return 0;
	case KVM_CAP_MSR_PLATFORM_INFO:
		if (cap.flags)
			return -EINVAL;
		WRITE_ONCE(vm->hide_platform_info, !cap.args[0]);
		return 0;
	default:
		return -EINVAL;
	}
}

/* Interrupt routes need an interrupt controller in the kernel: there is none. */
static int ioctl_no_irqchip(void)
{
	return -EINVAL;
}

/* Argument in kernel memory. */
union vm_arg {
	struct kvm_clock_data clock;
	struct kvm_ioeventfd ioeventfd;
	struct kvm_coalesced_mmio_zone zone;
};

static int ioctl_fixed(struct vtx_vm *vm, unsigned int cmd, void __user *user)
{
	union vm_arg arg;

	if (_IOC_SIZE(cmd) > sizeof(arg))
		return -ENOTTY;
	if ((_IOC_DIR(cmd) & _IOC_WRITE) && copy_from_user(&arg, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	switch (cmd) {
	case KVM_GET_CLOCK:
		vtx_clock_get(vm, &arg.clock);
		return copy_to_user(user, &arg, _IOC_SIZE(cmd)) ? -EFAULT : 0;
	case KVM_SET_CLOCK:
		return vtx_clock_set(vm, &arg.clock);
	case KVM_IOEVENTFD:
		return vtx_bus_ioeventfd(&vm->bus, &arg.ioeventfd);
	case KVM_REGISTER_COALESCED_MMIO:
		return vtx_bus_coalesce(&vm->bus, &arg.zone);
	case KVM_UNREGISTER_COALESCED_MMIO:
		return vtx_bus_uncoalesce(&vm->bus, &arg.zone);
	default:
		return -ENOTTY;
	}
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vtx_vm *vm = file->private_data;
	void __user *user = (void __user *)arg;

	/* For anyone who was given the fd, a tool of root's among them. */
	if (vtx_tlb_is_report(cmd))
		return vtx_tlb_ioctl(cmd, user, &vm->tlb, NULL);
	if (vm->mm != current->mm || READ_ONCE(vm->dead))
		return -EIO;
	switch (cmd) {
	case KVM_CHECK_EXTENSION:
		return vtx_check_extension(arg);
	case KVM_CREATE_VCPU:
		return create_vcpu(vm, arg);
	case KVM_SET_USER_MEMORY_REGION:
	case KVM_GET_DIRTY_LOG:
	case KVM_CLEAR_DIRTY_LOG:
		return vtx_memory_ioctl(vm, cmd, user);
	case KVM_SET_TSS_ADDR:
		return ioctl_set_tss_addr(vm, arg);
	case KVM_SET_IDENTITY_MAP_ADDR:
		return ioctl_set_identity_map_addr(vm, user);
	case KVM_SET_NR_MMU_PAGES:
		return ioctl_set_nr_mmu_pages(vm, arg);
	case KVM_GET_NR_MMU_PAGES:
		return ioctl_get_nr_mmu_pages(vm);
	case KVM_SET_BOOT_CPU_ID:
		return ioctl_set_boot_id(vm, arg);
	case KVM_ENABLE_CAP:
		return ioctl_enable_cap(vm, user);
	case KVM_X86_SET_MSR_FILTER:
		return vtx_msr_filter_set(vm, user);
	case KVM_SET_GSI_ROUTING:
	case KVM_SIGNAL_MSI:
		return ioctl_no_irqchip();
	default:
		return ioctl_fixed(vm, cmd, user);
	}
}

static int vm_release(struct inode *inode, struct file *file)
{
	vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.llseek = noop_llseek,
};

/**
 * vtx_vm_create_fd() - KVM_CREATE_VM
 *
 * Return: the new VM's fd, or a negative errno.
 */
int vtx_vm_create_fd(void)
{
	struct vtx_vm *vm = vm_create();
	int fd;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	fd = anon_inode_getfd("vtx-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		vm_destroy(vm);
	return fd;
}

/**
 * vtx_check_extension() - KVM_CHECK_EXTENSION, on the system and on a VM
 * @cap: KVM_CAP_*
 *
 * Offer nothing that is not there: a client that finds a capability calls its
 * ioctls and takes their failure for fatal.
 *
 * Return: the capability's value, 0: none.
 */
int vtx_check_extension(unsigned long cap)
{
	switch (cap) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_SET_TSS_ADDR:
	case KVM_CAP_SET_IDENTITY_MAP_ADDR:
	case KVM_CAP_EXT_CPUID:
	case KVM_CAP_MP_STATE:
	case KVM_CAP_NOP_IO_DELAY:
	case KVM_CAP_SYNC_MMU:
	case KVM_CAP_USER_NMI:
	case KVM_CAP_READONLY_MEM:
	case KVM_CAP_INTERNAL_ERROR_DATA:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_VCPU_EVENTS:
	case KVM_CAP_DEBUGREGS:
	case KVM_CAP_XSAVE:
	case KVM_CAP_GET_TSC_KHZ:
	case KVM_CAP_IOEVENTFD:
	case KVM_CAP_IOEVENTFD_ANY_LENGTH:
	case KVM_CAP_IOEVENTFD_NO_LENGTH:
	case KVM_CAP_CHECK_EXTENSION_VM:
	case KVM_CAP_COALESCED_PIO:
	case KVM_CAP_SET_BOOT_CPU_ID:
	case KVM_CAP_X86_USER_SPACE_MSR:
	case KVM_CAP_X86_MSR_FILTER:
	case KVM_CAP_ENABLE_CAP_VM:
	case KVM_CAP_GET_MSR_FEATURES:
	case KVM_CAP_MSR_PLATFORM_INFO:
	case KVM_CAP_EXT_EMUL_CPUID:
	case KVM_CAP_SIGNAL_MSI:
	case KVM_CAP_SET_GUEST_DEBUG:
	case KVM_CAP_X86_ROBUST_SINGLESTEP:
		return 1;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
	case KVM_CAP_XCRS:
		return !!vtx_fpu_xcr0_supported();
	case KVM_CAP_ADJUST_CLOCK:
		return VTX_CLOCK_FLAGS;
	case KVM_CAP_SET_GUEST_DEBUG2:
		return VTX_GUESTDBG;
	case KVM_CAP_SYNC_REGS:
		return KVM_SYNC_X86_VALID_FIELDS;
	case KVM_CAP_COALESCED_MMIO:
		return KVM_COALESCED_MMIO_PAGE_OFFSET;
	case KVM_CAP_MCE:
		return VTX_MCE_BANKS;
	/* QEMU asks even if it wants no interrupt controller from the kernel. */
	case KVM_CAP_IRQ_ROUTING:
		return 4096;
	case KVM_CAP_NR_VCPUS:
		return min_t(unsigned int, num_online_cpus(), VTX_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
		return VTX_MAX_VCPUS;
	case KVM_CAP_MAX_VCPU_ID:
		return VTX_MAX_VCPU_IDS;
	case KVM_CAP_NR_MEMSLOTS:
		return VTX_NR_MEMSLOTS;
	default:
		return 0;
	}
}
