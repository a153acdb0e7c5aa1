/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What /dev/vtx offers beyond <linux/kvm.h>: which address-translation tags and
 * invalidation instructions are in use, and what happened to the TLB.
 *
 * Both ioctls work on the system fd, on a VM fd and on a vCPU fd; the fd says
 * whose counters are meant. Unlike KVM's they work in any process that was given
 * the fd, and on a vCPU fd without waiting for a KVM_RUN under way. They take a struct vtx_report, which points at the
 * caller's buffer and carries its size, so that the structs below can grow at
 * their end without a new ioctl number: a shorter buffer gets the leading part,
 * what is longer than the kernel knows is cleared.
 *
 * KVM's ioctls have type 0xAE. These have type 'V' and numbers from 0xE0 on,
 * so no KVM ioctl, present or future, can collide with them.
 */
#ifndef _UAPI_VTX_H
#define _UAPI_VTX_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct vtx_report - where a report goes
 * @size: in: bytes at @addr; out: bytes that the kernel's version has
 * @pad: must be 0
 * @addr: user address of a struct vtx_info or struct vtx_tlb_stats
 *
 * Errors: EINVAL if @pad is not 0 or @size is 0, E2BIG if @size is more than a page,
 * EFAULT if @addr is bad.
 */
struct vtx_report {
	__u32 size;
	__u32 pad;
	__u64 addr;
};

/* VTX_GET_INFO - fill in a struct vtx_info */
#define VTX_GET_INFO		_IOWR('V', 0xe0, struct vtx_report)
/*
 * VTX_GET_TLB_STATS - fill in a struct vtx_tlb_stats. On the system fd, whose counters
 * are of all VMs: EPERM without CAP_SYS_ADMIN.
 */
#define VTX_GET_TLB_STATS	_IOWR('V', 0xe1, struct vtx_report)

/* vtx_info.flags */
#define VTX_INFO_VPID		(1u << 0)	/* vCPUs get a VPID of their own */
#define VTX_INFO_INVVPID_WIDE	(1u << 1)	/* fallback: all-context INVVPID */
#define VTX_INFO_INVEPT_WIDE	(1u << 2)	/* fallback: all-context INVEPT */

/**
 * struct vtx_info - what is in use, and what it fell back to
 * @flags: VTX_INFO_*
 * @policy: enum vtx_tlb_policy in force
 * @ept_vpid_cap: IA32_VMX_EPT_VPID_CAP as the processor reports it
 * @invvpid_type: INVVPID type that drops one VPID: 1, or 2 as a fallback,
 *                0 where VPIDs are off
 * @invept_type: INVEPT type that drops one EPT root: 1, or 2 as a fallback
 * @vpids: size of the VPID pool, 0 where VPIDs are off
 * @vpid: this vCPU's VPID, 0 if it has none; 0 on the system and a VM fd
 */
struct vtx_info {
	__u32 flags;
	__u32 policy;
	__u64 ept_vpid_cap;
	__u32 invvpid_type;
	__u32 invept_type;
	__u32 vpids;
	__u32 vpid;
};

/*
 * The lists below are the one place where counters have their names. Each row
 * is X(SYMBOL, "name"); rows are only ever added at the end of a list.
 */

/* policy: what "vpid_policy" may be set to */
#define VTX_TLB_POLICIES(X)						\
	X(VTX_TLB_SINGLE,	"single")	/* the least that is right */ \
	X(VTX_TLB_ALL,		"all")		/* migration drops all VPIDs */ \
	X(VTX_TLB_ALWAYS,	"always")	/* flush at each entry */ \
	X(VTX_TLB_OFF,		"off")		/* new vCPUs get no VPID */

/* op: instruction and type */
#define VTX_TLB_OPS(X)							\
	X(VTX_TLB_INVVPID_SINGLE, "invvpid-single")			\
	X(VTX_TLB_INVVPID_ALL,	"invvpid-all")				\
	X(VTX_TLB_INVEPT_SINGLE, "invept-single")			\
	X(VTX_TLB_INVEPT_ALL,	"invept-all")

/* cause: why it was executed */
#define VTX_TLB_CAUSES(X)						\
	X(VTX_TLB_CREATE,	"create")	/* VM's first entry on a CPU */ \
	X(VTX_TLB_MIGRATE,	"migrate")	/* ran elsewhere since */ \
	X(VTX_TLB_TEARDOWN,	"teardown")	/* VPID about to be released */ \
	X(VTX_TLB_EPT,		"ept")		/* an EPT entry was tightened */ \
	X(VTX_TLB_STATE,	"state")	/* CR0, CR3, CR4, EFER... were set */ \
	X(VTX_TLB_POLICY,	"policy")	/* vpid_policy asks for it */ \
	X(VTX_TLB_SCRUB,	"scrub")	/* CPU entered VMX operation */

/* avoided: why an INVVPID was not executed where a simpler rule would have */
#define VTX_TLB_AVOIDED(X)						\
	X(VTX_TLB_FIRST_VISIT,	"first-visit")	/* moved to a clean CPU */ \
	X(VTX_TLB_COVERED,	"covered-by-invept") /* INVEPT due there too */ \
	X(VTX_TLB_NO_VPID,	"no-vpid")	/* entry flushes by itself */ \
	X(VTX_TLB_MERGED,	"merged")	/* state change and move in one */ \
	X(VTX_TLB_SCRUBBED,	"scrubbed")	/* visited CPU left VMX operation */

/* event: what else happened */
#define VTX_TLB_EVENTS(X)						\
	X(VTX_TLB_MIGRATIONS,	"migrations")	/* entry on another CPU */ \
	X(VTX_TLB_EPT_CHANGES,	"ept-changes")	/* EPT generations */	\
	X(VTX_TLB_KICKS,	"kicks")	/* CPUs made to leave the guest */ \
	X(VTX_TLB_FALLBACKS,	"fallbacks")	/* wider type than wanted */ \
	X(VTX_TLB_FAILURES,	"failures")	/* VMfail: VM stopped, or VPID retired */

#define VTX_TLB_ENUM(symbol, name) symbol,
enum vtx_tlb_policy { VTX_TLB_POLICIES(VTX_TLB_ENUM) VTX_TLB_NR_POLICIES };
enum vtx_tlb_op { VTX_TLB_OPS(VTX_TLB_ENUM) VTX_TLB_NR_OPS };
enum vtx_tlb_cause { VTX_TLB_CAUSES(VTX_TLB_ENUM) VTX_TLB_NR_CAUSES };
enum vtx_tlb_avoided { VTX_TLB_AVOIDED(VTX_TLB_ENUM) VTX_TLB_NR_AVOIDED };
enum vtx_tlb_event { VTX_TLB_EVENTS(VTX_TLB_ENUM) VTX_TLB_NR_EVENTS };
#undef VTX_TLB_ENUM

/* Room for rows to come: the layout of struct vtx_tlb_stats stays. */
#define VTX_TLB_MAX_OPS		8
#define VTX_TLB_MAX_CAUSES	16
#define VTX_TLB_MAX_AVOIDED	16
#define VTX_TLB_MAX_EVENTS	16

/**
 * struct vtx_tlb_stats - what happened to the TLB of a vCPU, a VM or all VMs
 * @flush: INVVPID and INVEPT executed, [enum vtx_tlb_op][enum vtx_tlb_cause]
 * @avoided: INVVPID not executed, [enum vtx_tlb_avoided]
 * @event: other events, [enum vtx_tlb_event]
 * @vpids_in_use: VPIDs that vCPUs hold; the same on each kind of fd, as all below,
 *                and 0 without CAP_SYS_ADMIN
 * @vpids_peak: most of them at any time
 * @vpids_exhausted: vCPUs created without a VPID because none was free
 * @vpids_retired: VPIDs never to be handed out again: their flush failed
 *
 * A VM's counters include those of its destroyed vCPUs, the system's those of
 * destroyed VMs.
 */
struct vtx_tlb_stats {
	__u64 flush[VTX_TLB_MAX_OPS][VTX_TLB_MAX_CAUSES];
	__u64 avoided[VTX_TLB_MAX_AVOIDED];
	__u64 event[VTX_TLB_MAX_EVENTS];
	__u64 vpids_in_use;
	__u64 vpids_peak;
	__u64 vpids_exhausted;
	__u64 vpids_retired;
};

#endif /* _UAPI_VTX_H */
