/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Processors with a tagged TLB that never forgets.
 *
 * Each CPU keeps what SDM vol 3 "Caching Translation Information" lets it
 * keep, under the tags given there, until an instruction must drop it:
 *
 *   linear          VPID, PCID           (made without EPT only)
 *   guest-physical  EP4TA
 *   combined        VPID, PCID, EP4TA
 *
 * A real CPU may drop anything at any time and so hide a missing flush; this
 * one can't. It also behaves as root.c: vtx_root_invvpid() and
 * vtx_root_invept() act on the current CPU and check their operands.
 */
#ifndef _TLB_HW_H
#define _TLB_HW_H

#include <linux/types.h>

#define HW_CPUS		5
#define HW_ENTRIES	240
#define HW_EPTP(root)	((((u64)(root) + 1) << 12) | 0x5e)	/* 4 levels, WB, A/D */
#define HW_CAP_ALL	(1ull << 6 | 1ull << 14 | 1ull << 20 | 3ull << 25 | \
			 1ull << 32 | 15ull << 40)

/* State that a snapshot covers; the Makefile puts vpid.c's and tlb.c's there. */
#define HW_STATE	__attribute__((section("vtx_state")))
extern char __start_vtx_state[], __stop_vtx_state[];

enum hw_kind { HW_LINEAR, HW_GPHYS, HW_COMBINED };

/*
 * addr is a gpa in guest-physical mappings, else a linear address; global: its page
 * is, so that MOV to CR3 and INVVPID of the type that retains globals leave it.
 */
struct hw_entry {
	u8 kind, vpid, pcid, root;
	u8 addr, page, writable, global;
};

struct hw_cpu {
	bool vmx;		/* in VMX operation */
	bool irqs_off;
	int entries;
	struct hw_entry tlb[HW_ENTRIES];
};

struct hw {
	u64 cap;		/* IA32_VMX_EPT_VPID_CAP */
	int fail_in;		/* VMfail at the n-th invalidation from now, 0: none */
	u32 invvpid_cpus;	/* CPUs that executed INVVPID since hw_log_clear() */
	u32 invept_cpus;
	int invvpids, invepts;
	u8 invvpid_type, invept_type;	/* of the last one */
	u64 executed[2][4];	/* since the start, by instruction and type */
	struct hw_cpu cpu[HW_CPUS];
};

extern struct hw hw;

/* Ends the test: invariant @name (src/tlb/tlb.c) does not hold. */
void violation(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* What led there; a test may define it. */
void print_history(void);

void hw_log_clear(void);
struct hw_entry *hw_find(int cpu, u8 kind, u8 vpid, u8 pcid, u8 root, u8 addr);
void hw_fill(int cpu, struct hw_entry entry);
void hw_drop(int cpu, bool (*match)(const struct hw_entry *e, const struct hw_entry *key),
	     struct hw_entry key);
void hw_transition(int cpu, u8 vpid);
void hw_invlpg(int cpu, u8 vpid, u8 pcid, u8 addr);
void hw_mov_cr3(int cpu, u8 vpid, u8 pcid);
void hw_ept_violation(int cpu, u8 vpid, u8 pcid, u8 root, u8 gpa, u8 addr);

#endif /* _TLB_HW_H */
