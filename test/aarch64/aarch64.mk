# aarch64.mk - `make check-aarch64`: the library by the cross compiler, its code looked at, the C
# programs of the suites run by qemu-user. That registers no thread for sequences, so each has a
# slot of its own there. stress/threads measures the RSS, in which qemu keeps some of each thread.
# For hand and for a weekly run: it fetches packages, and takes a while.
AARCH64_GROUPS  := aarch64 aarch64-debug aarch64-page16k aarch64-page64k
AARCH64_ROOT    := $(CURDIR)/build-aarch64/root
VARIANT_aarch64         := -O2
VARIANT_aarch64-debug   := $(VARIANT_debug)
VARIANT_aarch64-page16k := $(VARIANT_page16k)
VARIANT_aarch64-page64k := $(VARIANT_page64k)
SUITES_aarch64          := cross api stress corruption
WITHOUT_aarch64         := build-aarch64/test/stress/threads
SUITES_aarch64-debug    := unit
SUITES_aarch64-page16k  := api
SUITES_aarch64-page64k  := api
define aarch64_group
CC_$(1)   := aarch64-linux-gnu-gcc
CONF_$(1) := $(CONF_$(1:aarch64-%=%)) test/aarch64/under_qemu.sh $(AARCH64_ROOT)
group-$(1): setup-aarch64
endef
group-aarch64: libmyalloc.so # of x86-64, to compare the names
$(foreach g,$(AARCH64_GROUPS),$(eval $(call aarch64_group,$g)))

ifneq ($(findstring build-aarch64,$(B)),)
$(UNITS): CFLAGS_TEST += --sysroot=$(AARCH64_ROOT)
export OBJDUMP := aarch64-linux-gnu-objdump
export READELF := aarch64-linux-gnu-readelf
export TEST_EXCEPT := test/aarch64/qemu_user.except
export LIMIT := 1200
export TEST_SECONDS := 400
scripts :=
suite-cross:
	$(SUITE) test/aarch64/cross.sh test/negative/sequences.sh
endif

check-aarch64: $(AARCH64_GROUPS:%=group-%)
	$(call total,$(AARCH64_GROUPS))
setup-aarch64: setup
	@scripts/setup_aarch64.sh $(AARCH64_ROOT)

.PHONY: check-aarch64 setup-aarch64
