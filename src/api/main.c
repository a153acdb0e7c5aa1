// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - the module: parameters, and the order in which things start and end
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/seq_file.h>

#include "api/dev.h"
#include "mem/fault.h"
#include "mem/mm.h"
#include "tlb/tlb.h"
#include "tlb/tlb_report.h"
#include "tlb/vpid.h"
#include "vmx/caps.h"
#include "vmx/host.h"
#include "vmx/root.h"
#include "vmx/vmcs.h"

#include <asm/vmx.h>

static bool ept = true;
module_param(ept, bool, 0444);
MODULE_PARM_DESC(ept, "EPT is in use (told, not settable: vtx requires it)");

static bool ept_ad = true;
module_param(ept_ad, bool, 0444);
MODULE_PARM_DESC(ept_ad, "accessed and dirty flags for EPT where the CPU has them (default Y)");

static bool unrestricted_guest = true;
module_param(unrestricted_guest, bool, 0444);
MODULE_PARM_DESC(unrestricted_guest, "unrestricted guest is in use (told, not settable)");

static bool vpid = true;
module_param(vpid, bool, 0444);
MODULE_PARM_DESC(vpid, "give each vCPU a VPID where the CPU can (default Y)");

static unsigned int vpid_ids = VTX_VPID_MAX;
module_param(vpid_ids, uint, 0444);
MODULE_PARM_DESC(vpid_ids, "VPIDs in the pool, for tests; 0: off (default 65535)");

module_param_cb(vpid_policy, &vtx_tlb_policy_ops, NULL, 0644);
MODULE_PARM_DESC(vpid_policy, "when to flush: single (default), all, always, off");

static const struct vtx_root_ops root_ops = {
	.scrub = vtx_tlb_scrub,
	.before_off = vtx_vmcs_clear_cpu,
	.crash = vtx_vmcs_crash_cpu,
	.after_off = vtx_tlb_cpu_off,
};

static struct dentry *debugfs_dir;

static int tlb_show(struct seq_file *m, void *unused)
{
	return vtx_tlb_show(m);
}
DEFINE_SHOW_ATTRIBUTE(tlb);

static int vms_show(struct seq_file *m, void *unused)
{
	return vtx_tlb_show_vms(m);
}
DEFINE_SHOW_ATTRIBUTE(vms);

static int memory_show(struct seq_file *m, void *unused)
{
	return vtx_fault_show(m);
}
DEFINE_SHOW_ATTRIBUTE(memory);

static const char *type_name(unsigned int type)
{
	return type == 1 ? "single-context" : "all-context";
}

/* The one line that a user of the machine reads; @no_vpid: why there are none. */
static void __init report(const char *no_vpid)
{
	const struct vtx_tlb_caps *t = &vtx_tlb_caps;
	char lacks[256];

	pr_info("loaded: %u CPU(s) in VMX operation, EPT 4-level (INVEPT %s, A/D flags %s), unrestricted guest, VPID %s%s%s\n",
		num_online_cpus(), type_name(t->invept_type),
		ept_ad ? "on" : vtx_caps.ept_vpid & VMX_EPT_AD_BIT ? "off: ept_ad=0" :
		"not supported by this CPU",
		!t->vpid ? "off" : "on (INVVPID ",
		t->vpid ? type_name(t->invvpid_type) : "",
		t->vpid ? ")" : no_vpid);
	if (t->invept_type != VMX_EPT_EXTENT_CONTEXT)
		pr_info("fallback: no single-context INVEPT, all-context is used\n");
	if (t->vpid && t->invvpid_type != VMX_VPID_EXTENT_SINGLE_CONTEXT)
		pr_info("fallback: no single-context INVVPID, all-context is used\n");
	if (vtx_caps_lacks(lacks, sizeof(lacks)))
		pr_info("fallback: %s\n", lacks + 2);
}

static int __init setup_tlb(void)
{
	bool ctl = vtx_caps.cpu2 & SECONDARY_EXEC_ENABLE_VPID;
	int r;

	if (vpid_ids > VTX_VPID_MAX) {
		pr_err("refused: vpid_ids=%u: a VPID has 16 bits, %u is the most\n",
		       vpid_ids, VTX_VPID_MAX);
		return -EINVAL;
	}
	r = vtx_tlb_setup(vtx_caps.ept_vpid, ctl && vpid && vpid_ids);
	return r ? r : vtx_vpid_setup(vtx_tlb_caps.vpid ? vpid_ids : 0);
}

static int __init vtx_init(void)
{
	const char *no_vpid = !vpid ? ": vpid=0" : !vpid_ids ? ": vpid_ids=0" :
			      ": not supported by this CPU";
	int r;

	if (!ept || !unrestricted_guest) {
		pr_err("refused: ept=0 or unrestricted_guest=0: vtx can't do without; load it without the parameter\n");
		return -EINVAL;
	}
	r = vtx_caps_vmx_usable();
	if (!r)
		r = vtx_caps_init();
	if (r)
		return r;
	ept_ad = ept_ad && (vtx_caps.ept_vpid & VMX_EPT_AD_BIT);
	vtx_ept_ad = ept_ad;
	r = setup_tlb();
	if (r)
		return r;
	r = vtx_host_setup();
	if (r)
		return r;
	vtx_vmcs_setup();
	r = vtx_root_init(&root_ops);
	if (r)
		goto out_host;

	vpid = vtx_tlb_caps.vpid;
	debugfs_dir = debugfs_create_dir("vtx", NULL);
	debugfs_create_file("tlb", 0400, debugfs_dir, NULL, &tlb_fops);
	debugfs_create_file("vms", 0400, debugfs_dir, NULL, &vms_fops);
	debugfs_create_file("memory", 0400, debugfs_dir, NULL, &memory_fops);
	r = vtx_dev_register();
	if (r)
		goto out_root;
	report(no_vpid);
	return 0;

out_root:
	debugfs_remove(debugfs_dir);
	vtx_root_exit();
out_host:
	vtx_host_cleanup();
	return r;
}

static void __exit vtx_exit(void)
{
	vtx_dev_unregister();
	debugfs_remove(debugfs_dir);
	vtx_mm_exit();
	vtx_root_exit();
	vtx_host_cleanup();
}

module_init(vtx_init);
module_exit(vtx_exit);

MODULE_DESCRIPTION("Minimal Intel VMX hypervisor with the KVM API");
MODULE_AUTHOR("The vtx authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(VTX_VERSION);
