// SPDX-License-Identifier: GPL-2.0
/* What tests ask the host's kernel, and what they set in it. */
#include "host.h"

#include <sched.h>

#include "vtx_test.h"

/* This thread stays there. */
void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity to CPU %d", cpu);
}

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), r;

	if (fd < 0)
		return false;
	r = write(fd, text, strlen(text));
	close(fd);
	return r == (int)strlen(text);
}

bool file_has(const char *path, const char *word)
{
	char text[2048] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return strstr(text, word);
}

/* Return: what the file begins with, 0 if it can't be read. */
long read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = 0;
	if (fd >= 0)
		close(fd);
	return atol(text);
}

/* Return: the number on the line that begins with this name, -1 if there is none. */
long named_number(const char *path, const char *name)
{
	char line[128], found[64];
	FILE *f = fopen(path, "r");
	long value, n = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld", found, &value) == 2 && !strcmp(found, name))
			n = value;
	if (f)
		fclose(f);
	return n;
}

long vmstat(const char *name)
{
	return named_number("/proc/vmstat", name);
}

/* A counter of the module's; -1: the device is KVM's, or debugfs not there. */
long vtx_count(const char *name)
{
	return on_kvm() ? -1 : named_number("/sys/kernel/debug/vtx/memory", name);
}

/* Large pages are off by default on a machine as small as the test's. */
void allow_large_pages(void)
{
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
}
