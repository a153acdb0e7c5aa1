/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A VPID from hand to hand: vtx_tlb_vcpu_init(), flush_vpid(),
 * vtx_tlb_vcpu_release(), vtx_tlb_cpu_off() and vtx_tlb_scrub() of src/tlb/tlb.c
 * with the pool of src/tlb/vpid.c (V1 to V4).
 *
 * Two vCPU slots live twice each, take an id from a pool of VPIDS, run on any
 * CPU, change their page tables where they run, and are released, while a CPU
 * leaves VMX operation, runs another hypervisor that leaves translations under
 * every id, and comes back.
 *
 * Proven: a vCPU finds under its id nothing but what it has cached itself since
 * it last changed its page tables, wherever it ran; an id has one owner.
 *
 * Seeded faults, each of which must be caught: NO_TEARDOWN, TEARDOWN_LAST_CPU,
 * EARLY_RELEASE, NO_MIGRATION_FLUSH, FLUSH_OLD_CPU, NO_SCRUB, OFF_KEEPS_LAST_CPU.
 */
#define CPUS	2
#define VCPUS	2
#define LIVES	2
#ifndef VPIDS
#define VPIDS	2
#endif
#ifndef ENTRIES
#define ENTRIES	3
#endif
#define NOWHERE	255
#define EMPTY	0
#define FOREIGN	255

/* What a CPU has cached under an id: whose, and as of which page table. */
#define STAMP	(1 + 2 * (me * LIVES + life) + version)
#define TLB(c)	tlb[(c) * (VPIDS + 1) + vpid]

byte tlb[CPUS * (VPIDS + 1)];
bool on[CPUS] = true;		/* in VMX operation */
bool busy[CPUS];		/* interrupts off: a vCPU is on its way in or inside */
bool owned[VPIDS + 1];
byte next_id = 1;
byte visited[VCPUS];		/* a bit for each CPU */
byte last[VCPUS] = NOWHERE;
byte readers;			/* cpus_read_lock() */

#define VISITED(v, c)	(visited[v] & (1 << (c)))

/* vtx_vpid_alloc(): next-fit */
inline alloc_id()
{
	atomic {
		if
		:: !owned[next_id] -> vpid = next_id
		:: owned[next_id] && VPIDS > 1 && !owned[VPIDS + 1 - next_id] ->
			vpid = VPIDS + 1 - next_id
		:: else -> vpid = 0
		fi;
		if
		:: vpid ->
			assert(!owned[vpid]);
			owned[vpid] = true;
			next_id = 1 + vpid % VPIDS
		:: else
		fi
	}
}

inline flush_on(c)
{
	/* The interrupt is handled when the CPU has interrupts on. */
	atomic {
		!busy[c];
		if
		:: on[c] -> TLB(c) = EMPTY
		:: else
		fi
	}
}

inline enter_and_run(c)
{
	atomic { on[c] && !busy[c] -> busy[c] = true }

	/* flush_vpid() */
	if
	:: last[me] != c && VISITED(me, c) ->
#ifdef NO_MIGRATION_FLUSH
		skip
#elif defined(FLUSH_OLD_CPU)
		if
		:: last[me] != NOWHERE -> TLB(last[me]) = EMPTY
		:: else
		fi
#else
		TLB(c) = EMPTY
#endif
	:: else
	fi;
#ifdef OFF_KEEPS_LAST_CPU
	if
	:: last[me] != c -> visited[me] = visited[me] | (1 << c)
	:: else
	fi;
#else
	visited[me] = visited[me] | (1 << c);
#endif
	last[me] = c;

	/* The guest: uses what is there, else fills. */
	assert(TLB(c) == EMPTY || TLB(c) == STAMP);
	TLB(c) = STAMP;
	if
	:: version = 1 - version; TLB(c) = EMPTY	/* page table changed, INVLPG */
	:: skip
	fi;
	busy[c] = false
}

inline release()
{
	atomic { readers < 255; readers++ }
#ifdef EARLY_RELEASE
	owned[vpid] = false;
#endif
#ifdef NO_TEARDOWN
	skip;
#elif defined(TEARDOWN_LAST_CPU)
	if
	:: last[me] != NOWHERE -> flush_on(last[me])
	:: else
	fi;
#else
	if
	:: VISITED(me, 0) -> flush_on(0)
	:: else
	fi;
	if
	:: VISITED(me, 1) -> flush_on(1)
	:: else
	fi;
#endif
	readers--;
	owned[vpid] = false
}

active [VCPUS] proctype vcpu()
{
	byte me = _pid, vpid, entries;
	bit life = 0, version = 0;

again:
	visited[me] = 0;
	last[me] = NOWHERE;
	alloc_id();
	if
	:: vpid ->
		entries = 0;
		do
		:: entries == ENTRIES -> break
		:: entries < ENTRIES -> enter_and_run(0); entries++
		:: entries < ENTRIES -> enter_and_run(1); entries++
		:: break
		od;
		release()
	:: else		/* runs with VPIDs off: nothing is tagged */
	fi;
	if
	:: life == 0 -> life = 1; version = 0; goto again
	:: else
	fi
}

/* CPU 1 goes and comes back. */
active proctype hotplug()
{
	byte vpid;

	atomic {
		readers == 0 && !busy[1] ->
		on[1] = false;
		/* vtx_tlb_cpu_off() */
		visited[0] = visited[0] & 1;
		visited[1] = visited[1] & 1;
#ifndef OFF_KEEPS_LAST_CPU
		if
		:: last[0] == 1 -> last[0] = NOWHERE
		:: else
		fi;
		if
		:: last[1] == 1 -> last[1] = NOWHERE
		:: else
		fi
#endif
	}
	vpid = 1;
	do
	:: vpid > VPIDS -> break
	:: else -> TLB(1) = FOREIGN; vpid++
	od;
	atomic {
		/* vtx_tlb_scrub() */
		vpid = 1;
#ifndef NO_SCRUB
		do
		:: vpid > VPIDS -> break
		:: else -> TLB(1) = EMPTY; vpid++
		od;
#endif
		on[1] = true
	}
}
