// SPDX-License-Identifier: GPL-2.0
/*
 * bench - what exits and other operations cost, on any device that speaks the
 * KVM ABI.
 *
 * Usage: bench DEVICE [OPERATION...]. Prints "name cost", one operation a line,
 * "-" as the cost where the device does not have it. Costs are differences of
 * the time-stamp counter: cycles on a processor, instructions in Bochs with one
 * CPU. "migrate" is run only when named; it needs two CPUs.
 */
#include <sys/io.h>

#include "bench.h"

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of an interrupt in the middle of some samples it shows nothing. */
long median(uint64_t *sample, int n)
{
	qsort(sample, n, sizeof(*sample), compare);
	return sample[n / 2];
}

/* What now() twice costs. */
uint64_t clock_overhead(void)
{
	uint64_t sample[COUNT];

	for (int i = 0; i < COUNT; i++) {
		uint64_t start = now();

		sample[i] = now() - start;
	}
	return median(sample, COUNT);
}

void bench_print(const char *name, long value)
{
	if (value == UNSUPPORTED)
		printf("%s -\n", name);
	else
		printf("%s %ld\n", name, value);
	fflush(stdout);
}

bool bench_wanted(const char *name, const char *only)
{
	return !only || !strcmp(name, only);
}

static void run(const char *only)
{
	bench_guest(only);
	bench_policies(only);
	bench_faults(only);
	bench_host(only);
}

int main(int argc, char **argv)
{
	if (argc < 2 || argv[1][0] == '-') {
		fprintf(stderr, "usage: bench DEVICE [OPERATION...]\n");
		return 2;
	}
	setenv("VTX_DEV", argv[1], 1);
	/* An I/O bitmap, which init may have left us, costs at every return to user mode. */
	ioperm(0xe9, 1, 0);
	if (argc == 2)
		run(NULL);
	for (int i = 2; i < argc; i++)
		run(argv[i]);
	return 0;
}
