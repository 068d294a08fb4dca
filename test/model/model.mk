# model.mk - locks, depot, slabs and slots in every interleaving: the floors as gcc makes them for
# its thread sanitizer, whose place test/model/explore.c takes, on the machine of
# test/model/machine. Their addresses are those in the file, for addr2line. Locks spin once.
MODEL_MACHINE := -iquote test/model/machine -include test/model/machine/machine.h -DCONFIG_DEBUG=1 \
        -DCONFIG_YOUNG_LOOKS=1
VARIANT_model := -O1 -fsanitize=thread -U__SANITIZE_THREAD__ $(MODEL_MACHINE)
SUITES_model  := model
MODEL         := build-model/protocols
MODEL_FLOORS  := $(patsubst %,build-model/lib%.a,core pages base)
MODEL_WRAPS   := os_futex_wait os_futex_wake os_random os_map os_purge os_restart_sequences \
        pthread_key_create pthread_setspecific
# No builtins: the compiler would check the names of the sanitizer's functions.
MODEL_LINK     = $(CC) -std=c11 $(CFLAGS_TEST) $(MODEL_MACHINE) -no-pie \
        -Wno-builtin-declaration-mismatch $(MODEL_WRAPS:%=-Wl,--wrap=%) \
        -o $(1) $(wildcard test/model/*.c) $(2) \
        -Wl,--start-group $(MODEL_FLOORS) -Wl,--end-group

ifeq ($(B),build-model)
VARIANT := $(VARIANT_model)
MODEL_SPINS := -DCONFIG_TINY=1
$(B)/base/lock.o: OWN_FLAGS += $(MODEL_SPINS)
$(MODEL): $(wildcard test/model/*.[ch] test/model/machine/*.h test/model/machine/core/*.h) \
        $(MODEL_FLOORS)
	$(call MODEL_LINK,$@)
# For mutants.sh: MUTANT is a source that takes the place of the one in its floor.
mutant:
	@$(CC) $(CFLAGS_LIB) $(if $(findstring /base/,$(MUTANT)),$(MODEL_SPINS)) -w -c \
	        -o $(MUTANT:.c=.o) $(MUTANT)
	@$(call MODEL_LINK,$(MUTANT:.c=),$(MUTANT:.c=.o))
endif
prepare-model: $(MODEL)
suite-model:
	$(call SUITE,LIB= LIMIT=600) $(MODEL) test/model/mutants.sh

.PHONY: mutant
