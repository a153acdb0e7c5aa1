// SPDX-License-Identifier: GPL-2.0
/* The pool of VPIDs by itself: sizes, exhaustion, reuse, misuse. */
#include <stdarg.h>

#include "shim.h"
#include "tlb/vpid.h"

static int tests, warnings;
static bool failed;

#define CHECK(c) do {							\
	if (!(c)) {							\
		printf("# %s:%d: not so: %s\n", __func__, __LINE__, #c); \
		failed = true;						\
	}								\
} while (0)

/* What the shim asks of its user. */
int machine_cpu;

void machine_warn(const char *what)
{
	warnings++;
}

void machine_printk(const char *fmt, ...) { }

void spin_lock(spinlock_t *lock)
{
	CHECK(!lock->held);
	lock->held = true;
}

void spin_unlock(spinlock_t *lock)
{
	CHECK(lock->held);
	lock->held = false;
}

static struct vtx_vpid_stats stats(void)
{
	struct vtx_vpid_stats s;

	vtx_vpid_stats(&s);
	return s;
}

static void setup_sizes(void)
{
	CHECK(vtx_vpid_setup(65536) == -EINVAL);
	CHECK(!vtx_vpid_setup(65535));
	CHECK(stats().nr_ids == 65535);
	CHECK(!vtx_vpid_setup(1));
	CHECK(stats().nr_ids == 1);
}

static void setup_is_refused_in_use(void)
{
	u16 id;

	CHECK(!vtx_vpid_setup(2));
	id = vtx_vpid_alloc();
	CHECK(vtx_vpid_setup(4) == -EBUSY);
	CHECK(stats().nr_ids == 2);
	vtx_vpid_free(id);
	CHECK(!vtx_vpid_setup(4));
}

static void off_gives_zero_and_counts_nothing(void)
{
	CHECK(!vtx_vpid_setup(0));
	CHECK(!vtx_vpid_alloc());
	CHECK(!stats().exhausted);
	CHECK(!stats().in_use);
}

static void zero_is_never_handed_out_and_free_of_it_is_nothing(void)
{
	int i;

	CHECK(!vtx_vpid_setup(3));
	for (i = 0; i < 20; i++) {
		u16 id = vtx_vpid_alloc();

		CHECK(id >= 1 && id <= 3);
		vtx_vpid_free(id);
	}
	vtx_vpid_free(0);
	CHECK(!warnings);
	CHECK(!stats().in_use);
}

/* All 65,535, each once; then none; then the freed ones again. */
static void whole_pool(void)
{
	static bool seen[65536];
	unsigned int i;
	u16 id;

	CHECK(!vtx_vpid_setup(65535));
	for (i = 0; i < 65535; i++) {
		id = vtx_vpid_alloc();
		CHECK(id && !seen[id]);
		seen[id] = true;
		if (failed)
			return;
	}
	CHECK(!vtx_vpid_alloc());
	CHECK(stats().exhausted == 1);
	CHECK(stats().in_use == 65535 && stats().peak == 65535);
	vtx_vpid_free(40000);
	CHECK(vtx_vpid_alloc() == 40000);
	CHECK(!vtx_vpid_alloc());
	CHECK(stats().exhausted == 2);
	for (i = 1; i <= 65535; i++)
		vtx_vpid_free(i);
	CHECK(!stats().in_use && stats().peak == 65535);
	CHECK(!warnings);
}

/* A freed id comes back after all others had their turn. */
static void freed_id_rests(void)
{
	u16 id, i;

	CHECK(!vtx_vpid_setup(100));
	id = vtx_vpid_alloc();
	vtx_vpid_free(id);
	for (i = 0; i < 99; i++) {
		u16 other = vtx_vpid_alloc();

		CHECK(other != id);
		vtx_vpid_free(other);
	}
	CHECK(vtx_vpid_alloc() == id);
	vtx_vpid_free(id);
}

/* 200,000 lives, at most 7 at once: nothing leaks. */
static void storm(void)
{
	u16 held[7] = { 0 };
	unsigned int i;

	CHECK(!vtx_vpid_setup(4));
	for (i = 0; i < 200000; i++) {
		u16 *slot = &held[i * 2654435761u >> 16 & 7 ? i % 7 : 0];

		vtx_vpid_free(*slot);
		*slot = vtx_vpid_alloc();
	}
	for (i = 0; i < 7; i++)
		vtx_vpid_free(held[i]);
	CHECK(!stats().in_use && stats().peak == 4 && stats().exhausted);
	CHECK(!warnings);
}

static void second_free_warns_and_changes_nothing(void)
{
	u16 id;

	CHECK(!vtx_vpid_setup(4));
	id = vtx_vpid_alloc();
	vtx_vpid_free(id);
	vtx_vpid_free(id);
	CHECK(warnings == 1);
	CHECK(!stats().in_use);
	warnings = 0;
}

static void retired_id_is_never_handed_out(void)
{
	u16 id;
	int i;

	CHECK(!vtx_vpid_setup(2));
	id = vtx_vpid_alloc();
	vtx_vpid_retire(id);
	for (i = 0; i < 10; i++) {
		u16 other = vtx_vpid_alloc();

		CHECK(other && other != id);
		vtx_vpid_free(other);
	}
	CHECK(stats().retired == 1 && stats().in_use == 1);
	vtx_vpid_free(id);
}

#define RUN(test) do {							\
	failed = false;							\
	test();								\
	printf("%sok %d vpid: %s\n", failed ? "not " : "", ++tests, #test); \
	bad |= failed;							\
} while (0)

int main(void)
{
	bool bad = false;

	RUN(setup_sizes);
	RUN(setup_is_refused_in_use);
	RUN(off_gives_zero_and_counts_nothing);
	RUN(zero_is_never_handed_out_and_free_of_it_is_nothing);
	RUN(whole_pool);
	RUN(freed_id_rests);
	RUN(storm);
	RUN(second_free_warns_and_changes_nothing);
	RUN(retired_id_is_never_handed_out);
	printf("1..%d\n", tests);
	return bad;
}
