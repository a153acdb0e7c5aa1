/* SPDX-License-Identifier: GPL-2.0 */
/* host.h - what tests ask the host's kernel, and what they set in it. */
#ifndef _HOST_H
#define _HOST_H

#include <stdbool.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define nr_cpus() ((int)sysconf(_SC_NPROCESSORS_ONLN))

void on_cpu(int cpu);
bool write_file(const char *path, const char *text);
bool file_has(const char *path, const char *word);
long read_number(const char *path);
long named_number(const char *path, const char *name);
long vmstat(const char *name);
long vtx_count(const char *name);
void allow_large_pages(void);

#endif
