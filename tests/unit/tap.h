/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test results as TAP, as the kernel's kselftest.h prints them, and the one
 * random number generator of the unit tests.
 */
#ifndef _UNIT_TAP_H
#define _UNIT_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned int tap_count, tap_failures;

/* One result line; its diagnosis goes before it, as lines starting with '#'. */
__attribute__((format(printf, 2, 3)))
static inline bool tap_ok(bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("%sok %u ", ok ? "" : "not ", ++tap_count);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
	tap_failures += !ok;
	return ok;
}

/* The plan, behind the results, and the exit status. */
static inline int tap_finish(void)
{
	printf("1..%u\n", tap_count);
	return tap_failures || !tap_count;
}

/* An environment variable as a number, for seeds and iteration counts. */
static inline unsigned long env_number(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

/* SplitMix64: the same sequence everywhere for the same seed. */
static inline unsigned long next_random(unsigned long *state)
{
	unsigned long z = *state += 0x9e3779b97f4a7c15UL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
	return z ^ (z >> 31);
}

#endif /* _UNIT_TAP_H */
