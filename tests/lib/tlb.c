// SPDX-License-Identifier: GPL-2.0
/* The module's counters, and vCPUs on chosen CPUs. */
#include "tlb.h"

#include "host.h"

static int report(int fd, unsigned long number, void *buf, uint32_t size)
{
	struct vtx_report r = { .size = size, .addr = (uintptr_t)buf };

	return ioctl(fd, number, &r);
}

struct vtx_info info(int fd)
{
	struct vtx_info i;

	if (report(fd, VTX_GET_INFO, &i, sizeof(i)))
		die("VTX_GET_INFO");
	return i;
}

struct vtx_tlb_stats stats(int fd)
{
	struct vtx_tlb_stats s;

	if (report(fd, VTX_GET_TLB_STATS, &s, sizeof(s)))
		die("VTX_GET_TLB_STATS");
	return s;
}

/* What happened between two looks. */
struct vtx_tlb_stats since(struct vtx_tlb_stats before, struct vtx_tlb_stats after)
{
	__u64 *a = (__u64 *)&after, *b = (__u64 *)&before;

	for (size_t i = 0; i < sizeof(after) / sizeof(*a); i++)
		a[i] -= b[i];
	return after;
}

uint64_t flushes(const struct vtx_tlb_stats *s)
{
	uint64_t n = 0;

	for (int op = 0; op < VTX_TLB_NR_OPS; op++)
		for (int cause = 0; cause < VTX_TLB_NR_CAUSES; cause++)
			n += s->flush[op][cause];
	return n;
}

uint64_t invepts(const struct vtx_tlb_stats *s, enum vtx_tlb_cause cause)
{
	return s->flush[VTX_TLB_INVEPT_SINGLE][cause] + s->flush[VTX_TLB_INVEPT_ALL][cause];
}

/* 0, or -1 with errno if the file does not take the text. */
int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), n;

	if (fd < 0)
		die("%s", path);
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

/* Timer ticks end no run; the signal that stop_spinner() sends does. */
static void *spin(void *arg)
{
	struct spinner *s = arg;

	on_cpu(s->cpu);
	while (!s->stop)
		if (vm_run(s->m) != -EINTR)
			break;
	return NULL;
}

static void nothing(int sig) { }

/* Returns once the guest has entered: the VM's counters tell. */
void start_spinner(struct spinner *s, struct vm *m, int cpu)
{
	struct sigaction act = { .sa_handler = nothing };
	struct vtx_tlb_stats st;

	s->m = m;
	s->cpu = cpu;
	s->stop = false;
	sigaction(SIGUSR1, &act, NULL);
	vm_start_spin(m);
	if (pthread_create(&s->thread, NULL, spin, s))
		die("pthread_create");
	do {
		usleep(1000);
		st = stats(m->cpu);
	} while (!flushes(&st));
	usleep(20000);
}

void stop_spinner(struct spinner *s)
{
	s->stop = true;
	s->m->run->immediate_exit = 1;
	pthread_kill(s->thread, SIGUSR1);
	pthread_join(s->thread, NULL);
	s->m->run->immediate_exit = 0;
}
