// SPDX-License-Identifier: GPL-2.0
/*
 * demo - three machines that compute something worth seeing, in 16, 32 and 64
 * bits, and print it through port 0x3f8. Usage: demo [DEVICE].
 */
#include "lib/vtx_test.h"

#define PORT_TEXT 0x3f8

extern const uint8_t guest_demo_primes[], guest_demo_primes_end[];
extern const uint8_t guest_demo_mandelbrot[], guest_demo_mandelbrot_end[];
extern const uint8_t guest_demo_torus[], guest_demo_torus_end[];

static const struct {
	enum mode mode;
	const char *title;
	const uint8_t *start, *end;
} guests[] = {
	{ MODE_REAL, "16-bit real mode: the primes below 500, by sieve",
	  guest_demo_primes, guest_demo_primes_end },
	{ MODE_PAGED, "32-bit protected mode, paging: the Mandelbrot set, in fixed point",
	  guest_demo_mandelbrot, guest_demo_mandelbrot_end },
	{ MODE_LONG, "64-bit long mode, SSE: a torus, by ray marching",
	  guest_demo_torus, guest_demo_torus_end },
};

struct exits {
	unsigned int io, hlt;
	size_t bytes;
};

/* Runs the guest until it halts, showing what it prints. */
static void show(struct vm *m, struct exits *exits)
{
	for (;;) {
		int ret = vm_run(m);
		size_t len = (size_t)m->run->io.size * m->run->io.count;

		if (ret) {
			errno = -ret;
			die("KVM_RUN");
		}
		if (m->run->exit_reason == KVM_EXIT_HLT)
			break;
		if (m->run->exit_reason != KVM_EXIT_IO || m->run->io.port != PORT_TEXT) {
			vm_dump(m);
			die("the guest did what it should not");
		}
		fwrite(vm_io_data(m), 1, len, stdout);
		exits->io++;
		exits->bytes += len;
	}
	exits->hlt++;
}

int main(int argc, char **argv)
{
	struct exits exits = { 0 };

	if (argc > 1)
		setenv("VTX_DEV", argv[1], 1);
	for (unsigned int i = 0; i < sizeof(guests) / sizeof(guests[0]); i++) {
		struct vm m;

		vm_create(&m);
		vm_load(&m, CODE, guests[i].start, guests[i].end);
		vm_enter(&m, guests[i].mode, 0);
		printf("-- %s\n\n", guests[i].title);
		show(&m, &exits);
		printf("\n");
		vm_destroy(&m);
	}
	printf("-- %s: 3 machines, %u exits for port I/O carrying %zu bytes, %u for HLT\n",
	       device_path(), exits.io, exits.bytes, exits.hlt);
	return 0;
}
