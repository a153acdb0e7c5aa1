/* SPDX-License-Identifier: GPL-2.0 */
/* A tracepoint here is a function that does nothing. */
#ifndef _SMP_LINUX_TRACEPOINT_H
#define _SMP_LINUX_TRACEPOINT_H

#define TP_PROTO(...)		__VA_ARGS__
#define TRACE_DEFINE_ENUM(x)	extern int shim_trace_enum
#define TRACE_EVENT(name, proto, ...) \
	static inline void trace_##name(proto) { }
#define DECLARE_EVENT_CLASS(...)	extern int shim_trace_enum
#define DEFINE_EVENT(class, name, proto, ...) \
	static inline void trace_##name(proto) { }

#endif /* _SMP_LINUX_TRACEPOINT_H */
