// SPDX-License-Identifier: GPL-2.0
/* Processors with a tagged TLB that never forgets: see tlb_hw.h. */
#include "tlb_hw.h"

#include <stdarg.h>

#include "shim.h"
#include "vmx/root.h"

struct hw hw HW_STATE;
unsigned int nr_cpu_ids HW_STATE = 1;

__attribute__((weak)) void print_history(void) { }

void violation(const char *name, const char *fmt, ...)
{
	va_list ap;

	printf("# VIOLATION %s: ", name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	print_history();
	printf("not ok 1 %s\n1..1\n", name);
	exit(1);
}

void machine_warn(const char *what)
{
	violation("WARN", "%s", what);
}

__attribute__((weak)) void machine_point(void) { }

void machine_printk(const char *fmt, ...) { }

/* Memory: slots, so that a snapshot of the section is a snapshot of the heap. */
#define SLOTS	8
static struct { _Alignas(64) char mem[64 * HW_CPUS]; bool used; } slot[SLOTS] HW_STATE;
static int alloc_fails HW_STATE;

void machine_fail_alloc(bool on)
{
	alloc_fails = on;
}

void *machine_alloc(size_t size)
{
	int i;

	if (alloc_fails || size > sizeof(slot[0].mem))
		return NULL;
	for (i = 0; i < SLOTS; i++) {
		if (slot[i].used)
			continue;
		slot[i].used = true;
		memset(slot[i].mem, 0, sizeof(slot[i].mem));
		return slot[i].mem;
	}
	return NULL;
}

void machine_free(void *p)
{
	int i;

	for (i = 0; i < SLOTS; i++) {
		if (slot[i].mem != p)
			continue;
		if (!slot[i].used)
			violation("MEM", "freed twice");
		slot[i].used = false;
		return;
	}
	if (p)
		violation("MEM", "free of what was not allocated");
}

bool zalloc_cpumask_var(cpumask_var_t *mask, int gfp)
{
	(*mask)->bits = 0;
	return !alloc_fails;
}

void free_cpumask_var(cpumask_var_t mask) { }

/* Interrupts and locks of the current CPU. */
unsigned long machine_irq_save(void)
{
	unsigned long was = hw.cpu[machine_cpu].irqs_off;

	hw.cpu[machine_cpu].irqs_off = true;
	return was;
}

void machine_irq_restore(unsigned long flags)
{
	hw.cpu[machine_cpu].irqs_off = flags;
}

void spin_lock(spinlock_t *lock)
{
	if (lock->held)
		violation("LOCK", "spinlock taken twice");
	lock->held = true;
}

void spin_unlock(spinlock_t *lock)
{
	if (!lock->held)
		violation("LOCK", "spinlock not held");
	lock->held = false;
}

/* The TLB. */
void hw_log_clear(void)
{
	hw.invvpid_cpus = hw.invept_cpus = 0;
	hw.invvpids = hw.invepts = 0;
	hw.invvpid_type = hw.invept_type = 0;
}

struct hw_entry *hw_find(int cpu, u8 kind, u8 vpid, u8 pcid, u8 root, u8 addr)
{
	struct hw_cpu *c = &hw.cpu[cpu];
	struct hw_entry *e;

	for (e = c->tlb; e < c->tlb + c->entries; e++)
		if (e->kind == kind && e->vpid == vpid && e->pcid == pcid &&
		    e->root == root && e->addr == addr)
			return e;
	return NULL;
}

void hw_fill(int cpu, struct hw_entry e)
{
	struct hw_cpu *c = &hw.cpu[cpu];

	if (hw_find(cpu, e.kind, e.vpid, e.pcid, e.root, e.addr))
		return;
	if (c->entries == HW_ENTRIES)
		violation("MODEL", "the TLB is too small");
	c->tlb[c->entries++] = e;
}

void hw_drop(int cpu, bool (*match)(const struct hw_entry *e, const struct hw_entry *key),
	     struct hw_entry key)
{
	struct hw_cpu *c = &hw.cpu[cpu];
	int i = 0;

	while (i < c->entries) {
		if (match(&c->tlb[i], &key))
			c->tlb[i] = c->tlb[--c->entries];
		else
			i++;
	}
}

static bool of_vpid(const struct hw_entry *e, const struct hw_entry *key)
{
	return e->kind != HW_GPHYS && e->vpid == key->vpid;
}

static bool of_any_vpid(const struct hw_entry *e, const struct hw_entry *key)
{
	return e->kind != HW_GPHYS && e->vpid;
}

static bool of_root(const struct hw_entry *e, const struct hw_entry *key)
{
	return e->kind != HW_LINEAR && e->root == key->root;
}

static bool of_any_root(const struct hw_entry *e, const struct hw_entry *key)
{
	return e->kind != HW_LINEAR;
}

static bool of_vpid_not_global(const struct hw_entry *e, const struct hw_entry *key)
{
	return of_vpid(e, key) && !e->global;
}

static bool of_pcid(const struct hw_entry *e, const struct hw_entry *key)
{
	return of_vpid_not_global(e, key) && e->pcid == key->pcid;
}

/* A global entry serves all PCIDs, and goes whatever the current one is. */
static bool of_page(const struct hw_entry *e, const struct hw_entry *key)
{
	return of_vpid(e, key) && e->addr == key->addr && (e->global || e->pcid == key->pcid);
}

static bool of_gpa(const struct hw_entry *e, const struct hw_entry *key)
{
	return e->kind == HW_GPHYS && e->root == key->root && e->addr == key->addr;
}

/* VM entry and VM exit: with VPIDs off they drop what VPID 0 has. */
void hw_transition(int cpu, u8 vpid)
{
	if (!vpid)
		hw_drop(cpu, of_vpid, (struct hw_entry){ .vpid = 0 });
}

void hw_invlpg(int cpu, u8 vpid, u8 pcid, u8 addr)
{
	hw_drop(cpu, of_page, (struct hw_entry){ .vpid = vpid, .pcid = pcid, .addr = addr });
}

void hw_mov_cr3(int cpu, u8 vpid, u8 pcid)
{
	hw_drop(cpu, of_pcid, (struct hw_entry){ .vpid = vpid, .pcid = pcid });
}

/* An EPT violation drops the mappings that led to it: @addr and @gpa. */
void hw_ept_violation(int cpu, u8 vpid, u8 pcid, u8 root, u8 gpa, u8 addr)
{
	hw_drop(cpu, of_gpa, (struct hw_entry){ .root = root, .addr = gpa });
	hw_drop(cpu, of_page, (struct hw_entry){ .vpid = vpid, .pcid = pcid, .addr = addr });
}

bool vtx_root_cpu_on(int cpu)
{
	return hw.cpu[cpu].vmx;
}

/* Returns true if the instruction was told to fail. */
static bool check_context(const char *insn)
{
	struct hw_cpu *c = &hw.cpu[machine_cpu];

	machine_point();
	if (!c->vmx)
		violation("V7", "%s on CPU %d outside VMX operation: #UD", insn, machine_cpu);
	if (!c->irqs_off)
		violation("V7", "%s on CPU %d with interrupts on", insn, machine_cpu);
	return hw.fail_in && !--hw.fail_in;
}

int vtx_root_invvpid(unsigned long type, u16 vpid, u64 gla)
{
	bool fail = check_context("INVVPID");

	if (!(hw.cap >> 32 & 1) || type > 3 || !(hw.cap >> (40 + type) & 1))
		violation("V7", "INVVPID type %lu is not supported", type);
	if (type != 2 && !vpid)
		violation("V1", "INVVPID type %lu for VPID 0", type);

	hw.invvpids++;
	hw.invvpid_cpus |= 1u << machine_cpu;
	hw.invvpid_type = type;
	hw.executed[0][type]++;
	if (fail)
		return -EIO;
	if (type == 1)
		hw_drop(machine_cpu, of_vpid, (struct hw_entry){ .vpid = vpid });
	else if (type == 2)
		hw_drop(machine_cpu, of_any_vpid, (struct hw_entry){ });
	else if (type == 3)
		hw_drop(machine_cpu, of_vpid_not_global, (struct hw_entry){ .vpid = vpid });
	else
		violation("V7", "INVVPID type %lu is no use here", type);
	return 0;
}

int vtx_root_invept(unsigned long type, u64 eptp)
{
	bool fail = check_context("INVEPT");

	if (!(hw.cap >> 20 & 1) || (type != 1 && type != 2) || !(hw.cap >> (24 + type) & 1))
		violation("V7", "INVEPT type %lu is not supported", type);
	if (type == 1 && (eptp & 0xfff) != (HW_EPTP(0) & 0xfff))
		violation("V7", "INVEPT with EPTP %#llx", (unsigned long long)eptp);

	hw.invepts++;
	hw.invept_cpus |= 1u << machine_cpu;
	hw.invept_type = type;
	hw.executed[1][type]++;
	if (fail)
		return -EIO;
	if (type == 1)
		hw_drop(machine_cpu, of_root, (struct hw_entry){ .root = (eptp >> 12) - 1 });
	else
		hw_drop(machine_cpu, of_any_root, (struct hw_entry){ });
	return 0;
}
