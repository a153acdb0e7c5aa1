/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: trace-cmd record -e vtx */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vtx

#if !defined(_VTX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VTX_TRACE_H

#include <linux/tracepoint.h>

#include <asm/vmx.h>

#include "uapi/vtx.h"

/* The names of causes, for the kernel and for tools that read the format file. */
#define VTX_TRACE_ENUM(symbol, name) TRACE_DEFINE_ENUM(symbol);
#define VTX_TRACE_NAME(symbol, name) { symbol, name },
#define VTX_TRACE_CAUSES VTX_TLB_CAUSES(VTX_TRACE_NAME) { -1, "?" }
VTX_TLB_CAUSES(VTX_TRACE_ENUM)

DECLARE_EVENT_CLASS(vtx_vpid,
	TP_PROTO(u16 vpid, unsigned int in_use),
	TP_ARGS(vpid, in_use),
	TP_STRUCT__entry(
		__field(u16,		vpid)
		__field(unsigned int,	in_use)
	),
	TP_fast_assign(
		__entry->vpid	= vpid;
		__entry->in_use	= in_use;
	),
	TP_printk("vpid %u in_use %u", __entry->vpid, __entry->in_use)
);

DEFINE_EVENT(vtx_vpid, vtx_vpid_alloc,
	TP_PROTO(u16 vpid, unsigned int in_use),
	TP_ARGS(vpid, in_use)
);

DEFINE_EVENT(vtx_vpid, vtx_vpid_free,
	TP_PROTO(u16 vpid, unsigned int in_use),
	TP_ARGS(vpid, in_use)
);

TRACE_EVENT(vtx_invvpid,
	TP_PROTO(u8 type, u16 vpid, int cause),
	TP_ARGS(type, vpid, cause),
	TP_STRUCT__entry(
		__field(u8,	type)
		__field(u16,	vpid)
		__field(int,	cause)
	),
	TP_fast_assign(
		__entry->type	= type;
		__entry->vpid	= vpid;
		__entry->cause	= cause;
	),
	TP_printk("type %u vpid %u cause %s", __entry->type, __entry->vpid,
		  __print_symbolic(__entry->cause, VTX_TRACE_CAUSES))
);

TRACE_EVENT(vtx_invept,
	TP_PROTO(u8 type, u64 eptp, int cause),
	TP_ARGS(type, eptp, cause),
	TP_STRUCT__entry(
		__field(u8,	type)
		__field(u64,	eptp)
		__field(int,	cause)
	),
	TP_fast_assign(
		__entry->type	= type;
		__entry->eptp	= eptp;
		__entry->cause	= cause;
	),
	TP_printk("type %u eptp %#llx cause %s", __entry->type, __entry->eptp,
		  __print_symbolic(__entry->cause, VTX_TRACE_CAUSES))
);

TRACE_EVENT(vtx_vcpu_migrate,
	TP_PROTO(u16 vpid, int from, int to),
	TP_ARGS(vpid, from, to),
	TP_STRUCT__entry(
		__field(u16,	vpid)
		__field(int,	from)
		__field(int,	to)
	),
	TP_fast_assign(
		__entry->vpid	= vpid;
		__entry->from	= from;
		__entry->to	= to;
	),
	TP_printk("vpid %u cpu %d -> %d", __entry->vpid, __entry->from, __entry->to)
);

TRACE_EVENT(vtx_exit,
	TP_PROTO(u32 reason),
	TP_ARGS(reason),
	TP_STRUCT__entry(
		__field(u32,	reason)
	),
	TP_fast_assign(
		__entry->reason	= reason;
	),
	TP_printk("reason %s%s", __print_symbolic(__entry->reason & 0xffff, VMX_EXIT_REASONS),
		  __entry->reason >> 31 ? " (VM-entry failure)" : "")
);

#endif /* _VTX_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
