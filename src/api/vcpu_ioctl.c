// SPDX-License-Identifier: GPL-2.0
/*
 * vcpu_ioctl.c - the ioctls of a vCPU
 *
 * Copies arguments in and results out; what an ioctl does is done by the files
 * below. One at a time per vCPU.
 */
#include "api/vcpu_ioctl.h"

#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <asm/tsc.h>

#include "emulate/gwalk.h"
#include "guest/cpuid.h"
#include "guest/event.h"
#include "guest/event_state.h"
#include "guest/mce.h"
#include "guest/msr.h"
#include "guest/state.h"
#include "guest/xstate.h"
#include "run/debug.h"
#include "run/run.h"
#include "tlb/tlb.h"
#include "tlb/tlb_report.h"
#include "vmx/vmcs_init.h"
#include "vtx.h"

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
			  vtx_msr_get(vcpu, e->index, &e->data, false))
			break;
	}
	vtx_vcpu_put(vcpu);
	if (!set && copy_to_user(user->entries, entries, size))
		r = -EFAULT;
	kfree(entries);
	return r ? r : i;
}

static int set_cpuid(struct vtx_vcpu *vcpu, const struct kvm_cpuid_entry2 *entries,
		     unsigned int n)
{
	int r;

	vtx_vcpu_load(vcpu);
	r = vtx_cpuid_set(vcpu, entries, n);
	vtx_vcpu_put(vcpu);
	return r;
}

/* KVM_SET_CPUID: of the time before leaves had sub-leaves. */
static int ioctl_set_cpuid(struct vtx_vcpu *vcpu, struct kvm_cpuid __user *user)
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid_entry *old;
	struct kvm_cpuid head;
	unsigned int i;
	int r;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent > VTX_MAX_CPUID)
		return -E2BIG;
	old = vmemdup_user(user->entries, head.nent * sizeof(*old));
	if (IS_ERR(old))
		return PTR_ERR(old);
	entries = kvcalloc(head.nent, sizeof(*entries), GFP_KERNEL_ACCOUNT);
	for (i = 0; entries && i < head.nent; i++)
		entries[i] = (struct kvm_cpuid_entry2){
			.function = old[i].function,
			.eax = old[i].eax, .ebx = old[i].ebx,
			.ecx = old[i].ecx, .edx = old[i].edx,
		};
	r = entries ? set_cpuid(vcpu, entries, head.nent) : -ENOMEM;
	kvfree(entries);
	kvfree(old);
	return r;
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
	r = set_cpuid(vcpu, entries, head.nent);
	kvfree(entries);
	return r;
}

static int ioctl_get_cpuid2(struct vtx_vcpu *vcpu, struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid2 head;
	unsigned int i, n;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	n = vtx_cpuid_count(vcpu);
	if (head.nent < n)
		return -E2BIG;
	head.nent = n;
	for (i = 0; i < n; i++) {
		struct kvm_cpuid_entry2 now = vtx_cpuid_get(vcpu, i);

		if (copy_to_user(&user->entries[i], &now, sizeof(now)))
			return -EFAULT;
	}
	return copy_to_user(user, &head, sizeof(head)) ? -EFAULT : 0;
}

/*
 * Where would the guest's supervisor read? As KVM has it: every page is told to be
 * writable and not the user's, and the walk leaves accessed flags.
 */
static int ioctl_translate(struct vtx_vcpu *vcpu, struct kvm_translation __user *user)
{
	struct kvm_translation t;
	struct vtx_gwalk w;
	gpa_t gpa;
	u32 error;

	if (copy_from_user(&t, user, sizeof(t)))
		return -EFAULT;
	vtx_vcpu_load(vcpu);
	vtx_gwalk_init(vcpu, &w);
	vtx_vcpu_put(vcpu);
	t.valid = !vtx_gwalk(vcpu, &w, t.linear_address, 0, &gpa, &error);
	t.physical_address = t.valid ? gpa : ~0ULL;
	t.writeable = 1;
	t.usermode = 0;
	return copy_to_user(user, &t, sizeof(t)) ? -EFAULT : 0;
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
	vcpu->event.irq = VTX_IRQ_WAITS | irq->irq;
	return 0;
}

static int ioctl_set_tsc_khz(unsigned long khz)
{
	/* KVM's tolerance; TSC scaling is not used. */
	u32 slack = tsc_khz / 4000;

	if (!(u32)khz)
		return 0;
	return abs((s64)(u32)khz - tsc_khz) <= slack ? 0 : -EINVAL;
}

static int ioctl_set_signal_mask(struct vtx_vcpu *vcpu,
				 const struct kvm_signal_mask __user *user)
{
	struct kvm_signal_mask head;
	sigset_t mask;

	if (!user) {
		vcpu->sigmask.given = false;
		return 0;
	}
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, user->sigset, sizeof(mask)))
		return -EFAULT;
	sigdelsetmask(&mask, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigmask.set = mask;
	vcpu->sigmask.given = true;
	return 0;
}

/* Other signals end the run only; they are delivered after it. */
static noinline int run_with_sigmask(struct vtx_vcpu *vcpu)
{
	int r;

	sigprocmask(SIG_SETMASK, &vcpu->sigmask.set, &current->real_blocked);
	r = vtx_run(vcpu);
	sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
	sigemptyset(&current->real_blocked);
	return r;
}

/* Structures that ioctls of fixed size copy in and out. */
union vcpu_arg {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	struct kvm_mp_state mp_state;
	struct kvm_interrupt irq;
	struct kvm_vcpu_events events;
	struct kvm_debugregs debugregs;
	struct kvm_guest_debug debug;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_x86_mce mce;
	u64 mcg_cap;
};

/* Argument in kernel memory, VMCS current: no sleeping here. */
static int get_state(struct vtx_vcpu *vcpu, unsigned int cmd, union vcpu_arg *arg)
{
	switch (cmd) {
	case KVM_GET_REGS:
		vtx_get_regs(vcpu, &arg->regs);
		return 0;
	case KVM_GET_SREGS:
		vtx_get_sregs(vcpu, &arg->sregs);
		return 0;
	case KVM_GET_FPU:
		vtx_get_fpu(vcpu, &arg->fpu);
		return 0;
	case KVM_GET_MP_STATE:
		arg->mp_state.mp_state = KVM_MP_STATE_RUNNABLE;
		return 0;
	case KVM_GET_VCPU_EVENTS:
		vtx_get_events(vcpu, &arg->events);
		return 0;
	case KVM_GET_DEBUGREGS:
		vtx_get_debugregs(vcpu, &arg->debugregs);
		return 0;
	case KVM_GET_XSAVE:
		vtx_get_xsave(vcpu, &arg->xsave);
		return 0;
	case KVM_GET_XCRS:
		vtx_get_xcrs(vcpu, &arg->xcrs);
		return 0;
	default:
		return -ENOTTY;
	}
}

static int set_state(struct vtx_vcpu *vcpu, unsigned int cmd, const union vcpu_arg *arg)
{
	switch (cmd) {
	case KVM_SET_REGS:
		vtx_set_regs(vcpu, &arg->regs);
		return 0;
	case KVM_SET_SREGS:
		return vtx_set_sregs(vcpu, &arg->sregs);
	case KVM_SET_FPU:
		return vtx_set_fpu(vcpu, &arg->fpu);
	case KVM_SET_MP_STATE:
		return ioctl_set_mp_state(vcpu, &arg->mp_state);
	case KVM_INTERRUPT:
		return ioctl_interrupt(vcpu, &arg->irq);
	case KVM_SET_VCPU_EVENTS:
		return vtx_set_events(vcpu, &arg->events);
	case KVM_SET_DEBUGREGS:
		return vtx_set_debugregs(vcpu, &arg->debugregs);
	case KVM_SET_GUEST_DEBUG:
		return vtx_debug_set(vcpu, &arg->debug);
	case KVM_SET_XSAVE:
		return vtx_set_xsave(vcpu, &arg->xsave);
	case KVM_SET_XCRS:
		return vtx_set_xcrs(vcpu, &arg->xcrs);
	case KVM_X86_SETUP_MCE:
		return vtx_mce_setup(vcpu, arg->mcg_cap);
	case KVM_X86_SET_MCE:
		return vtx_mce_inject(vcpu, &arg->mce);
	default:
		return -ENOTTY;
	}
}

static int ioctl_fixed(struct vtx_vcpu *vcpu, unsigned int cmd, void __user *user)
{
	unsigned int size = _IOC_SIZE(cmd);
	bool set = _IOC_DIR(cmd) & _IOC_WRITE;
	union vcpu_arg *arg;
	int r = -EFAULT;

	if (!size || size > sizeof(*arg))
		return -ENOTTY;
	arg = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!arg)
		return -ENOMEM;
	if (set && copy_from_user(arg, user, size))
		goto out;
	vtx_vcpu_load(vcpu);
	r = set ? set_state(vcpu, cmd, arg) : get_state(vcpu, cmd, arg);
	vtx_vcpu_put(vcpu);
	if (!r && !set && copy_to_user(user, arg, size))
		r = -EFAULT;
out:
	kfree(arg);
	return r;
}

/* The VM's own process, and one ioctl at a time. Return: 0 or a negative errno. */
static __always_inline int lock_vcpu(struct vtx_vcpu *vcpu)
{
	if (vcpu->vm->mm != current->mm || READ_ONCE(vcpu->vm->dead))
		return -EIO;
	return mutex_lock_killable(&vcpu->mutex) ? -EINTR : 0;
}

static long locked_ioctl(struct vtx_vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case KVM_NMI:
		vtx_vcpu_load(vcpu);
		vtx_event_nmi(vcpu);
		vtx_vcpu_put(vcpu);
		return 0;
	case KVM_GET_MSRS:
		return ioctl_get_msrs(vcpu, user, false);
	case KVM_SET_MSRS:
		return ioctl_get_msrs(vcpu, user, true);
	case KVM_TRANSLATE:
		return ioctl_translate(vcpu, user);
	case KVM_SET_CPUID:
		return ioctl_set_cpuid(vcpu, user);
	case KVM_SET_CPUID2:
		return ioctl_set_cpuid2(vcpu, user);
	case KVM_GET_CPUID2:
		return ioctl_get_cpuid2(vcpu, user);
	case KVM_SET_SIGNAL_MASK:
		return ioctl_set_signal_mask(vcpu, user);
	case KVM_GET_TSC_KHZ:
		return tsc_khz;
	case KVM_SET_TSC_KHZ:
		return ioctl_set_tsc_khz(arg);
	case KVM_GET_LAPIC:
	case KVM_SET_LAPIC:
		/* As KVM without an interrupt controller in the kernel. */
		return -EINVAL;
	default:
		return ioctl_fixed(vcpu, cmd, user);
	}
}

static noinline long other_ioctl(struct vtx_vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	long r;

	/* For anyone who was given the fd, and while the vCPU runs: no lock. */
	if (vtx_tlb_is_report(cmd))
		return vtx_tlb_ioctl(cmd, (void __user *)arg, &vcpu->vm->tlb, &vcpu->tlb);
	r = lock_vcpu(vcpu);
	if (r)
		return r;
	r = locked_ioctl(vcpu, cmd, arg);
	mutex_unlock(&vcpu->mutex);
	return r;
}

/**
 * vtx_vcpu_ioctl() - an ioctl on a vCPU fd
 * @file: the fd
 * @cmd:  its whole number decides: KVM's repeat _IOC_NR with other sizes
 * @arg:  value or user pointer
 *
 * Context: may sleep.
 * Return: 0 or more, or the errno that KVM documents; -EIO in another process
 * than the VM's, save for reports; -ENOTTY for what vtx does not have.
 */
long vtx_vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vtx_vcpu *vcpu = file->private_data;
	long r;

	if (unlikely(cmd != KVM_RUN))
		return other_ioctl(vcpu, cmd, arg);
	r = lock_vcpu(vcpu);
	if (unlikely(r))
		return r;
	r = arg ? -EINVAL : vcpu->sigmask.given ? run_with_sigmask(vcpu) : vtx_run(vcpu);
	mutex_unlock(&vcpu->mutex);
	return r;
}
