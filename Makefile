# SPDX-License-Identifier: GPL-2.0
# What a user types; "make help" lists it. What is built is in Kbuild.

ifneq ($(words $(CURDIR))$(findstring :,$(CURDIR)),1)
$(error vtx can't be built in '$(CURDIR)': Kbuild takes no space and no colon in a path)
endif

# Headers of the kernel that vtx.ko is for, and of the one that the VMX host boots:
# scripts/kdir finds both, when first asked for. Each can be given.
ifeq ($(origin KDIR),undefined)
KDIR = $(eval KDIR := $$(shell scripts/kdir))$(KDIR)
endif
ifeq ($(origin VM_KDIR),undefined)
VM_KDIR = $(eval VM_KDIR := $$(shell scripts/kdir vm))$(VM_KDIR)
endif
ifeq ($(origin VTX_VERSION),undefined)
VTX_VERSION = $(eval VTX_VERSION := $$(shell scripts/version))$(VTX_VERSION)
endif
HARNESS = $(wildcard build/cache/selftests/lib.mk)

all: module tools	## build vtx.ko and the programs; KDIR= for another kernel
	@$(if $(HARNESS),$(MAKE) -C tests,echo "vtx: the kselftests are left out:" \
		"make deps brings their harness, from Debian's kernel source")

module:
	@test -n "$(KDIR)"
	@test -e "$(KDIR)/Makefile" || { echo "vtx: no kernel headers in '$(KDIR)'" >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) VTX_VERSION=$(VTX_VERSION) modules

vm-module:
	@$(MAKE) --no-print-directory module KDIR="$(VM_KDIR)"

tools:			## build hello, demo, vtx-tlb and others that need no harness
	$(MAKE) -C tests tools

tests:			## build the kselftests; make deps brings their harness
	$(MAKE) -C tests

demo:			## build, boot in a VMX host, run guest code, show the log
	@scripts/demo

check:			## everything: warnings, style, unit tests, tests in the VMX host
	@scripts/check-all

unit:			## unit tests of the pure files, in userspace, and the models
	$(MAKE) -C tests/unit run
	$(MAKE) -C tests/model run

static:			## W=1 C=1 build, checkpatch, headers, layers, spelling
	scripts/check

vm: vm-module		## kselftests in the VMX host only
	$(MAKE) -C tests KDIR="$(VM_KDIR)"
	scripts/check-vm

check-clients: vm-module	## other people's programs on vtx, QEMU with Linux first: 4 minutes
	@$(MAKE) -s -C tests demos
	@scripts/check-clients

qemu-linux: vm-module	## Linux under QEMU on vtx in the VMX host: its shell on this terminal
	@scripts/qemu-linux

nested:			## vtx under KVM under Bochs, and where firmware has VMX off
	scripts/check-nested

check-kernels:		## all tests on the newest kernels of Debian 12 and 13: 30 minutes
	scripts/check-kernels

bench: $(if $(filter native,$(HOST)),module,vm-module)	## what exits cost, beside KVM (HOST=native: on this machine)
	scripts/bench

shell: vm-module		## a shell on the serial console of the VMX host
	scripts/run-vm -i

deps:			## install what is missing, from Debian's packages
	@scripts/install-deps check

install:		## build and install it for the running kernel (KDIR=, DESTDIR=, PREFIX=)
	+@scripts/install module

dkms-install:		## hand the source to DKMS: built for these kernels and every new one
	+@scripts/install dkms

uninstall:		## remove what either of them has installed
	+@scripts/install remove

deb:			## the Debian package vtx-dkms, in build/deb
	+@scripts/install deb

tags:			## ctags of the module and the tests
	ctags -R src include tests

print-kdir:		# for scripts
	@echo $(KDIR)

clean:			## remove what a build leaves; downloads in build/cache stay
	scripts/clean

help:			## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## */\1\t/p' $(MAKEFILE_LIST) | expand -t 16
	@echo; scripts/run-vm --help | sed -n '/^hosts/,/^$$/p'

.PHONY: all module vm-module tools tests demo check check-clients qemu-linux unit static vm nested check-kernels bench shell deps install \
	dkms-install uninstall deb tags print-kdir clean help
