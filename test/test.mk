# test.mk - `make check` and its parts. Each suite leaves its counts in $(RESULTS), to be added up.
# A program of test/ is one C file. It runs under plain glibc, under the preload of any build, and
# some also linked with the floor archives of a sanitizer build, calling api_* instead of malloc.
T       := $(if $(findstring aarch64,$(B)),build-aarch64,build)/test
RESULTS := build/results
# LD_PRELOAD takes a blank for the end of a path. A checkout below such a path is tested by a link.
LINK    := $(or $(TMPDIR),/tmp)/myalloc-checkout.$(shell id -u).$(shell pwd | cksum | cut -d' ' -f1)
HERE    := $(if $(or $(word 2,$(CURDIR)),$(findstring :,$(CURDIR))),$(LINK),$(CURDIR))

# -fno-builtin: the compiler must not reason about the functions that are under test.
CFLAGS_TEST := -D_GNU_SOURCE -O1 -g -fno-builtin -fno-optimize-sibling-calls -Itest -Isrc \
        -Iinclude -Wall -Wextra -Werror -Wno-unknown-warning-option -Wno-alloc-size-larger-than \
        -Wno-use-after-free -Wno-free-nonheap-object -Wno-unused-result
CC_TEST = @mkdir -p $(@D) && $(CC) -std=c11 $(CFLAGS_TEST)

# Builds of the library: build-NAME is made with VARIANT_NAME. -O2, because dlopen and the caller's
# address in messages need tail calls.
VARIANT_debug   := -O2 -DCONFIG_DEBUG=1
VARIANT_tiny    := $(VARIANT_debug) -DCONFIG_TINY=1
VARIANT_page16k := $(VARIANT_debug) -DMYALLOC_FORCE_PAGE=16384
VARIANT_page64k := $(VARIANT_debug) -DMYALLOC_FORCE_PAGE=65536
VARIANT_clang   := -O2
VARIANT_core-only := -O2 -DCONFIG_FEATURES=0
VARIANT_asan    := -Og -DCONFIG_DEBUG=1 -fsanitize=address -fno-omit-frame-pointer
VARIANT_ubsan   := -Og -DCONFIG_DEBUG=1 -fsanitize=undefined -fno-sanitize-recover=all
VARIANT_fuzz    := -O1 -DCONFIG_DEBUG=1 -fsanitize=fuzzer-no-link,address,undefined \
        -fno-sanitize-recover=undefined -fno-omit-frame-pointer
VARIANT_tsan    := -Og -DCONFIG_DEBUG=1 -fsanitize=thread

SUPPORT  := $(wildcard test/support/*.c)
HEADERS  := $(wildcard test/support/*.h test/corruption/*.h)
programs  = $(patsubst test/%.c,$(T)/%,$(wildcard test/$(1)/*.c))
scripts   = $(wildcard test/$(1)/*.sh)
# Not for aarch64, where they are not run: see test/README.md.
HAZARDS  := $(if $(findstring aarch64,$(B)),,hazards)
PROGRAMS := $(foreach d,api corruption $(HAZARDS) injection negative sequences stress, \
        $(call programs,$d))
VICTIMS  := $(if $(HAZARDS),$(call programs,hazards/programs))
PLUGINS  := $(patsubst test/%.c,$(T)/%.so,$(wildcard test/hazards/plugins/*.c) test/preload/probe.c)
UNITS    := $(patsubst test/unit/%.c,$(B)/unit/%,$(wildcard test/unit/*.c))
ARCHIVED := $(addprefix $(B)/archive/,stress/stress api/malloc api/calloc api/realloc api/free \
        api/pool_model api/pool_threads api/observed \
        api/posix_memalign api/aligned_alloc api/memalign api/valloc api/malloc_usable_size)

$(T)/support/%.o: test/support/%.c $(HEADERS)
	$(CC_TEST) -c -o $@ $<
$(PROGRAMS): $(T)/%: test/%.c $(SUPPORT:test/%.c=$(T)/%.o)
	$(CC_TEST) -o $@ $^ -pthread
# The soak: its model beside it; optimized, since most of its time is its own.
SOAK := $(T)/soak/soak
$(SOAK): $(wildcard test/soak/*.[ch]) $(SUPPORT:test/%.c=$(T)/%.o)
	$(CC_TEST) -O2 -o $@ $(filter %.c %.o,$^) -pthread
$(VICTIMS): $(T)/%: test/%.c
	$(CC_TEST) -o $@ $< -pthread
$(T)/hazards/programs/%: test/hazards/programs/%.cc
	@mkdir -p $(@D) && g++ $(CFLAGS_TEST) -Wno-sized-deallocation -o $@ $<
$(PLUGINS): $(T)/%.so: test/%.c
	$(CC_TEST) -shared -fPIC -Wl,-rpath,'$$ORIGIN' -o $@ $<

# Linked with all floors; the names of the malloc family mean api_* there.
$(ARCHIVED): $(B)/archive/%: test/%.c $(SUPPORT) $(HEADERS) $(FLOOR_AR)
	$(CC_TEST) $(VARIANT) -include support/subject_archive.h -o $@ $< $(SUPPORT) \
	        -Wl,--whole-archive $(FLOOR_AR) -Wl,--no-whole-archive -pthread

# Linked with the floor of the module and those below it: a call upwards does not link.
floor_of   = $(foreach f,$(FLOORS),$(if $(wildcard src/$f/$(1).h),$f))
upto       = $(firstword $(2)) \
        $(if $(filter $(1),$(firstword $(2))),,$(call upto,$(1),$(wordlist 2,99,$(2))))
unit_floor = $(call upto,$(call floor_of,$(patsubst test_%,%,$(1))),$(FLOORS))
$(UNITS): $(B)/unit/%: test/unit/%.c $(HEADERS) $(FLOOR_AR)
	$(CC_TEST) $(VARIANT) -o $@ $< -Wl,--whole-archive \
	        $(patsubst %,$(B)/lib%.a,$(call unit_floor,$*)) -Wl,--no-whole-archive \
	        -lcriterion -lm -pthread

# The suites; they run inside a group, which is one build with one setting.
LIBRARY = $(if $(filter-out glibc,$(GROUP)),$(HERE)/$(B)/libmyalloc.so)
SUITE = @RESULTS=$(RESULTS) TEST_PROGRAMS=$(HERE)/$(T) CC=$(call quote,$(CC)) LIB=$(LIBRARY) $(1) \
        test/support/suite.sh $(GROUP)$(@:suite%=%)
suite-negative suite-preload suite-injection suite-report suite-misuse:
	$(SUITE) $(call scripts,$(@:suite-%=%))
# clang-tidy takes minutes on a fresh checkout.
suite-static:
	$(call SUITE,LIMIT=900) $(call scripts,static)
# The command with hostile input; the workloads, for a moment; the programs that everyone has.
suite-cli:
	$(call SUITE,LIMIT=600 MYALLOC=$(B)/myalloc) test/cli/run.sh
suite-bench:
	$(call SUITE,LIMIT=600) test/bench/smoke.sh
suite-compat:
	$(call SUITE,LIMIT=600) test/compat/everywhere.sh
# The scripts first: the longest are among them.
suite-api suite-corruption suite-hazards suite-sequences suite-stress:
	$(SUITE) $(filter-out $(WITHOUT_$(GROUP)),$(call scripts,$(@:suite-%=%)) \
	        $(call programs,$(@:suite-%=%)))
suite-soak:
	$(call SUITE,TEST_SECONDS=$(or $(TEST_SECONDS),110)) $(SOAK)
suite-unit:
	$(call SUITE,LIB= CRITERION_OUTPUTS=tap:-) $(UNITS)
suite-archive:
	$(call SUITE,LIB=) $(ARCHIVED)
# Memory fresh from the break is zero, but valgrind calls it undefined.
suite-valgrind:
	$(call SUITE,LIB= UNDER='valgrind -q --error-exitcode=9 --undef-value-errors=no' LIMIT=600 \
	        TEST_SECONDS=300 STRESS_SLOTS=500) $(ARCHIVED)

prepare-preload: $(if $(LIBRARY),$(B)/libmyalloc.so) $(PROGRAMS) $(VICTIMS) $(PLUGINS) \
        $(T)/hazards/programs/operator_delete
prepare-soak: prepare-preload $(SOAK)
prepare-cli: $(B)/myalloc $(B)/libmyalloc.so
prepare-bench: bench-build libmyalloc.so
prepare-compat prepare-misuse: libmyalloc.so
prepare-archive: $(ARCHIVED)
prepare-unit: $(UNITS)

# The groups: what is made before, and which suites then run, one after the other. The glibc group
# checks the checks: what they demand of the library, glibc does.
PRELOADED   := api corruption hazards stress
SUITES_main     := static negative $(PRELOADED) sequences soak preload report cli misuse compat \
        bench install
SUITES_debug    := unit injection
SUITES_brk-off  := $(PRELOADED)
SUITES_no-rseq  := $(PRELOADED) soak
SUITES_by-cpu   := $(PRELOADED)
SUITES_tiny     := api corruption stress
SUITES_core-only := api corruption stress
SUITES_page16k  := $(PRELOADED)
SUITES_page64k  := $(PRELOADED)
SUITES_clang    := $(PRELOADED)
SUITES_harden   := api corruption stress
SUITES_asan     := archive
SUITES_ubsan    := archive
SUITES_tsan     := archive
SUITES_fuzz     := fuzz
SUITES_valgrind := valgrind
SUITES_glibc    := $(PRELOADED) sequences preload
ALL_GROUPS      := main debug harden brk-off no-rseq by-cpu tiny core-only page16k page64k \
        clang asan ubsan tsan fuzz model

DIR_main     := build
DIR_brk-off  := build
DIR_harden   := build
DIR_no-rseq  := build
DIR_by-cpu   := build
DIR_glibc    := build
DIR_valgrind := build-debug
# The library of base, pages, core and front alone does what it does without these.
FLOORS_core-only  := FEATURES=
WITHOUT_core-only := $(addprefix $(T)/api/,background observed pool pool_model pool_threads walk) \
        $(addprefix $(T)/corruption/,pool hardened kinds) test/corruption/guard.sh
CC_clang     := clang
CC_fuzz      := clang
CONF_brk-off := MYALLOC_CONF=brk:0
CONF_no-rseq := GLIBC_TUNABLES=glibc.pthread.rseq=0
CONF_by-cpu  := MYALLOC_CONF=cpu_cache:cpu
CONF_core-only := TEST_EXCEPT=test/support/core-only.except
CONF_harden  := MYALLOC_CONF=harden:1 TEST_EXCEPT=test/support/harden.except
CONF_page16k := TEST_PAGE_BYTES=16384
CONF_page64k := TEST_PAGE_BYTES=65536 TEST_EXCEPT=test/support/page64k.except
prepared = $(if $(filter $(PRELOADED) injection sequences,$(1)),preload) \
        $(filter unit archive fuzz model soak cli misuse compat bench install,$(1:valgrind=archive))
build_of = $(or $(DIR_$(1)),build-$(1))

variant  = $(VARIANT_$(patsubst build-%,%,$(call build_of,$(1))))
SUB = env -u MAKEFLAGS -u MFLAGS $(MAKE) --no-print-directory -s -k GROUP=$* B=$(call build_of,$*) \
        CC=$(call quote,$(or $(CC_$*),$(CC))) $(FLOORS_$*) \
        $(if $(call variant,$*),VARIANT=$(call quote,$(call variant,$*)))
group-%: ready
	@rm -rf $(RESULTS)/$*-*
	@if $(SUB) -j2 $(patsubst %,prepare-%,$(call prepared,$(SUITES_$*))); \
	then $(CONF_$*) $(SUB) $(SUITES_$*:%=suite-%) 2>/dev/null || true; \
	else echo "$*: does not build"; fi

# What remains to be said after the groups: the sum, alone on the last line.
total = @test/support/total.sh $(RESULTS) $(foreach g,$(1),$(SUITES_$g:%=$g-%))
check: $(ALL_GROUPS:%=group-%)
	$(call total,$(ALL_GROUPS))
check-%: group-%
	$(call total,$*)
stress: export STRESS_SECONDS = 60
stress: export LIMIT = 300
stress: export TEST_SECONDS = 200
stress: ready
	@$(MAKE) --no-print-directory -s prepare-preload
	@$(MAKE) --no-print-directory -s GROUP=long suite-stress

# SOAK_SECONDS, SOAK_THREADS, SOAK_SEED, and MYALLOC_CONF for the library's options.
soak: export SOAK_SECONDS ?= 600
soak: ready
	@$(MAKE) --no-print-directory -s prepare-soak
	@LIB=$(HERE)/$(B)/libmyalloc.so LD_PRELOAD=$(HERE)/$(B)/libmyalloc.so \
	        TEST_SECONDS=$$(($(SOAK_SECONDS) + 60)) $(SOAK)

# The faults of the suites for long, with their counts: some ten minutes.
faults: ready
	@$(MAKE) --no-print-directory -s prepare-soak
	@LIB=$(HERE)/$(B)/libmyalloc.so TEST_PROGRAMS=$(HERE)/$(T) test/faults.sh

setup:
	@scripts/setup.sh
ready:
	@scripts/setup.sh --check
	@$(if $(filter $(LINK),$(HERE)),ln -sfn $(call quote,$(CURDIR)) $(LINK))
	@mkdir -p $(RESULTS)

FORMATTED = $(shell find src include test bench -name '*.[ch]')
format:
	clang-format -i $(FORMATTED)
tidy: ready
	@$(MAKE) --no-print-directory GROUP=alone suite-static

.PHONY: check stress soak faults setup ready format tidy
