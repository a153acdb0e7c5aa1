// SPDX-License-Identifier: GPL-2.0
/*
 * A guest in an endless loop on each CPU, until somebody kills it or the machine
 * goes down (scripts/check-vm's lanes that end the machine).
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/vtx_test.h"

static void *spin(void *arg)
{
	struct vm m;

	on_cpu((long)arg);
	vm_create(&m);
	vm_start_spin(&m);
	for (;;)
		vm_run(&m);
	return NULL;
}

int main(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;

	for (long i = 0; i < cpus; i++)
		if (pthread_create(&thread, NULL, spin, (void *)i))
			die("no thread");
	pause();
	return 0;
}
