// SPDX-License-Identifier: GPL-2.0
/*
 * What a slot is backed with: memory that the guest, the process or a seal must
 * not write to, and pages that belong to a file on a disk. Two vCPUs each.
 */
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "kselftest_harness.h"
#include "lib/race.h"

/* A file of the region's size in memory, as fill() leaves memory. */
static int new_memfd(int seals)
{
	int fd = memfd_create("backing_test", MFD_ALLOW_SEALING);
	uint8_t *p;

	if (fd < 0 || ftruncate(fd, SIZE))
		die("memfd");
	p = map_at(NULL, SIZE, 0, fd);
	fill(p, 0);
	munmap(p, SIZE);
	if (seals && fcntl(fd, F_ADD_SEALS, seals))
		die("F_ADD_SEALS");
	return fd;
}

/* The same file, which can't be written to through this descriptor. */
static int open_read_only(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		die("open %s", path);
	return fd;
}

/* M13: slots with KVM_MEM_READONLY, over what can be written to and what can't. */
FIXTURE(rom) {
	struct vm m;
	uint8_t *mem;
};

FIXTURE_VARIANT(rom) {
	int prot;
	bool file, sealed;
};

FIXTURE_VARIANT_ADD(rom, anonymous) {
	.prot = PROT_READ | PROT_WRITE,
};

FIXTURE_VARIANT_ADD(rom, anonymous_protected) {
	.prot = PROT_READ,
};

FIXTURE_VARIANT_ADD(rom, memfd) {
	.prot = PROT_READ | PROT_WRITE, .file = true,
};

FIXTURE_VARIANT_ADD(rom, memfd_read_only) {
	.prot = PROT_READ, .file = true,
};

FIXTURE_VARIANT_ADD(rom, memfd_sealed) {
	.prot = PROT_READ, .file = true, .sealed = true,
};

FIXTURE_SETUP(rom)
{
	struct kvm_userspace_memory_region region = {
		.slot = 1, .flags = KVM_MEM_READONLY, .guest_phys_addr = BASE,
		.memory_size = SIZE,
	};
	int fd;

	vm_create(&self->m);
	self->mem = map_aligned(SIZE);
	if (variant->file) {
		fd = new_memfd(variant->sealed ? F_SEAL_WRITE : 0);
		if (variant->prot == PROT_READ && !variant->sealed)
			fd = open_read_only(fd);
		ASSERT_EQ(self->mem, mmap(self->mem, SIZE, variant->prot, MAP_SHARED | MAP_FIXED,
					  fd, 0));
	} else {
		madvise(self->mem, SIZE, MADV_NOHUGEPAGE);
		fill(self->mem, 0);
		ASSERT_EQ(0, mprotect(self->mem, SIZE, variant->prot));
	}
	region.userspace_addr = (uintptr_t)self->mem;
	ASSERT_EQ(0, ioctl(self->m.fd, KVM_SET_USER_MEMORY_REGION, &region));
}

FIXTURE_TEARDOWN(rom)
{
	vm_destroy(&self->m);
}

/* Each vCPU writes to each page in each pass; all of it exits. */
TEST_F(rom, can_be_read_and_writes_exit)
{
	long around = vtx_count("mapped_around");
	struct runner r[RACERS];
	unsigned int i;

	start_race(&self->m, r, READ_ONLY | (variant->file ? 0 : ZERO_OK));
	EXPECT_TRUE(wait_passes(&self->m, r, 1));
	for (i = 0; i < 12 && !r[0].done && !r[1].done; i++) {
		madvise(self->mem + i % 4 * (SIZE / 4), SIZE / 4, MADV_DONTNEED);
		usleep(2000);
		if (variant->file)
			continue;
		mprotect(self->mem, SIZE, PROT_READ | PROT_WRITE);
		fill(self->mem, 0);
		mprotect(self->mem, SIZE, variant->prot);
	}
	STOP_RACE(&self->m, r, "MADV_DONTNEED", i);
	for (i = 0; i < RACERS; i++)
		EXPECT_EQ(passes(&self->m, i) * PAGES, r[i].accesses);
	for (uint64_t p = 0; p < PAGES; p++) {
		const uint64_t *page = (const uint64_t *)(self->mem + p * PAGE);

		EXPECT_EQ(MAGIC + p, page[0]);
		EXPECT_EQ(0, page[1] | page[2]);
	}
	if (around >= 0)
		EXPECT_LT(around + PAGES / 2, vtx_count("mapped_around"));
}

REGION_FIXTURE(backing)

/* M11: a slot that the guest may write to makes nobody's file writable. */
TEST_F(backing, sealed_memfd_can_be_read_only)
{
	int fd = new_memfd(F_SEAL_WRITE);
	struct runner r[RACERS];
	struct kvm_regs regs;

	ASSERT_EQ(self->mem, mmap(self->mem, SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	start_race(&self->m, r, 0);
	for (int i = 0; i < 10; i++) {
		madvise(self->mem, SIZE / 2, MADV_DONTNEED);
		usleep(2000);
	}
	STOP_RACE(&self->m, r, "MADV_DONTNEED", 10);
	for (uint64_t p = 0; p < PAGES; p += 37) {
		regs = (struct kvm_regs){ .rip = CODE, .rflags = 2, .rbx = BASE + p * PAGE,
					  .rax = 1 };
		vm_start(&self->m, MODE_LONG, poke64);
		vm_set_regs(&self->m, &regs);
		EXPECT_EQ(-EFAULT, vm_run(&self->m));
		EXPECT_EQ(MAGIC + p, *(uint64_t *)(self->mem + p * PAGE));
	}
}

/* Writes go to a copy that is the process's own. */
TEST_F(backing, sealed_memfd_can_be_mapped_privately)
{
	int fd = new_memfd(F_SEAL_WRITE);
	uint64_t word[3];

	ASSERT_EQ(self->mem, mmap(self->mem, SIZE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_FIXED, fd, 0));
	RACE(WRITES, 1, "run", EXPECT_TRUE(wait_passes(&self->m, _r, 2)));
	for (uint64_t p = 0; p < PAGES; p++) {
		ASSERT_EQ(sizeof(word), pread(fd, word, sizeof(word), p * PAGE));
		EXPECT_EQ(MAGIC + p, word[0]);
		EXPECT_EQ(0, word[1] | word[2]);
	}
}

/* A disk of its own for this test, in memory. Return: it can be had. */
static bool make_disk(char *disk, size_t size, int *fd)
{
	int memory = memfd_create("disk", 0), control = open("/dev/loop-control", O_RDWR);
	/* Given back when the last descriptor goes, however the test ends. */
	struct loop_config config = { .fd = memory, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int n = ioctl(control, LOOP_CTL_GET_FREE);
	bool done;

	snprintf(disk, size, "/dev/loop%d", n);
	*fd = open(disk, O_RDWR);
	done = !ftruncate(memory, 16 << 20) && !ioctl(*fd, LOOP_CONFIGURE, &config);
	close(control);
	close(memory);
	return done;
}

/* Pages of a file on a disk: dirty as long as the guest can write to them. */
TEST_F(backing, file_on_disk_has_all_writes)
{
	char disk[32], dir[32], path[64];
	uint64_t word[3];
	int fd, disk_fd;

	if (!make_disk(disk, sizeof(disk), &disk_fd))
		SKIP(return, "needs root and the module loop");
	snprintf(path, sizeof(path), "mkfs.minix %s >/dev/null 2>&1", disk);
	if (system(path))
		SKIP(return, "no mkfs.minix");
	snprintf(dir, sizeof(dir), "/tmp/backing_test.%d", getpid());
	ASSERT_EQ(0, mkdir(dir, 0700));
	if (mount(disk, dir, "minix", 0, NULL))
		SKIP(return, "no minix: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_EQ(0, ftruncate(fd, SIZE));
	map_at(self->mem, SIZE, MAP_FIXED, fd);
	RACE(WRITES, 12, "msyncs", {
		ASSERT_EQ(0, i % 2 ? msync(self->mem, SIZE, MS_SYNC) :
				     sync_file_range(fd, 0, SIZE, SYNC_FILE_RANGE_WRITE));
		usleep(1000);
	});
	ASSERT_EQ(0, munmap(self->mem, SIZE));
	ASSERT_EQ(0, close(fd));
	/* What is not on the disk now is lost. */
	ASSERT_EQ(0, umount(dir));
	ASSERT_EQ(0, mount(disk, dir, "minix", MS_RDONLY, NULL));
	fd = open(path, O_RDONLY);
	for (uint64_t p = 0; p < PAGES; p++) {
		ASSERT_EQ(sizeof(word), pread(fd, word, sizeof(word), p * PAGE));
		EXPECT_EQ(MAGIC + p, word[0]);
		EXPECT_EQ(passes(&self->m, 0), word[1]);
		EXPECT_EQ(passes(&self->m, 1), word[2]);
	}
	close(fd);
	EXPECT_EQ(0, umount(dir));
	rmdir(dir);
	close(disk_fd);
}

TEST_HARNESS_MAIN
