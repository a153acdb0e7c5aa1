// SPDX-License-Identifier: GPL-2.0
/*
 * vcpu.c - life of a vCPU and its ioctls
 *
 * Owns struct vtx_vcpu and the run page. No VMX here: what an ioctl does is
 * done by the files below. A vCPU lives as long as its VM; its fd keeps the VM.
 */
#include "vcpu.h"

#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cpuid.h"
#include "cr.h"
#include "host.h"
#include "mmio.h"
#include "msr.h"
#include "run.h"
#include "state.h"
#include "tlb_report.h"
#include "vmcs_init.h"
#include "vtx.h"

static int alloc_run_pages(struct vtx_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < VTX_RUN_PAGES; i++) {
		vcpu->pages[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!vcpu->pages[i])
			return -ENOMEM;
	}
	vcpu->run = page_address(vcpu->pages[0]);
	return 0;
}

/* A mapping of the run page holds its own references. */
static void free_run_pages(struct vtx_vcpu *vcpu)
{
	unsigned int i;

	for (i = 0; i < VTX_RUN_PAGES; i++)
		if (vcpu->pages[i])
			put_page(vcpu->pages[i]);
}

static int alloc_parts(struct vtx_vcpu *vcpu)
{
	int r = alloc_run_pages(vcpu);

	if (!r)
		r = vtx_fpu_alloc(vcpu);
	if (!r)
		r = vtx_msr_alloc(vcpu);
	if (!r)
		r = vtx_mmio_alloc(vcpu);
	if (!r)
		r = vtx_vmcs_alloc(&vcpu->vmcs);
	vcpu->cpuid = kvcalloc(VTX_MAX_CPUID, sizeof(*vcpu->cpuid), GFP_KERNEL_ACCOUNT);
	return vcpu->cpuid ? r : -ENOMEM;
}

static void free_parts(struct vtx_vcpu *vcpu)
{
	kvfree(vcpu->cpuid);
	vtx_vmcs_free(&vcpu->vmcs);
	vtx_mmio_free(vcpu);
	vtx_msr_free(vcpu);
	vtx_fpu_free(vcpu);
	free_run_pages(vcpu);
	vtx_ept_spare_free(&vcpu->spare);
	kfree(vcpu);
}

/**
 * vtx_vcpu_create() - make a vCPU in its state after reset
 * @vm: the VM
 * @id: KVM_CREATE_VCPU's argument
 *
 * Context: may sleep.
 * Return: the vCPU, -ENOMEM, -EIO.
 */
struct vtx_vcpu *vtx_vcpu_create(struct vtx_vm *vm, unsigned int id)
{
	struct vtx_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	int r;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	mutex_init(&vcpu->mutex);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->event.irq = -1;
	vcpu->xcr0 = 1;
	vcpu->dr6 = VTX_DR6_FIXED;
	vcpu->dr7 = VTX_DR7_FIXED;
	vcpu->cr4_allowed = vtx_cr4_host_supported();
	/* Family, model and stepping, as after reset. */
	vcpu->regs[VTX_RDX] = cpuid_eax(1) & 0xfff0ff0 ? 0x600 : 0;
	r = alloc_parts(vcpu);
	if (!r)
		r = vtx_tlb_vcpu_init(&vcpu->tlb, &vm->tlb);
	if (r)
		goto out_free;

	vtx_vcpu_load(vcpu);
	vtx_vmcs_init(vcpu);
	if (vcpu->vmcs.failed)
		r = -EIO;
	vtx_vcpu_put(vcpu);
	if (!r)
		return vcpu;

	vtx_tlb_vcpu_release(&vcpu->tlb);
out_free:
	free_parts(vcpu);
	return ERR_PTR(r);
}

/**
 * vtx_vcpu_destroy() - the end of a vCPU
 * @vcpu: the vCPU, which nobody can run any more
 *
 * The order is the point: VMCS off all CPUs, then the VPID flushed where it was
 * used and released, then memory.
 *
 * Context: may sleep.
 */
void vtx_vcpu_destroy(struct vtx_vcpu *vcpu)
{
	vtx_vmcs_free(&vcpu->vmcs);
	vtx_tlb_vcpu_release(&vcpu->tlb);
	free_parts(vcpu);
}

static vm_fault_t run_page_fault(struct vm_fault *vmf)
{
	struct vtx_vcpu *vcpu = vmf->vma->vm_file->private_data;

	if (vmf->pgoff >= VTX_RUN_PAGES)
		return VM_FAULT_SIGBUS;
	vmf->page = vcpu->pages[array_index_nospec(vmf->pgoff, VTX_RUN_PAGES)];
	get_page(vmf->page);
	return 0;
}

static const struct vm_operations_struct run_page_vm_ops = {
	.fault = run_page_fault,
};

/**
 * vtx_vcpu_mmap() - map the run page and its neighbours
 * @file: a vCPU fd
 * @vma:  the mapping; accesses beyond the three pages get SIGBUS
 *
 * Return: 0, -EPERM for an executable mapping.
 */
int vtx_vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* Data that a guest chose has no business being executable. */
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vma->vm_flags &= ~VM_MAYEXEC;
	vma->vm_ops = &run_page_vm_ops;
	return 0;
}

static int ioctl_get_msrs(struct vtx_vcpu *vcpu, struct kvm_msrs __user *user, bool set)
{
	struct kvm_msr_entry *entries;
	struct kvm_msrs head;
	unsigned int i;
	size_t size;
	int r = 0;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	/* KVM's limit. */
	if (head.nmsrs >= 256)
		return -E2BIG;
	size = head.nmsrs * sizeof(*entries);
	entries = memdup_user(user->entries, size);
	if (IS_ERR(entries))
		return PTR_ERR(entries);

	vtx_vcpu_load(vcpu);
	for (i = 0; i < head.nmsrs; i++) {
		struct kvm_msr_entry *e = &entries[i];

		if (set ? vtx_msr_set(vcpu, e->index, e->data, false) :
			  vtx_msr_get(vcpu, e->index, &e->data))
			break;
	}
	vtx_vcpu_put(vcpu);
	if (!set && copy_to_user(user->entries, entries, size))
		r = -EFAULT;
	kfree(entries);
	return r ? r : i;
}

static int ioctl_set_cpuid2(struct vtx_vcpu *vcpu, struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid2 head;
	int r;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent > VTX_MAX_CPUID)
		return -E2BIG;
	entries = vmemdup_user(user->entries, head.nent * sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	vtx_vcpu_load(vcpu);
	r = vtx_cpuid_set(vcpu, entries, head.nent);
	vtx_vcpu_put(vcpu);
	kvfree(entries);
	return r;
}

static int ioctl_get_cpuid2(struct vtx_vcpu *vcpu, struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid2 head;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent < vcpu->nr_cpuid)
		return -E2BIG;
	head.nent = vcpu->nr_cpuid;
	if (copy_to_user(user->entries, vcpu->cpuid, head.nent * sizeof(*vcpu->cpuid)) ||
	    copy_to_user(user, &head, sizeof(head)))
		return -EFAULT;
	return 0;
}

/* Without an interrupt controller in the kernel a vCPU is always runnable. */
static int ioctl_set_mp_state(struct vtx_vcpu *vcpu, const struct kvm_mp_state *state)
{
	return state->mp_state == KVM_MP_STATE_RUNNABLE ? 0 : -EINVAL;
}

static int ioctl_interrupt(struct vtx_vcpu *vcpu, const struct kvm_interrupt *irq)
{
	if (irq->irq >= 256)
		return -EINVAL;
	vcpu->event.irq = irq->irq;
	return 0;
}

/* Structures that ioctls of fixed size copy in and out. */
union vcpu_arg {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	struct kvm_mp_state mp_state;
	struct kvm_interrupt irq;
};

/* Argument in kernel memory, VMCS current: no sleeping here. */
static int vcpu_ioctl_fixed(struct vtx_vcpu *vcpu, unsigned int cmd, union vcpu_arg *arg)
{
	switch (cmd) {
	case KVM_GET_REGS:
		vtx_get_regs(vcpu, &arg->regs);
		return 0;
	case KVM_SET_REGS:
		vtx_set_regs(vcpu, &arg->regs);
		return 0;
	case KVM_GET_SREGS:
		vtx_get_sregs(vcpu, &arg->sregs);
		return 0;
	case KVM_SET_SREGS:
		return vtx_set_sregs(vcpu, &arg->sregs);
	case KVM_GET_FPU:
		vtx_get_fpu(vcpu, &arg->fpu);
		return 0;
	case KVM_SET_FPU:
		return vtx_set_fpu(vcpu, &arg->fpu);
	case KVM_GET_MP_STATE:
		arg->mp_state.mp_state = KVM_MP_STATE_RUNNABLE;
		return 0;
	case KVM_SET_MP_STATE:
		return ioctl_set_mp_state(vcpu, &arg->mp_state);
	case KVM_INTERRUPT:
		return ioctl_interrupt(vcpu, &arg->irq);
	default:
		return -ENOTTY;
	}
}

static int ioctl_fixed(struct vtx_vcpu *vcpu, unsigned int cmd, void __user *user)
{
	unsigned int size = _IOC_SIZE(cmd);
	union vcpu_arg *arg;
	int r = -EFAULT;

	if (size > sizeof(*arg))
		return -ENOTTY;
	arg = kzalloc(sizeof(*arg), GFP_KERNEL_ACCOUNT);
	if (!arg)
		return -ENOMEM;
	if ((_IOC_DIR(cmd) & _IOC_WRITE) && copy_from_user(arg, user, size))
		goto out;
	vtx_vcpu_load(vcpu);
	r = vcpu_ioctl_fixed(vcpu, cmd, arg);
	vtx_vcpu_put(vcpu);
	if (!r && (_IOC_DIR(cmd) & _IOC_READ) && copy_to_user(user, arg, size))
		r = -EFAULT;
out:
	kfree(arg);
	return r;
}

static long vcpu_ioctl_locked(struct vtx_vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case KVM_RUN:
		return arg ? -EINVAL : vtx_run(vcpu);
	case KVM_NMI:
		vcpu->event.nmi = true;
		return 0;
	case KVM_GET_MSRS:
		return ioctl_get_msrs(vcpu, user, false);
	case KVM_SET_MSRS:
		return ioctl_get_msrs(vcpu, user, true);
	case KVM_SET_CPUID2:
		return ioctl_set_cpuid2(vcpu, user);
	case KVM_GET_CPUID2:
		return ioctl_get_cpuid2(vcpu, user);
	case VTX_GET_INFO:
	case VTX_GET_TLB_STATS:
		return vtx_tlb_ioctl(cmd, user, &vcpu->vm->tlb, &vcpu->tlb);
	default:
		return ioctl_fixed(vcpu, cmd, user);
	}
}

/**
 * vtx_vcpu_ioctl() - an ioctl on a vCPU fd
 * @file: the fd
 * @cmd:  its whole number decides: KVM's repeat _IOC_NR with other sizes
 * @arg:  value or user pointer
 *
 * Context: may sleep.
 * Return: 0 or more, or the errno that KVM documents; -EIO in another process
 * than the VM's; -ENOTTY for what vtx does not have.
 */
long vtx_vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vtx_vcpu *vcpu = file->private_data;
	long r;

	if (vcpu->vm->mm != current->mm || READ_ONCE(vcpu->vm->dead))
		return -EIO;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	r = vcpu_ioctl_locked(vcpu, cmd, arg);
	mutex_unlock(&vcpu->mutex);
	return r;
}
