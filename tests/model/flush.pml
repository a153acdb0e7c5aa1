/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An EPT entry changes while vCPUs enter: vtx_tlb_enter(), vtx_tlb_exit() and
 * vtx_tlb_ept_flush() of src/tlb/tlb.c (V5, V6).
 *
 * Two vCPUs wander over two CPUs. FLUSHERS threads change the same EPT entry;
 * each frees the page behind its old value as soon as the flush returns. A CPU
 * caches the entry at first use and may use it until INVEPT. Stores of a CPU
 * pass through a buffer, as on x86. An interrupt reaches a CPU at any time
 * after it was sent, if it has interrupts on or is in the guest.
 *
 * Proven: no guest uses a freed page, and no flusher waits for ever.
 *
 * Seeded faults, each of which must be caught: NO_BARRIER, LATE_PUBLISH,
 * NO_WAIT, EARLY_KICK, SERVED_AT_EXIT.
 */
#define CPUS		2
#define VCPUS		2
#ifndef FLUSHERS
#define FLUSHERS	1
#endif
#ifndef ENTRIES
#define ENTRIES		2
#endif
#define NONE		255

byte ept;			/* the page that the entry names */
byte next_page = 1;
bool freed[FLUSHERS + 1];
byte gen = 1;

byte flushed[CPUS];		/* struct vtx_tlb_cpu */
bool in_guest[CPUS];
chan buffer0 = [2] of { bool };	/* stores to in_guest that memory hasn't seen */
chan buffer1 = [2] of { bool };

byte cached[CPUS] = NONE;	/* the TLB */
bool taken[CPUS];		/* a vCPU thread runs here */
bool irqs_off[CPUS];
bool inside[CPUS];		/* between VM entry and VM exit */
bool leaving[CPUS];		/* an interrupt reached the guest */
bool ipi[CPUS * FLUSHERS];	/* sent and not yet handled */

#if FLUSHERS == 2
#define PENDING(c)	(ipi[c] || ipi[CPUS + c])
#define HANDLED(c)	ipi[c] = false; ipi[CPUS + c] = false
#else
#define PENDING(c)	ipi[c]
#define HANDLED(c)	ipi[c] = false
#endif
#define STORE(c, v)	if :: c == 0 -> buffer0!v :: else -> buffer1!v fi
#define BARRIER(c)	((c == 0 && empty(buffer0)) || (c == 1 && empty(buffer1)))

active proctype memory()
{
end:	do
	:: buffer0?in_guest[0]
	:: buffer1?in_guest[1]
	od
}

/* Interrupts arrive: in the guest they make it exit, in the host they are handled. */
active [CPUS] proctype interrupts()
{
	byte c = _pid - 1;
end:	do
	:: atomic { PENDING(c) && inside[c] && !leaving[c] -> leaving[c] = true }
	:: atomic { PENDING(c) && !irqs_off[c] -> HANDLED(c) }
	od
}

active [VCPUS] proctype vcpu()
{
	byte c, seen, entries = 0;

	do
	:: entries == ENTRIES -> break
	:: else ->
		entries++;
		atomic {
			if
			:: !taken[0] -> c = 0
			:: !taken[1] -> c = 1
			fi;
			taken[c] = true;
			irqs_off[c] = true
		}

		/* vtx_tlb_enter() */
#ifdef LATE_PUBLISH
		seen = gen;
#endif
		STORE(c, true);
#ifndef NO_BARRIER
		BARRIER(c);
#endif
#ifndef LATE_PUBLISH
		seen = gen;
#endif
		if
		:: flushed[c] != seen ->
			cached[c] = NONE;	/* INVEPT */
			flushed[c] = seen
		:: else
		fi;

		/* The guest: an interrupt pending by now comes before its first step. */
		inside[c] = true;
		if
		:: atomic {
			!leaving[c] ->
			if
			:: cached[c] == NONE -> cached[c] = ept
			:: else
			fi;
			assert(!freed[cached[c]])
		   }
		:: true		/* exits for reasons of its own */
		fi;
		atomic { inside[c] = false; leaving[c] = false }

		/* vtx_tlb_exit() */
#ifdef SERVED_AT_EXIT
		flushed[c] = gen;
#endif
		STORE(c, false);
		atomic { irqs_off[c] = false; taken[c] = false }
	od
}

active [FLUSHERS] proctype flusher()
{
	byte me = _pid - 1 - CPUS - VCPUS, old, c;

	atomic { old = ept; ept = next_page; next_page++ }

	/* vtx_tlb_ept_flush() */
#ifndef EARLY_KICK
	gen++;
#endif
	do
	:: atomic { c == CPUS -> c = 0; break }
	:: atomic { c < CPUS && in_guest[c] -> ipi[me * CPUS + c] = true; c++ }
	:: atomic { c < CPUS && !in_guest[c] -> c++ }
	od;
#ifndef NO_WAIT
	!ipi[me * CPUS] && !ipi[me * CPUS + 1];
#endif
#ifdef EARLY_KICK
	gen++;
#endif

	freed[old] = true
}
