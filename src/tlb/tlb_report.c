// SPDX-License-Identifier: GPL-2.0
/*
 * What happened to the TLB, told to people and programs.
 *
 * Owns the ioctls of include/uapi/vtx.h, the text in debugfs and the module
 * parameter "vpid_policy". Decides nothing: tlb.c counts, vpid.c has the pool.
 */
#include "tlb/tlb_report.h"

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/uaccess.h>

#include <asm/vmx.h>

#include "tlb/tlb.h"
#include "tlb/vpid.h"
#include "vtx.h"

#define VTX_TLB_NAME(symbol, name) name,
static const char * const policy_names[] = { VTX_TLB_POLICIES(VTX_TLB_NAME) };
static const char * const op_names[] = { VTX_TLB_OPS(VTX_TLB_NAME) };
static const char * const cause_names[] = { VTX_TLB_CAUSES(VTX_TLB_NAME) };
static const char * const avoided_names[] = { VTX_TLB_AVOIDED(VTX_TLB_NAME) };
static const char * const event_names[] = { VTX_TLB_EVENTS(VTX_TLB_NAME) };

static_assert(VTX_TLB_NR_OPS <= VTX_TLB_MAX_OPS);
static_assert(VTX_TLB_NR_CAUSES <= VTX_TLB_MAX_CAUSES);
static_assert(VTX_TLB_NR_AVOIDED <= VTX_TLB_MAX_AVOIDED);
static_assert(VTX_TLB_NR_EVENTS <= VTX_TLB_MAX_EVENTS);

static struct vtx_tlb_counters *counters(struct vtx_tlb_vm *vm, struct vtx_tlb_vcpu *vcpu)
{
	return vcpu ? &vcpu->count : vm ? &vm->count : &vtx_tlb_total;
}

static void fill_stats(struct vtx_tlb_stats *stats, struct vtx_tlb_counters *count)
{
	struct vtx_vpid_stats pool = { };
	int i, j;

	/* The pool is everybody's: how it is used tells what others do. */
	if (ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN))
		vtx_vpid_stats(&pool);
	memset(stats, 0, sizeof(*stats));
	for (i = 0; i < VTX_TLB_NR_OPS; i++)
		for (j = 0; j < VTX_TLB_NR_CAUSES; j++)
			stats->flush[i][j] = atomic64_read(&count->flush[i][j]);
	for (i = 0; i < VTX_TLB_NR_AVOIDED; i++)
		stats->avoided[i] = atomic64_read(&count->avoided[i]);
	for (i = 0; i < VTX_TLB_NR_EVENTS; i++)
		stats->event[i] = atomic64_read(&count->event[i]);
	stats->vpids_in_use = pool.in_use;
	stats->vpids_peak = pool.peak;
	stats->vpids_exhausted = pool.exhausted;
	stats->vpids_retired = pool.retired;
}

static void fill_info(struct vtx_info *info, struct vtx_tlb_vcpu *vcpu)
{
	struct vtx_vpid_stats pool;

	vtx_vpid_stats(&pool);
	*info = (struct vtx_info){
		.policy = READ_ONCE(vtx_tlb_policy),
		.ept_vpid_cap = vtx_tlb_caps.ept_vpid_cap,
		.invvpid_type = vtx_tlb_caps.invvpid_type,
		.invept_type = vtx_tlb_caps.invept_type,
		.vpids = pool.nr_ids,
		.vpid = vcpu ? vcpu->vpid : 0,
	};
	if (vtx_tlb_caps.vpid)
		info->flags |= VTX_INFO_VPID;
	if (info->invvpid_type == VMX_VPID_EXTENT_ALL_CONTEXT)
		info->flags |= VTX_INFO_INVVPID_WIDE;
	if (info->invept_type == VMX_EPT_EXTENT_GLOBAL)
		info->flags |= VTX_INFO_INVEPT_WIDE;
}

/* Fit @size bytes of @data to the caller's buffer and tell their number. */
static long copy_report(struct vtx_report __user *arg, const void *data, u32 size)
{
	struct vtx_report report;
	void __user *buf;
	u32 len;

	if (copy_from_user(&report, arg, sizeof(report)))
		return -EFAULT;
	if (report.pad || !report.size)
		return -EINVAL;
	if (report.size > PAGE_SIZE)
		return -E2BIG;

	buf = u64_to_user_ptr(report.addr);
	len = min(size, report.size);
	if (copy_to_user(buf, data, len) ||
	    clear_user(buf + len, report.size - len) ||
	    put_user(size, &arg->size))
		return -EFAULT;
	return 0;
}

/**
 * vtx_tlb_ioctl() - VTX_GET_INFO and VTX_GET_TLB_STATS
 * @ioctl: which
 * @arg: struct vtx_report
 * @vm: the VM that the fd stands for, NULL on the system fd
 * @vcpu: the vCPU that the fd stands for, NULL on a VM or the system fd
 *
 * Return: 0, -ENOTTY if @ioctl is neither, -EINVAL, -EFAULT; -E2BIG: more than a
 * page is asked for; -EPERM: the system's counters, which are of all VMs, without
 * CAP_SYS_ADMIN.
 */
long vtx_tlb_ioctl(unsigned int ioctl, void __user *arg, struct vtx_tlb_vm *vm,
		   struct vtx_tlb_vcpu *vcpu)
{
	union {
		struct vtx_tlb_stats stats;
		struct vtx_info info;
	} u;

	switch (ioctl) {
	case VTX_GET_INFO:
		fill_info(&u.info, vcpu);
		return copy_report(arg, &u.info, sizeof(u.info));
	case VTX_GET_TLB_STATS:
		if (!vm && !capable(CAP_SYS_ADMIN))
			return -EPERM;
		fill_stats(&u.stats, counters(vm, vcpu));
		return copy_report(arg, &u.stats, sizeof(u.stats));
	default:
		return -ENOTTY;
	}
}

static void show_line(struct seq_file *m, const char *what, const char *cause, s64 n)
{
	if (n)
		seq_printf(m, "%-18s %-18s %lld\n", what, cause, n);
}

static void show_counters(struct seq_file *m, struct vtx_tlb_counters *count)
{
	int i, j;

	for (i = 0; i < VTX_TLB_NR_OPS; i++)
		for (j = 0; j < VTX_TLB_NR_CAUSES; j++)
			show_line(m, op_names[i], cause_names[j],
				  atomic64_read(&count->flush[i][j]));
	for (i = 0; i < VTX_TLB_NR_AVOIDED; i++)
		show_line(m, "avoided", avoided_names[i], atomic64_read(&count->avoided[i]));
	for (i = 0; i < VTX_TLB_NR_EVENTS; i++)
		show_line(m, "event", event_names[i], atomic64_read(&count->event[i]));
}

/**
 * vtx_tlb_show() - the system's counters that are not zero, one a line, and the pool
 * @m: where to
 *
 * Return: 0, as a seq_file's show wants it.
 */
int vtx_tlb_show(struct seq_file *m)
{
	struct vtx_vpid_stats pool;

	show_counters(m, &vtx_tlb_total);
	vtx_vpid_stats(&pool);
	seq_printf(m, "policy %s\n", policy_names[READ_ONCE(vtx_tlb_policy)]);
	seq_printf(m, "vpids %u in_use %u peak %u exhausted %llu retired %llu\n",
		   pool.nr_ids, pool.in_use, pool.peak, pool.exhausted, pool.retired);
	return 0;
}

/* The registry is locked, so neither of them goes. */
static void show_one(struct vtx_tlb_vm *vm, struct vtx_tlb_vcpu *vcpu, void *data)
{
	struct seq_file *m = data;

	if (vcpu)
		seq_printf(m, "vcpu %u vpid %u\n",
			   container_of(vcpu, struct vtx_vcpu, tlb)->id, vcpu->vpid);
	else
		seq_printf(m, "vm pid %d eptp %#llx\n",
			   container_of(vm, struct vtx_vm, tlb)->pid, vm->eptp);
	show_counters(m, counters(vm, vcpu));
}

/**
 * vtx_tlb_show_vms() - each VM and its vCPUs, with their counters
 * @m: where to
 *
 * Made when it is read: it costs VMs nothing.
 *
 * Return: 0, as a seq_file's show wants it.
 */
int vtx_tlb_show_vms(struct seq_file *m)
{
	unsigned long n = 0;

	/* A buffer that is full comes again, larger. */
	while (!seq_has_overflowed(m) && vtx_tlb_nth(n, show_one, m)) {
		n++;
		cond_resched();
	}
	return 0;
}

static int set_policy(const char *val, const struct kernel_param *kp)
{
	int policy = sysfs_match_string(policy_names, val);

	if (policy < 0)
		return policy;
	WRITE_ONCE(vtx_tlb_policy, policy);
	return 0;
}

static int get_policy(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", policy_names[READ_ONCE(vtx_tlb_policy)]);
}

/* "off" is for vCPUs to come: a VPID once given stays until the vCPU goes. */
const struct kernel_param_ops vtx_tlb_policy_ops = {
	.set = set_policy,
	.get = get_policy,
};
