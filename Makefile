# libmyalloc: `make` builds ./libmyalloc.so and ./myalloc; `make check` tests them; `make help`
# lists the rest.
ifeq ($(origin CC),default)
CC := gcc
endif
B       ?= build
VARIANT ?= -O2
# Packagers set CPPFLAGS, CFLAGS, LDFLAGS, CFLAGS_EXTRA, and WERROR= for compilers not known here.
WERROR  ?= -Werror
# The version stands in include/myalloc.h and nowhere else; its first number is that of the soname.
VERSION := $(shell sed -n 's/^\#define MYALLOC_VERSION "\(.*\)"$$/\1/p' include/myalloc.h)
SONAME  := libmyalloc.so.$(firstword $(subst ., ,$(VERSION)))
OBJCOPY ?= objcopy
quote    = '$(subst ','\'',$(1))'

WARN := -Wall -Wextra $(WERROR) -Wshadow -Wundef -Wconversion -Wcast-qual -Wwrite-strings \
        -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wswitch-enum \
        -Wimplicit-fallthrough -Wnull-dereference
ifneq ($(findstring clang,$(CC)),)
WARN += -Wthread-safety
else
DENSE := -fno-align-loops -fno-align-jumps
endif
# Paths in debug information begin at the top of the checkout, wherever that is.
MAP_PATHS ?= -ffile-prefix-map="$$PWD"=.
OPTIMIZED  = $(VARIANT) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_EXTRA)
# What may not be lost stands last. Without -fno-builtin-*, gcc turns malloc + memset inside calloc
# into a call of calloc; sections of their own are what libmyalloc.ld sorts.
NEEDED := -std=c11 -fPIC -fvisibility=hidden -fsemantic-interposition -ftls-model=initial-exec \
        -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free \
        -ffunction-sections -fno-lto
CFLAGS_LIB = -D_GNU_SOURCE -gdwarf-4 $(DENSE) -Isrc -Iinclude $(WARN) $(OPTIMIZED) $(NEEDED) \
        $(OWN_FLAGS)
CFLAGS_CLI = -D_GNU_SOURCE -g -Isrc -Iinclude $(WARN) $(OPTIMIZED) -std=c11
# One code and one data segment, and no relro: each would cost every process a system call. In units
# of 64 KiB, which the kernel maps at once, whatever a page is: see src/front/libmyalloc.ld.
LDFLAGS_LIB := $(LDFLAGS) -shared -Wl,-soname,$(SONAME) \
        -Wl,-z,defs,-z,norelro,-z,now,-z,nodelete,-z,noseparate-code \
        -Wl,-z,max-page-size=0x10000 \
        -Wl,--hash-style=gnu,--as-needed,--gc-sections \
        -Wl,--version-script=src/front/libmyalloc.map \
        -Wl,-T,src/front/libmyalloc.ld $(LDFLAGS_EXTRA)

# The floors, lowest first: one archive each; unit tests link a floor and those below it.
# `make check-core-only` links base, pages, core and front alone.
FEATURES := pool hardened sampling trace inspect profile background extensions
FLOORS   := base pages core $(filter-out extensions,$(FEATURES)) front \
        $(filter extensions,$(FEATURES))
FLOOR_AR := $(FLOORS:%=$(B)/lib%.a)
SRC_LIB  := $(foreach f,$(FLOORS),$(sort $(wildcard src/$f/*.c)))
OBJ_LIB  := $(patsubst src/%,$(B)/%.o,$(basename $(SRC_LIB) \
        $(sort $(wildcard src/front/vfork_*.S))))
SRC_CLI  := $(sort $(wildcard src/cli/*.c src/cli/*/*.c))
OBJ_CLI  := $(SRC_CLI:src/%.c=$(B)/%.o)
# The archive for static programs: modules that ask the dynamic linker are compiled anew without.
ALONE    := base/symbol background/background front/start front/interpose sampling/guard
OBJ_A    := $(filter-out $(ALONE:%=$(B)/%.o) $(B)/front/shadow.o,$(OBJ_LIB)) \
        $(ALONE:%=$(B)/static/%.o) \
        $(B)/front/static/libc.o

all: libmyalloc.so myalloc $(B)/libmyalloc.a $(B)/bench/replay $(B)/bench/trace_tool

libmyalloc.so: $(B)/libmyalloc.so
	@cp -f $< $@.tmp && mv -f $@.tmp $@
myalloc: $(B)/myalloc
	@cp -f $< $@.tmp && mv -f $@.tmp $@

$(B)/libmyalloc.so: $(OBJ_LIB) src/front/libmyalloc.map src/front/libmyalloc.ld
	$(CC) $(OPTIMIZED) $(LDFLAGS_LIB) -o $@ $(OBJ_LIB)
$(B)/myalloc: $(OBJ_CLI)
	$(CC) $(OPTIMIZED) $(LDFLAGS) -o $@ $(OBJ_CLI) $(LDFLAGS_EXTRA)
# One object: whoever takes malloc takes all of it, and only the public names are global.
$(B)/libmyalloc.a: $(OBJ_A)
	$(CC) -r -nostdlib -o $(B)/libmyalloc.o $(OBJ_A)
	$(OBJCOPY) --localize-hidden --localize-symbol=dlopen $(B)/libmyalloc.o
	@rm -f $@ && ar rcsD $@ $(B)/libmyalloc.o

# What no fast path and no refill calls is built for size, its unwind tables only for debuggers:
# the library stays small in memory. A level of optimization that somebody asked for stands.
SMALL := $(wildcard $(patsubst %,src/%/*.c,base pages pool trace inspect extensions)) \
        $(addprefix src/core/,census.c emergency.c large.c thin.c thread.c) \
        $(addprefix src/hardened/,quarantine.c guarded.c hslab.c) \
        $(addprefix src/front/,start.c report.c statistics.c fork.c shadow.c extensions.c files.c \
        mallopt.c)
OZ     = $(if $(filter-out -O2,$(filter -O%,$(OPTIMIZED))),,-Oz)
$(SMALL:src/%.c=$(B)/%.o) $(SMALL:src/%.c=$(B)/static/%.o): \
        OWN_FLAGS += $(OZ) -fno-asynchronous-unwind-tables
# As small, but who walks up the stack passes through them: the unwinder of guard:N, and ours.
WALKED := $(patsubst src/%.c,%.o,$(wildcard src/profile/*.c)) \
        sampling/guard.o static/sampling/guard.o \
        core/slot.o core/inherited.o front/mode.o front/block.o
$(addprefix $(B)/,$(WALKED)): OWN_FLAGS += $(OZ)

# Objects follow the flags that they are made with: the file changes when those do.
FLAGS = $(call quote,$(CC): $(CFLAGS_LIB): $(CFLAGS_CLI): $(LDFLAGS_LIB))
$(B)/flags: FORCE
	@mkdir -p $(@D) && echo $(FLAGS) | cmp -s - $@ || echo $(FLAGS) >$@
$(OBJ_LIB) $(OBJ_CLI) $(OBJ_A): $(B)/flags Makefile

$(B)/cli/%.o: src/cli/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_CLI) $(MAP_PATHS) -MMD -MP -c -o $@ $<
$(B)/static/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_LIB) $(MAP_PATHS) -DCONFIG_STATIC=1 -MMD -MP -c -o $@ $<
$(B)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_LIB) $(MAP_PATHS) -MMD -MP -c -o $@ $<
$(B)/%.o: src/%.S
	@mkdir -p $(@D)
	$(CC) -Isrc $(OPTIMIZED) -fPIC $(MAP_PATHS) -MMD -MP -c -o $@ $<

define floor_archive
$(B)/lib$(1).a: $(patsubst src/%.c,$(B)/%.o,$(filter-out %/interpose.c, \
        $(filter src/$(1)/%,$(SRC_LIB))))
	@rm -f $$@ && ar rcsD $$@ $$^
endef
$(foreach f,$(FLOORS),$(eval $(call floor_archive,$f)))

-include $(OBJ_LIB:.o=.d) $(OBJ_CLI:.o=.d) $(OBJ_A:.o=.d)
-include test/test.mk test/coverage/coverage.mk test/model/model.mk test/fuzz/fuzz.mk \
        test/compat/compat.mk test/misuse/misuse.mk \
        test/install/install.mk test/aarch64/aarch64.mk bench/bench.mk scripts/install.mk

clean:
	rm -rf build build-* libmyalloc.so myalloc

help:
	@echo 'make              libmyalloc.so and the command myalloc'
	@echo 'make install      libraries, headers, commands, manuals, completions: PREFIX, DESTDIR'
	@echo 'make uninstall    takes away what install made; make dist: a tarball; make deb: packages'
	@echo 'make setup        installs what the tests need, by sudo for a user'
	@echo 'make check        all tests; make check-GROUP: those of a group,'
	@echo '                  $(ALL_GROUPS)'
	@echo 'make soak         ten minutes of random calls against a model: SOAK_SECONDS, SOAK_SEED'
	@echo 'make fuzz         libFuzzer on calls, options, traces, live pages: FUZZ_SECONDS each'
	@echo 'make faults       forks, threads, signals, refusals by the ten thousand, with their counts'
	@echo 'make coverage     which lines of src the suites reach, which not, and why'
	@echo 'make check-bare   once a week: README in a bare Debian; check-deb check-dist check-recipes'
	@echo 'make stress       threads for a minute; tidy: only the static checks; format: the sources'
	@echo 'make bench        measure; bench-real bench-memory bench-replay bench-scale'
	@echo '                  bench-report bench-self bench-setup bench-smoke'
	@echo 'make compat       real programs under every allocator; compat-setup installs them'
	@echo 'make check-aarch64  the same programs for aarch64, by qemu-user; fetches what it needs'
	@echo 'make misuse       which misuse every allocator catches'
	@echo 'make clean        remove what was built'

FORCE:

.PHONY: all clean help FORCE
.DEFAULT_GOAL := all
