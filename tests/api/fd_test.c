// SPDX-License-Identifier: GPL-2.0
/* File descriptors and the mapping: who keeps what alive, who may use it. */
#include "kselftest_harness.h"
#include "lib/vtx_test.h"

VM_FIXTURE

/* Runs @child in a fork; returns its exit status. */
static int in_child(int (*child)(struct vm *), struct vm *m)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(child(m));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

TEST_F(vm, fds_are_close_on_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->m.fd, F_GETFD));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->m.cpu, F_GETFD));
}

TEST_F(vm, fds_are_read_write)
{
	EXPECT_EQ(O_RDWR, fcntl(self->m.fd, F_GETFL) & O_ACCMODE);
	EXPECT_EQ(O_RDWR, fcntl(self->m.cpu, F_GETFL) & O_ACCMODE);
}

TEST_F(vm, read_and_write_fail)
{
	char c = 0;
	int fds[] = { self->m.dev, self->m.fd, self->m.cpu };

	for (int i = 0; i < 3; i++) {
		EXPECT_ERRNO(EINVAL, read(fds[i], &c, 1));
		EXPECT_ERRNO(EINVAL, write(fds[i], &c, 1));
	}
}

static int step(struct vm *m, int what)
{
	switch (what) {
	case 0:
		return close(m->dev);
	case 1:
		return close(m->fd);
	case 2:
		return close(m->cpu);
	default:
		return munmap(m->run, m->run_size);
	}
}

/* What is still open works. */
static bool rest_works(struct vm *m, const bool *closed)
{
	struct kvm_regs regs;

	if (!closed[0] && ioctl(m->dev, KVM_GET_API_VERSION, 0) != 12)
		return false;
	if (!closed[1] && ioctl(m->fd, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY) != 1)
		return false;
	if (!closed[2] && (vm_run(m) || ioctl(m->cpu, KVM_GET_REGS, &regs)))
		return false;
	if (!closed[2] && !closed[3] && m->run->exit_reason != KVM_EXIT_IO)
		return false;
	if (!closed[3])
		m->run->immediate_exit = 0;
	return true;
}

TEST(close_every_order_keeps_the_rest_working)
{
	int order[4], tried = 0;

	for (int i = 0; i < 256; i++) {
		bool closed[4] = { false };
		struct vm m;

		for (int j = 0; j < 4; j++) {
			order[j] = i >> 2 * j & 3;
			closed[order[j]] = true;
		}
		if (!(closed[0] && closed[1] && closed[2] && closed[3]))
			continue;
		memset(closed, 0, sizeof(closed));
		vm_create(&m);
		vm_start(&m, MODE_REAL, sync16);
		for (int j = 0; j < 4; j++) {
			ASSERT_TRUE(rest_works(&m, closed)) TH_LOG("order %#x step %d", i, j);
			ASSERT_EQ(0, step(&m, order[j]));
			closed[order[j]] = true;
		}
		munmap(m.ram, RAM_SIZE);
		tried++;
	}
	EXPECT_EQ(24, tried);
}

TEST_F(vm, dup_of_vcpu_runs_after_original_is_closed)
{
	int copy = dup(self->m.cpu);

	vm_start(&self->m, MODE_REAL, sync16);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	close(self->m.cpu);
	self->m.cpu = copy;
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(2, vm_regs(&self->m).rax);
}

TEST_F(vm, run_page_outlives_vcpu_fd)
{
	vm_start(&self->m, MODE_REAL, sync16);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	close(self->m.cpu);
	close(self->m.fd);
	close(self->m.dev);
	EXPECT_EQ(KVM_EXIT_IO, self->m.run->exit_reason);
	EXPECT_EQ(1, *(uint8_t *)vm_io_data(&self->m));
}

TEST_F(vm, vcpu_id_stays_taken_after_its_fd_is_closed)
{
	close(self->m.cpu);
	EXPECT_ERRNO(EEXIST, ioctl(self->m.fd, KVM_CREATE_VCPU, 0));
}

static int child_run(struct vm *m)
{
	return ioctl(m->cpu, KVM_RUN, 0) == -1 && errno == EIO ? 0 : 1;
}

static int child_vcpu(struct vm *m)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (ioctl(m->cpu, KVM_GET_REGS, &regs) != -1 || errno != EIO)
		return 1;
	if (ioctl(m->cpu, KVM_SET_SREGS, &sregs) != -1 || errno != EIO)
		return 2;
	return 0;
}

static int child_vm(struct vm *m)
{
	if (vm_set_slot(m, 1, MMIO, PAGE, m->ram) != -1 || errno != EIO)
		return 1;
	if (ioctl(m->fd, KVM_CREATE_VCPU, 1) != -1 || errno != EIO)
		return 2;
	if (ioctl(m->fd, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY) != -1 || errno != EIO)
		return 3;
	return 0;
}

static int child_device(struct vm *m)
{
	struct vm other;

	if (ioctl(m->dev, KVM_GET_API_VERSION, 0) != 12)
		return 1;
	vm_create(&other);
	vm_start(&other, MODE_REAL, hlt16);
	return vm_run(&other) ? 2 : 0;
}

TEST_F(vm, run_from_child_process_fails_eio)
{
	vm_start(&self->m, MODE_REAL, sync16);
	EXPECT_EQ(0, in_child(child_run, &self->m));
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(1, vm_regs(&self->m).rax);
}

TEST_F(vm, vcpu_ioctl_from_child_process_fails_eio)
{
	EXPECT_EQ(0, in_child(child_vcpu, &self->m));
}

TEST_F(vm, vm_ioctl_from_child_process_fails_eio)
{
	EXPECT_EQ(0, in_child(child_vm, &self->m));
}

/* The device itself belongs to nobody. */
TEST_F(vm, device_from_child_process_works)
{
	EXPECT_EQ(0, in_child(child_device, &self->m));
}

/* Waits for the death of the process at the other end, then tries its machine. */
static void hold_dead_vm(struct vm *m, int owner_end, int result)
{
	char c;

	if (read(owner_end, &c, 1) != 0)
		_exit(1);
	c = child_run(m) || child_vcpu(m) || child_vm(m) ? 'n' : 'y';
	if (write(result, &c, 1) != 1)
		_exit(1);
	_exit(0);
}

TEST(vm_of_dead_process_is_unusable_to_holder_of_its_fds)
{
	int alive[2], result[2];
	struct vm m;
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(alive));
	ASSERT_EQ(0, pipe(result));
	pid = fork();
	if (pid == 0) {
		vm_create(&m);
		vm_start(&m, MODE_REAL, sync16);
		if (vm_run(&m))
			_exit(1);
		if (fork() == 0) {
			close(alive[1]);
			hold_dead_vm(&m, alive[0], result[1]);
		}
		_exit(0);
	}
	close(alive[1]);
	close(result[1]);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	ASSERT_EQ(1, read(result[0], &c, 1));
	EXPECT_EQ('y', c);
}

TEST_F(vm, exec_closes_everything)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", self->m.cpu);
		execlp("test", "test", "!", "-e", path, (char *)NULL);
		execlp("busybox", "busybox", "test", "!", "-e", path, (char *)NULL);
		_exit(9);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

TEST_F(vm, run_size_is_three_pages)
{
	EXPECT_EQ(3 * PAGE, self->m.run_size);
}

TEST_F(vm, mapping_starts_zeroed_behind_first_page)
{
	uint8_t *p = (uint8_t *)self->m.run;

	for (int i = PAGE; i < 3 * PAGE; i++) {
		ASSERT_EQ(0, p[i]) TH_LOG("byte %d", i);
	}
}

TEST_F(vm, mapping_beyond_its_pages_gives_sigbus_or_einval)
{
	volatile char *p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, self->m.cpu, 0);
	int status;
	pid_t pid;

	if (p == MAP_FAILED) {
		EXPECT_EQ(EINVAL, errno);
		return;
	}
	pid = fork();
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		_exit(p[3 * PAGE]);
	}
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGBUS, WTERMSIG(status));
}

TEST_F(vm, mapping_far_offset_gives_sigbus_or_einval)
{
	volatile char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->m.cpu, 1L << 40);
	int status;
	pid_t pid;

	if (p == MAP_FAILED) {
		EXPECT_EQ(EINVAL, errno);
		return;
	}
	pid = fork();
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		_exit(p[0]);
	}
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGBUS, WTERMSIG(status));
}

TEST_F(vm, mapping_part_of_it_shows_that_part)
{
	uint8_t *second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->m.cpu, PAGE);

	ASSERT_NE(MAP_FAILED, second);
	vm_start(&self->m, MODE_REAL, out_sizes);
	ASSERT_EXIT(KVM_EXIT_IO, &self->m);
	EXPECT_EQ(0x44, second[0]);
}

TEST_F(vm, mapping_is_not_executable)
{
	if (on_kvm())
		SKIP(return, "KVM lets the run page be mapped executable");
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, self->m.cpu, 0));
	EXPECT_EQ(-1, mprotect(self->m.run, PAGE, PROT_READ | PROT_EXEC));
}

TEST_F(vm, device_and_vm_cannot_be_mapped)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->m.dev, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->m.fd, 0));
	EXPECT_EQ(ENODEV, errno);
}

TEST_HARNESS_MAIN
