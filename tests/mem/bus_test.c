// SPDX-License-Identifier: GPL-2.0
/* Writes that need no exit: ioeventfds and coalesced zones. */
#include <sys/eventfd.h>

#include "kselftest_harness.h"
#include "lib/vtx_test.h"

#define PORT	0x300

VM_FIXTURE

static int ioeventfd(struct vm *m, int fd, uint64_t addr, uint32_t len, uint32_t flags,
		     uint64_t match)
{
	struct kvm_ioeventfd args = {
		.datamatch = match, .addr = addr, .len = len, .fd = fd, .flags = flags,
	};

	return ioctl(m->fd, KVM_IOEVENTFD, &args);
}

/* How often the eventfd was signalled since the last look. */
static uint64_t signals(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void start(struct vm *m, uint32_t value)
{
	struct kvm_regs regs;

	vm_start(m, MODE_LONG, bus64);
	regs = vm_regs(m);
	regs.rax = value;
	regs.rdx = PORT;
	regs.rdi = MMIO;
	vm_set_regs(m, &regs);
}

/* The next exit is a write of this size. */
#define ASSERT_OUT(bytes, m) do {						\
	ASSERT_EXIT(KVM_EXIT_IO, m);						\
	ASSERT_EQ(bytes, (m)->run->io.size);					\
} while (0)
#define ASSERT_MMIO(bytes, m) do {						\
	ASSERT_EXIT(KVM_EXIT_MMIO, m);						\
	ASSERT_EQ(bytes, (int)(m)->run->mmio.len);				\
} while (0)

TEST_F(vm, ioeventfd_takes_writes_of_its_size)
{
	int pio = eventfd(0, EFD_NONBLOCK), mem = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ioeventfd(&self->m, pio, PORT, 2, KVM_IOEVENTFD_FLAG_PIO, 0));
	ASSERT_EQ(0, ioeventfd(&self->m, mem, MMIO, 4, 0, 0));
	start(&self->m, 0x12345678);
	ASSERT_OUT(1, &self->m);
	EXPECT_EQ(0, signals(pio));
	ASSERT_OUT(4, &self->m);
	EXPECT_EQ(1, signals(pio));
	ASSERT_MMIO(1, &self->m);
	ASSERT_MMIO(2, &self->m);
	EXPECT_EQ(0, signals(mem));
	ASSERT_MMIO(8, &self->m);
	EXPECT_EQ(1, signals(mem));
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
}

TEST_F(vm, ioeventfd_of_no_size_takes_all)
{
	int pio = eventfd(0, EFD_NONBLOCK), mem = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(1, vm_cap(&self->m, KVM_CAP_IOEVENTFD_ANY_LENGTH));
	EXPECT_EQ(1, vm_cap(&self->m, KVM_CAP_IOEVENTFD_NO_LENGTH));
	ASSERT_EQ(0, ioeventfd(&self->m, pio, PORT, 0, KVM_IOEVENTFD_FLAG_PIO, 0));
	ASSERT_EQ(0, ioeventfd(&self->m, mem, MMIO, 0, 0, 0));
	start(&self->m, 0);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(3, signals(pio));
	EXPECT_EQ(4, signals(mem));
}

TEST_F(vm, ioeventfd_datamatch_looks_at_the_value)
{
	const uint32_t flags = KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO;
	int one = eventfd(0, EFD_NONBLOCK), two = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ioeventfd(&self->m, one, PORT, 2, flags, 0x5678));
	ASSERT_EQ(0, ioeventfd(&self->m, two, PORT, 2, flags, 0x5679));
	start(&self->m, 0x12345678);
	ASSERT_OUT(1, &self->m);
	ASSERT_OUT(4, &self->m);
	EXPECT_EQ(1, signals(one));
	EXPECT_EQ(0, signals(two));
	start(&self->m, 0x5670);
	ASSERT_OUT(1, &self->m);
	ASSERT_OUT(2, &self->m);
}

TEST_F(vm, ioeventfd_gone_exits_again)
{
	const uint32_t pio = KVM_IOEVENTFD_FLAG_PIO, gone = pio | KVM_IOEVENTFD_FLAG_DEASSIGN;
	int fd = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ioeventfd(&self->m, fd, PORT, 1, pio, 0));
	EXPECT_ERRNO(ENOENT, ioeventfd(&self->m, other, PORT, 1, gone, 0));
	EXPECT_ERRNO(ENOENT, ioeventfd(&self->m, fd, PORT, 2, gone, 0));
	ASSERT_EQ(0, ioeventfd(&self->m, fd, PORT, 1, gone, 0));
	EXPECT_ERRNO(ENOENT, ioeventfd(&self->m, fd, PORT, 1, gone, 0));
	start(&self->m, 0);
	ASSERT_OUT(1, &self->m);
	EXPECT_EQ(0, signals(fd));
}

/* A device per function and queue adds up; each is found, also behind the others. */
TEST_F(vm, ioeventfd_thousands_are_told_apart)
{
	const uint32_t pio = KVM_IOEVENTFD_FLAG_PIO, match = pio | KVM_IOEVENTFD_FLAG_DATAMATCH;
	int many = eventfd(0, EFD_NONBLOCK), one = eventfd(0, EFD_NONBLOCK);
	const int n = 3000;

	for (int i = 0; i < n; i++) {
		int fd = i == n - 2 ? one : many;

		ASSERT_EQ(0, ioeventfd(&self->m, fd, PORT, 2, match, i)) TH_LOG("%d", i);
		ASSERT_EQ(0, ioeventfd(&self->m, many, 0x100000 + 8 * i, 4, 0, 0));
	}
	start(&self->m, n - 2);
	ASSERT_OUT(1, &self->m);
	ASSERT_OUT(4, &self->m);
	EXPECT_EQ(1, signals(one));
	EXPECT_EQ(0, signals(many));
	for (int i = 0; i < n; i++)
		ASSERT_EQ(0, ioeventfd(&self->m, i == n - 2 ? one : many, PORT, 2,
				       match | KVM_IOEVENTFD_FLAG_DEASSIGN, i));
	start(&self->m, n - 2);
	ASSERT_OUT(1, &self->m);
	ASSERT_OUT(2, &self->m);
}

static void start_outsb(struct vm *m, const char *text, bool backward)
{
	struct kvm_regs regs;

	vm_start(m, MODE_LONG, rep_outsb);
	memcpy(m->ram + DATA, text, strlen(text));
	regs = vm_regs(m);
	regs.rsi = backward ? DATA + strlen(text) - 1 : DATA;
	regs.rcx = strlen(text);
	regs.rflags = backward ? 0x402 : 2;
	vm_set_regs(m, &regs);
}

/* Element by element, as with OUT; what nobody takes exits in order. */
TEST_F(vm, ioeventfd_takes_elements_of_outs)
{
	const uint32_t match = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH;
	int fd = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ioeventfd(&self->m, fd, 0x3f8, 1, match, 'b'));
	for (int backward = 0; backward < 2; backward++) {
		start_outsb(&self->m, "abcb", backward);
		for (int i = 0; i < 2; i++) {
			ASSERT_OUT(1, &self->m);
			ASSERT_EQ(1, self->m.run->io.count);
			EXPECT_EQ("acca"[2 * backward + i], *(char *)vm_io_data(&self->m));
		}
		ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
		EXPECT_EQ(2, signals(fd));
		EXPECT_EQ(0, vm_regs(&self->m).rcx);
	}
}

TEST_F(vm, ioeventfd_takes_all_of_outs)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	ASSERT_EQ(0, ioeventfd(&self->m, fd, 0x3f8, 0, KVM_IOEVENTFD_FLAG_PIO, 0));
	start_outsb(&self->m, "abcde", false);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	EXPECT_EQ(5, signals(fd));
	EXPECT_EQ(DATA + 5, vm_regs(&self->m).rsi);
}

TEST_F(vm, ioeventfd_bad_arguments)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	EXPECT_ERRNO(EINVAL, ioeventfd(&self->m, fd, PORT, 3, 0, 0));
	EXPECT_ERRNO(EINVAL, ioeventfd(&self->m, fd, ~0ULL, 4, 0, 0));
	EXPECT_ERRNO(EINVAL, ioeventfd(&self->m, fd, PORT, 4, 1 << 5, 0));
	EXPECT_ERRNO(EINVAL, ioeventfd(&self->m, fd, MMIO, 0, KVM_IOEVENTFD_FLAG_DATAMATCH, 0));
	EXPECT_ERRNO(EBADF, ioeventfd(&self->m, -1, PORT, 4, 0, 0));
	EXPECT_ERRNO(EINVAL, ioeventfd(&self->m, self->m.dev, PORT, 4, 0, 0));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.fd, KVM_IOEVENTFD, 1UL));
	ASSERT_EQ(0, ioeventfd(&self->m, fd, PORT, 4, KVM_IOEVENTFD_FLAG_PIO, 0));
	EXPECT_ERRNO(EEXIST, ioeventfd(&self->m, fd, PORT, 4, KVM_IOEVENTFD_FLAG_PIO, 0));
	EXPECT_ERRNO(EEXIST, ioeventfd(&self->m, fd, PORT, 0, KVM_IOEVENTFD_FLAG_PIO, 0));
	/* Memory at the same address is another device. */
	EXPECT_EQ(0, ioeventfd(&self->m, fd, PORT, 4, 0, 0));
}

/* --- coalesced zones --- */

static struct kvm_coalesced_mmio_ring *ring(struct vm *m)
{
	return (void *)((uint8_t *)m->run + vm_cap(m, KVM_CAP_COALESCED_MMIO) * PAGE);
}

static int coalesce(struct vm *m, unsigned long cmd, uint64_t addr, uint32_t size, uint32_t pio)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = addr, .size = size, .pio = pio };

	return ioctl(m->fd, cmd, &zone);
}

TEST_F(vm, coalesced_writes_wait_in_the_ring)
{
	struct kvm_coalesced_mmio_ring *r = ring(&self->m);

	ASSERT_EQ(2, vm_cap(&self->m, KVM_CAP_COALESCED_MMIO));
	ASSERT_EQ(1, vm_cap(&self->m, KVM_CAP_COALESCED_PIO));
	ASSERT_EQ(0, coalesce(&self->m, KVM_REGISTER_COALESCED_MMIO, MMIO, 4, 0));
	ASSERT_EQ(0, coalesce(&self->m, KVM_REGISTER_COALESCED_MMIO, PORT, 1, 1));
	start(&self->m, 0x12345678);
	ASSERT_OUT(2, &self->m);
	ASSERT_EQ(1, r->last);
	EXPECT_EQ(PORT, r->coalesced_mmio[0].phys_addr);
	EXPECT_EQ(1, r->coalesced_mmio[0].len);
	EXPECT_EQ(1, r->coalesced_mmio[0].pio);
	EXPECT_EQ(0x78, r->coalesced_mmio[0].data[0]);
	ASSERT_OUT(4, &self->m);
	/* Eight bytes are not in the zone. */
	ASSERT_MMIO(8, &self->m);
	ASSERT_EQ(4, r->last);
	EXPECT_EQ(MMIO, r->coalesced_mmio[3].phys_addr);
	EXPECT_EQ(4, r->coalesced_mmio[3].len);
	EXPECT_EQ(0, r->coalesced_mmio[3].pio);
	EXPECT_EQ(0, memcmp("\x78\x56\x34\x12", r->coalesced_mmio[3].data, 4));
	EXPECT_EQ(0, r->first);
}

TEST_F(vm, coalesced_outs_waits_in_the_ring)
{
	struct kvm_coalesced_mmio_ring *r = ring(&self->m);

	ASSERT_EQ(0, coalesce(&self->m, KVM_REGISTER_COALESCED_MMIO, 0x3f8, 8, 1));
	start_outsb(&self->m, "abc", false);
	ASSERT_EXIT(KVM_EXIT_HLT, &self->m);
	ASSERT_EQ(3, r->last);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ('a' + i, r->coalesced_mmio[i].data[0]);
}

TEST_F(vm, coalesced_ring_full_exits)
{
	struct kvm_coalesced_mmio_ring *r = ring(&self->m);

	ASSERT_EQ(0, coalesce(&self->m, KVM_REGISTER_COALESCED_MMIO, MMIO, 8, 0));
	r->first = 2;
	start(&self->m, 0);
	ASSERT_OUT(1, &self->m);
	ASSERT_OUT(2, &self->m);
	ASSERT_OUT(4, &self->m);
	ASSERT_MMIO(2, &self->m);
	EXPECT_EQ(1, r->last);
}

/* An index from the VMM that points nowhere hurts nobody. */
TEST_F(vm, coalesced_ring_with_wild_index_exits)
{
	struct kvm_coalesced_mmio_ring *r = ring(&self->m);

	ASSERT_EQ(0, coalesce(&self->m, KVM_REGISTER_COALESCED_MMIO, PORT, 4, 1));
	r->last = 0xfffffff0;
	start(&self->m, 0);
	ASSERT_OUT(1, &self->m);
	EXPECT_EQ(0xfffffff0, r->last);
}

TEST_F(vm, coalesced_zone_unregistered_exits_again)
{
	ASSERT_EQ(0, coalesce(&self->m, KVM_REGISTER_COALESCED_MMIO, PORT, 4, 1));
	ASSERT_EQ(0, coalesce(&self->m, KVM_UNREGISTER_COALESCED_MMIO, PORT, 4, 1));
	start(&self->m, 0);
	ASSERT_OUT(1, &self->m);
	EXPECT_ERRNO(EINVAL, coalesce(&self->m, KVM_REGISTER_COALESCED_MMIO, PORT, 4, 2));
	EXPECT_ERRNO(EINVAL, coalesce(&self->m, KVM_UNREGISTER_COALESCED_MMIO, PORT, 4, 2));
	EXPECT_ERRNO(EFAULT, ioctl(self->m.fd, KVM_REGISTER_COALESCED_MMIO, 1UL));
}

TEST_F(vm, coalesced_ring_is_one_for_all_vcpus)
{
	struct kvm_run *run;

	vm_add_cpu(&self->m, 1, &run);
	ring(&self->m)->first = 7;
	EXPECT_EQ(7, ((struct kvm_coalesced_mmio_ring *)((uint8_t *)run + 2 * PAGE))->first);
}

TEST_HARNESS_MAIN
