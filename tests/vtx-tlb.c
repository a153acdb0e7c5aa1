// SPDX-License-Identifier: GPL-2.0
/*
 * vtx-tlb - what happened to the TLB: the counters of vtx, of one of its VMs,
 * or of a command while it ran.
 *
 *   vtx-tlb              the system's counters, and what is in use
 *   vtx-tlb -p PID       of the VMs and vCPUs of a running process (root)
 *   vtx-tlb CMD ARGS...  what CMD added to the system's counters
 *
 * Needs VTX_DEV (default /dev/vtx) and CAP_SYS_ADMIN; -p needs Linux 5.6.
 * Exit codes: 0, CMD's own, 1 something failed, 2 usage.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uapi/vtx.h"

#define NAME(symbol, name) name,
static const char * const policies[] = { VTX_TLB_POLICIES(NAME) };
static const char * const ops[] = { VTX_TLB_OPS(NAME) };
static const char * const causes[] = { VTX_TLB_CAUSES(NAME) };
static const char * const avoided[] = { VTX_TLB_AVOIDED(NAME) };
static const char * const events[] = { VTX_TLB_EVENTS(NAME) };

static void usage(FILE *to)
{
	fputs("usage: vtx-tlb [-p PID | CMD ARGS...]\n"
	      "Tells which TLB invalidations vtx executed, why, and which it avoided:\n"
	      "by all VMs since the module was loaded, by the VMs of process PID, or\n"
	      "while CMD ran.\n", to);
}

static void die(const char *what)
{
	fprintf(stderr, "vtx-tlb: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int get(int fd, unsigned long number, void *buf, uint32_t size)
{
	struct vtx_report r = { .size = size, .addr = (uintptr_t)buf };

	return ioctl(fd, number, &r);
}

static struct vtx_tlb_stats stats(int fd)
{
	struct vtx_tlb_stats s;

	if (get(fd, VTX_GET_TLB_STATS, &s, sizeof(s)))
		die("VTX_GET_TLB_STATS");
	return s;
}

static void line(const char *what, const char *why, unsigned long long n)
{
	if (n)
		printf("%12llu  %-15s %s\n", n, what, why);
}

static void show_stats(const struct vtx_tlb_stats *s)
{
	for (int i = 0; i < VTX_TLB_NR_OPS; i++)
		for (int j = 0; j < VTX_TLB_NR_CAUSES; j++)
			line(ops[i], causes[j], s->flush[i][j]);
	for (int i = 0; i < VTX_TLB_NR_AVOIDED; i++)
		line("avoided", avoided[i], s->avoided[i]);
	for (int i = 0; i < VTX_TLB_NR_EVENTS; i++)
		line("event", events[i], s->event[i]);
}

static void show_info(int fd)
{
	struct vtx_tlb_stats s = stats(fd);
	struct vtx_info i;

	if (get(fd, VTX_GET_INFO, &i, sizeof(i)))
		die("VTX_GET_INFO");
	printf("INVEPT type %u%s", i.invept_type,
	       i.flags & VTX_INFO_INVEPT_WIDE ? " (fallback)" : "");
	if (i.flags & VTX_INFO_VPID)
		printf(", INVVPID type %u%s, %u VPIDs: %llu in use, %llu at most, %llu exhaustions, %llu retired\n",
		       i.invvpid_type, i.flags & VTX_INFO_INVVPID_WIDE ? " (fallback)" : "",
		       i.vpids, (unsigned long long)s.vpids_in_use,
		       (unsigned long long)s.vpids_peak, (unsigned long long)s.vpids_exhausted,
		       (unsigned long long)s.vpids_retired);
	else
		printf(", VPIDs off\n");
	printf("policy %s\n", i.policy < VTX_TLB_NR_POLICIES ? policies[i.policy] : "?");
}

static int open_device(void)
{
	const char *path = getenv("VTX_DEV") ?: "/dev/vtx";
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

/* Our own copy of each VM and vCPU fd that the process has. */
static int show_process(pid_t pid)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), found = 0;
	char path[64], target[64];
	struct dirent *entry;
	DIR *dir;

	if (pidfd < 0)
		die("pidfd_open");
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		die(path);
	while ((entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		struct vtx_tlb_stats s;
		struct vtx_info i;
		int fd;

		if (n < 0)
			continue;
		target[n] = 0;
		if (!strstr(target, "kvm-vm") && !strstr(target, "kvm-vcpu") &&
		    !strstr(target, "vtx"))
			continue;
		fd = syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0);
		if (fd < 0)
			die("pidfd_getfd");
		/* The system's own fd has no counters of this process. */
		if (strstr(target, "anon_inode") && !get(fd, VTX_GET_INFO, &i, sizeof(i))) {
			s = stats(fd);
			printf("fd %s, %s", entry->d_name, target);
			if (i.vpid)
				printf(", VPID %u", i.vpid);
			printf(":\n");
			show_stats(&s);
			found++;
		}
		close(fd);
	}
	closedir(dir);
	if (!found)
		fprintf(stderr, "vtx-tlb: process %d has no VM of vtx\n", pid);
	return !found;
}

/* What the system's counters gained while the command ran. */
static int show_command(char **argv)
{
	int fd = open_device(), status;
	struct vtx_tlb_stats before = stats(fd), after;
	__u64 *a = (__u64 *)&after, *b = (__u64 *)&before;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		execvp(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(pid, &status, 0) < 0)
		die("waitpid");
	after = stats(fd);
	for (size_t i = 0; i < sizeof(after) / sizeof(*a); i++)
		a[i] -= b[i];
	show_info(fd);
	show_stats(&after);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct vtx_tlb_stats s;
	pid_t pid = 0;
	int opt, fd;

	while ((opt = getopt(argc, argv, "+hp:")) != -1) {
		switch (opt) {
		case 'h':
			usage(stdout);
			return 0;
		case 'p':
			pid = atoi(optarg);
			break;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (pid)
		return show_process(pid);
	if (argv[optind])
		return show_command(argv + optind);
	fd = open_device();
	s = stats(fd);
	show_info(fd);
	show_stats(&s);
	return 0;
}
