# libmyalloc: `make` builds ./libmyalloc.so and ./myalloc; `make check` tests them; `make help` lists the rest.
ifeq ($(origin CC),default)
CC := gcc
endif
B       ?= build
VARIANT ?= -O2
PREFIX  ?= /usr/local

WARN := -Wall -Wextra -Werror -Wshadow -Wundef -Wconversion -Wcast-qual -Wwrite-strings \
        -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wswitch-enum \
        -Wimplicit-fallthrough -Wnull-dereference
ifneq ($(findstring clang,$(CC)),)
WARN += -Wthread-safety
else
DENSE := -fno-align-loops -fno-align-jumps
endif
# Without -fno-builtin-*, gcc turns malloc + memset inside calloc into a call of calloc.
CFLAGS_LIB = -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fsemantic-interposition \
        -ftls-model=initial-exec \
        -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free \
        -gdwarf-4 $(DENSE) -Isrc -Iinclude $(WARN) $(VARIANT) $(CFLAGS_EXTRA)
# One code and one data segment, and no relro: each would cost every process a system call.
LDFLAGS_LIB := -shared -Wl,-soname,libmyalloc.so -Wl,-z,defs,-z,norelro,-z,now,-z,nodelete,-z,noseparate-code \
        -Wl,--hash-style=gnu,--as-needed,--gc-sections -Wl,--version-script=src/front/libmyalloc.map \
        -Wl,-T,src/front/libmyalloc.ld $(LDFLAGS_EXTRA)

# The floors, lowest first: one archive each; unit tests link a floor and those below it.
FLOORS   := base pages core pool hardened sampling profile trace inspect front
FLOOR_AR := $(FLOORS:%=$(B)/lib%.a)
SRC_LIB  := $(foreach f,$(FLOORS),$(wildcard src/$f/*.c))
OBJ_LIB  := $(SRC_LIB:src/%.c=$(B)/%.o) $(B)/front/vfork_x86_64.o
SRC_CLI  := $(wildcard src/cli/*.c src/cli/*/*.c)
OBJ_CLI  := $(SRC_CLI:src/%.c=$(B)/%.o)

all: libmyalloc.so $(if $(SRC_CLI),myalloc)

libmyalloc.so: $(B)/libmyalloc.so
	@cp -f $< $@.tmp && mv -f $@.tmp $@
myalloc: $(B)/myalloc
	@cp -f $< $@.tmp && mv -f $@.tmp $@

$(B)/libmyalloc.so: $(OBJ_LIB) src/front/libmyalloc.map src/front/libmyalloc.ld
	$(CC) $(VARIANT) $(CFLAGS_EXTRA) $(LDFLAGS_LIB) -o $@ $(OBJ_LIB)
$(B)/myalloc: $(OBJ_CLI)
	$(CC) $(VARIANT) -o $@ $(OBJ_CLI) $(LDFLAGS_EXTRA)

# What no fast path and no refill calls is built for size, its unwind tables only for debuggers:
# the library stays small in memory.
SMALL := $(wildcard $(patsubst %,src/%/*.c,base pages pool trace inspect)) \
        $(addprefix src/core/,emergency.c large.c thin.c) \
        $(addprefix src/front/,start.c report.c statistics.c fork.c shadow.c extensions.c pools.c files.c)
# These keep their tables: our own walk up the stack begins there.
WALKED := $(wildcard src/profile/*.c) src/front/profiling.c
$(WALKED:src/%.c=$(B)/%.o): CFLAGS_EXTRA += $(if $(filter -O2,$(VARIANT)),-Oz)
$(SMALL:src/%.c=$(B)/%.o): CFLAGS_EXTRA += $(if $(filter -O2,$(VARIANT)),-Oz) \
        -fno-asynchronous-unwind-tables

# Of what stands in no other place the linker drops what only the unit tests call.
$(OBJ_LIB): CFLAGS_EXTRA += -ffunction-sections

$(B)/cli/%.o: src/cli/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -g -Isrc -Iinclude $(WARN) $(VARIANT) $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<
$(B)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_LIB) -MMD -MP -c -o $@ $<
$(B)/%.o: src/%.S
	@mkdir -p $(@D)
	$(CC) -fPIC -Isrc $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<

define floor_archive
$(B)/lib$(1).a: $(patsubst src/%.c,$(B)/%.o,$(filter-out src/front/interpose.c,$(wildcard src/$(1)/*.c)))
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach f,$(FLOORS),$(eval $(call floor_archive,$f)))

-include $(OBJ_LIB:.o=.d) $(OBJ_CLI:.o=.d)
-include test/test.mk test/coverage/coverage.mk test/model/model.mk test/fuzz/fuzz.mk test/compat/compat.mk test/misuse/misuse.mk bench/bench.mk

install: all
	install -D -m 755 libmyalloc.so $(DESTDIR)$(PREFIX)/lib/libmyalloc.so
	install -D -m 644 include/myalloc.h $(DESTDIR)$(PREFIX)/include/myalloc.h
	install -D -m 644 include/myalloc_live.h $(DESTDIR)$(PREFIX)/include/myalloc_live.h
	install -D -m 755 myalloc $(DESTDIR)$(PREFIX)/bin/myalloc
	install -D -m 644 src/man/myalloc.bash \
	        $(DESTDIR)$(PREFIX)/share/bash-completion/completions/myalloc
	for section in 1 3 7; do \
	    install -d $(DESTDIR)$(PREFIX)/share/man/man$$section && \
	    install -m 644 src/man/*.$$section $(DESTDIR)$(PREFIX)/share/man/man$$section || exit 1; \
	done

clean:
	rm -rf build build-* libmyalloc.so myalloc

help:
	@echo 'make              libmyalloc.so and the command myalloc'
	@echo 'make install      both, headers, manuals, completion: PREFIX, DESTDIR'
	@echo 'make check        all tests; make check-GROUP: those of a group,'
	@echo '                  $(ALL_GROUPS)'
	@echo 'make soak         ten minutes of random calls against a model: SOAK_SECONDS, SOAK_SEED'
	@echo 'make fuzz         libFuzzer on calls, options, traces, live pages: FUZZ_SECONDS each'
	@echo 'make faults       forks, threads, signals, refusals by the ten thousand, with their counts'
	@echo 'make coverage     which lines of src the suites reach, which not, and why'
	@echo 'make stress       threads for a minute; tidy: only the static checks; format: the sources'
	@echo 'make bench        measure; bench-real bench-memory bench-replay bench-scale'
	@echo '                  bench-report bench-self bench-setup bench-smoke'
	@echo 'make compat       real programs under every allocator; compat-setup installs them'
	@echo 'make misuse       which misuse every allocator catches'
	@echo 'make clean        remove what was built'

.PHONY: all install clean help
.DEFAULT_GOAL := all
