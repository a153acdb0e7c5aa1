# SPDX-License-Identifier: GPL-2.0
#
# The VPID and TLB tests: vpid.c and tlb.c, unchanged, against a model of a
# tagged TLB (tlb_hw.h). Included by Makefile.
#
#   make -C tests/unit run-tlb		all of them, mutants included
#   make -C tests/unit run-mutants	seeded faults, each must be caught
#
# These build without ASan: snapshots copy the module's state as a block, which
# is why its variables are moved to a section of their own. tlb_asan_test is the
# random walk under ASan and UBSan.

TLB_PROGRAMS	:= tlb_caps_test tlb_exhaustive_test tlb_random_test tlb_race_test \
		   tlb_asan_test
MUTANTS		:= $(patsubst tlb/mutants/%.patch,%,$(wildcard tlb/mutants/*.patch))
DEPTH		?= 11
MUTANT_JOBS	?= 2
TLB_OPT		?= -O2

TLB_CFLAGS	:= -std=gnu11 -g $(TLB_OPT) -fno-strict-aliasing -fno-pie -Wall -Wextra -Werror \
		   -Wno-unused-parameter -Wno-sign-compare -Itlb/smp -Iinclude -Itlb -I. -I$(SRC) -I$(SRC)/../include
TLB_DEPS	:= $(wildcard tlb/*.[ch] tlb/smp/*.h tlb/smp/*/*.h) tlb/tlb.mk \
		   $(addprefix $(SRC)/,tlb/tlb.h types/tlb.h tlb/vpid.h vmx/root.h vmx/trace.h) \
		   $(SRC)/../include/uapi/vtx.h
TO_STATE	:= objcopy --rename-section .bss=vtx_state,alloc,load,data,contents \
			   --rename-section .data=vtx_state,alloc,load,data,contents
# For tlb_steps.c, which tells states apart.
$(OUT)/vpid.o $(OUT)/race-vpid.o: TO_STATE += --globalize-symbol=vpid_next
WORLD		:= $(OUT)/tlb_world.o $(OUT)/tlb_steps.o $(OUT)/tlb_hw.o $(OUT)/tlb.o $(OUT)/vpid.o

$(OUT)/%.o: $(SRC)/tlb/%.c $(TLB_DEPS)
	@mkdir -p $(OUT)
	$(CC) $(TLB_CFLAGS) -c -o $@ $<
	$(TO_STATE) $@

$(OUT)/race-%.o: $(SRC)/tlb/%.c $(TLB_DEPS)
	@mkdir -p $(OUT)
	$(CC) $(TLB_CFLAGS) -DMACHINE_RACE -c -o $@ $<
	$(TO_STATE) $@

$(OUT)/%.o: %.c $(TLB_DEPS)
	@mkdir -p $(OUT)
	$(CC) $(TLB_CFLAGS) -c -o $@ $<

$(OUT)/race-%.o: %.c $(TLB_DEPS)
	@mkdir -p $(OUT)
	$(CC) $(TLB_CFLAGS) -DMACHINE_RACE -c -o $@ $<

$(OUT)/tlb_exhaustive_test: $(OUT)/tlb_exhaustive_test.o $(WORLD)
$(OUT)/tlb_random_test: $(OUT)/tlb_random_test.o $(OUT)/tlb_walk.o $(WORLD)
$(OUT)/tlb_caps_test: $(OUT)/tlb_caps_test.o $(OUT)/tlb_walk.o $(WORLD)
$(OUT)/tlb_race_test: $(OUT)/race-tlb_race_test.o $(OUT)/race-tlb_race.o $(OUT)/race-tlb_hw.o $(OUT)/race-tlb.o \
		      $(OUT)/race-vpid.o
$(filter-out %/tlb_asan_test,$(TLB_PROGRAMS:%=$(OUT)/%)):
	$(CC) -no-pie -o $@ $^

# One walk of one world needs no snapshot.
ASAN_SRC := $(addprefix tlb/,tlb_random_test.c tlb_walk.c tlb_world.c tlb_steps.c tlb_hw.c) $(SRC)/tlb/tlb.c \
	    $(SRC)/tlb/vpid.c
$(OUT)/tlb_asan_test: $(ASAN_SRC) $(TLB_DEPS)
	@mkdir -p $(OUT)
	$(CC) $(TLB_CFLAGS) -DONE_ROUND $(SANITIZE) -no-pie -o $@ $(ASAN_SRC)

$(OUT)/vpid_test: tlb/vpid_test.c $(SRC)/tlb/vpid.c $(TLB_DEPS)
	@mkdir -p $(OUT)
	$(CC) $(TLB_CFLAGS) $(SANITIZE) -no-pie -o $@ tlb/vpid_test.c $(SRC)/tlb/vpid.c

$(TLB_PROGRAMS:%=run-%) run-vpid_test: run-%: $(OUT)/%
	@echo "# unit: $*"
	@$< $(if $(filter tlb_exhaustive_test,$*),$(DEPTH))

# What the mutants have in common is compiled once.
MUTANT_BASE := $(OUT)/mutant-base
$(MUTANT_BASE)/.built: $(TLB_DEPS) $(SRC)/tlb/tlb.c $(SRC)/tlb/vpid.c
	@$(MAKE) --no-print-directory OUT=$(MUTANT_BASE) TLB_OPT="-O1 -g0" \
		$(patsubst %,$(MUTANT_BASE)/%,$(filter-out tlb_asan_test,$(TLB_PROGRAMS)))
	@touch $@

# A mutant's result stands until anything that it was made from changes.
$(OUT)/mutants/%.tap: tlb/mutants/%.patch tlb/run-mutant $(MUTANT_BASE)/.built
	@mkdir -p $(@D)
	@tlb/run-mutant $< $(OUT)/mutants/$* $(MUTANT_BASE) >$@.new || { cat $@.new; rm $@.new; exit 1; }
	@mv $@.new $@

all-tlb: $(OUT)/vpid_test $(TLB_PROGRAMS:%=$(OUT)/%)

run-mutants:
	@echo "# unit: mutants"
	@$(MAKE) --no-print-directory -k -j$(MUTANT_JOBS) $(MUTANTS:%=$(OUT)/mutants/%.tap)
	@cat $(MUTANTS:%=$(OUT)/mutants/%.tap)
	@echo "1..$(words $(MUTANTS))"

run-tlb: run-vpid_test $(TLB_PROGRAMS:%=run-%) run-mutants

.PHONY: all-tlb run-tlb run-mutants run-vpid_test $(TLB_PROGRAMS:%=run-%)
