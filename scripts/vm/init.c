// SPDX-License-Identifier: GPL-2.0
/*
 * /init of the proving ground: loads the modules, runs the command on a
 * pseudo-terminal, reports everything to the host through port 0xe9 and
 * powers off. Its orders are NUL-terminated records in /orders, written by
 * scripts/run-vm:
 *
 *	size ROWS COLS		window size of the console (interactive)
 *	module PATH ARGS	kernel module, in order; refusal is an error
 *	vtx PATH ARGS		the module under test: unloaded after the command
 *	interactive		run on /dev/ttyS0
 *	arg WORD		one per word of the command
 *
 * A frame on port 0xe9 is byte 1, a type letter, four hex digits of length
 * and the payload: b booted, o/e output of the command, k one kernel log
 * record, r refused module, u vtx.ko could not be unloaded, x exit status.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PORT		0xe9
#define MAX_ARGS	1024

enum { OUT, ERR, KMSG, CHILD, SOURCES };

static char *arg[MAX_ARGS + 1];
static int args;
static bool interactive, vtx_loaded;
static struct winsize window = { .ws_row = 24, .ws_col = 80 };
static struct pollfd source[SOURCES];

static void port_write(const void *buf, size_t len)
{
	asm volatile("rep outsb" : "+S" (buf), "+c" (len)
		     : "d" (PORT) : "memory");
}

static void frame(char type, const void *buf, size_t len)
{
	char head[8];

	snprintf(head, sizeof(head), "\1%c%04x", type, (unsigned short)len);
	port_write(head, 6);
	port_write(buf, len);
}

static __attribute__((format(printf, 2, 3))) void say(char type,
						      const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	frame(type, text, len);
}

/* A kernel without the file system goes on without it. */
static void mount_at(const char *type, const char *dir)
{
	mkdir(dir, 0755);
	mount(type, dir, type, 0, NULL);
}

static void mount_all(void)
{
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("devtmpfs", "/dev");
	mount_at("devpts", "/dev/pts");
	mount_at("tmpfs", "/dev/shm");
	mount_at("tmpfs", "/tmp");
	mount_at("tmpfs", "/run");
	mount_at("debugfs", "/sys/kernel/debug");
	mount_at("tracefs", "/sys/kernel/tracing");
}

/* Passes on what a nonblocking descriptor has; false at its end. */
static bool relay(struct pollfd *p, char type)
{
	static char buf[8192];
	ssize_t n;

	for (;;) {
		n = read(p->fd, buf, sizeof(buf));
		if (n > 0)
			frame(type, buf, n);
		else if (n < 0 && (errno == EINTR || errno == EPIPE))
			continue;	/* EPIPE: kernel log overran us */
		else
			return n < 0 && errno == EAGAIN;
	}
}

static void relay_kmsg(void)
{
	relay(&source[KMSG], 'k');
}

static __attribute__((noreturn)) void power_off(void)
{
	relay_kmsg();
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void load_module(const char *key, char *line)
{
	char *path = strsep(&line, " ");
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || syscall(SYS_finit_module, fd, line ? line : "", 0)) {
		say('r', "%s: %s", path, strerror(errno));
		power_off();
	}
	close(fd);
	if (!strcmp(key, "vtx"))
		vtx_loaded = true;
}

static void set_window(const char *value)
{
	if (sscanf(value, "%hu %hu", &window.ws_row, &window.ws_col) != 2)
		window = (struct winsize){ .ws_row = 24, .ws_col = 80 };
}

static void read_orders(void)
{
	FILE *f = fopen("/orders", "re");
	char *line = NULL;
	size_t size = 0;

	while (f && getdelim(&line, &size, '\0', f) > 0) {
		char *value = line, *key = strsep(&value, " ");

		if (!strcmp(key, "size"))
			set_window(value);
		else if (!strcmp(key, "interactive"))
			interactive = true;
		else if (!strcmp(key, "module") || !strcmp(key, "vtx"))
			load_module(key, value);
		else if (!strcmp(key, "arg") && args < MAX_ARGS)
			arg[args++] = strdup(value);
	}
	free(line);
	if (f)
		fclose(f);
}

/* A raw terminal: the command's stdio is line-buffered, its bytes unchanged. */
static int open_terminal(int *child_end)
{
	struct termios raw;
	int master;

	cfmakeraw(&raw);
	if (openpty(&master, child_end, NULL, &raw, &window)) {
		say('r', "openpty: %s", strerror(errno));
		power_off();
	}
	fcntl(master, F_SETFL, O_NONBLOCK);
	fcntl(master, F_SETFD, FD_CLOEXEC);
	return master;
}

static __attribute__((noreturn)) void run_command(int in, int out, int err,
						  const sigset_t *mask)
{
	sigprocmask(SIG_SETMASK, mask, NULL);
	setsid();
	if (interactive)
		ioctl(in, TIOCSCTTY, 1);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	execvp(arg[0], arg);
	dprintf(2, "%s: %s\n", arg[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static pid_t start_command(const sigset_t *mask)
{
	int in, out, err;
	pid_t pid;

	if (interactive) {
		in = open("/dev/ttyS0", O_RDWR | O_NOCTTY | O_CLOEXEC);
		ioctl(in, TIOCSWINSZ, &window);
		out = err = in;
	} else {
		in = open("/dev/null", O_RDWR | O_CLOEXEC);
		source[OUT].fd = open_terminal(&out);
		source[ERR].fd = open_terminal(&err);
	}
	pid = fork();
	if (!pid)
		run_command(in, out, err, mask);
	close(in);
	if (!interactive) {
		close(out);
		close(err);
	}
	return pid;
}

/* Reaps children; true with the status once the command itself has ended. */
static bool command_ended(pid_t pid, int *status)
{
	struct signalfd_siginfo info;
	int st;
	pid_t p;
	bool ended = false;

	while (read(source[CHILD].fd, &info, sizeof(info)) > 0)
		;
	while ((p = waitpid(-1, &st, WNOHANG)) > 0) {
		if (p == pid) {
			*status = st;
			ended = true;
		}
	}
	return ended;
}

static int supervise(pid_t pid)
{
	int i, status = 0;

	for (;;) {
		poll(source, SOURCES, -1);
		for (i = 0; i < SOURCES; i++) {
			if (!source[i].revents)
				continue;
			if (i == CHILD) {
				if (command_ended(pid, &status))
					return status;
			} else if (!relay(&source[i], "oek"[i])) {
				source[i].fd = -1;
			}
		}
	}
}

/* Whatever the command left running must not keep vtx.ko busy. */
static void unload_vtx(void)
{
	int tries;

	if (!vtx_loaded)
		return;
	kill(-1, SIGKILL);
	for (tries = 0; tries < 20; tries++) {
		if (!syscall(SYS_delete_module, "vtx", O_NONBLOCK) ||
		    errno == ENOENT)
			return;
		usleep(10000);
	}
	say('u', "%s", strerror(errno));
}

int main(void)
{
	sigset_t mask, old;
	int status;

	mount_all();
	if (ioperm(PORT, 1, 1))
		power_off();
	for (int i = 0; i < SOURCES; i++)
		source[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	source[KMSG].fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	frame('b', "", 0);

	setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", interactive ? "linux" : "dumb", 1);
	chdir("/root");
	read_orders();
	relay_kmsg();

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &old);
	source[CHILD].fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	frame('c', "", 0);
	status = supervise(start_command(&old));
	relay(&source[OUT], 'o');
	relay(&source[ERR], 'e');
	unload_vtx();
	relay_kmsg();
	if (WIFSIGNALED(status))
		say('x', "%d %s", 128 + WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		say('x', "%d", WEXITSTATUS(status));
	power_off();
}
