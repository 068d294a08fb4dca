# model.mk - the lock protocols in every interleaving: the floors as gcc makes them for its thread
# sanitizer, whose place test/model/explore.c takes. Their addresses are those in the file, for
# addr2line.
VARIANT_model := -O1 -fsanitize=thread -DCONFIG_DEBUG=1 -DCONFIG_TINY=1
SUITES_model  := model
MODEL         := build-model/protocols
MODEL_FLOORS  := $(patsubst %,build-model/lib%.a,heap trace pages base)
# No builtins: the compiler would check the names of the sanitizer's functions.
MODEL_LINK     = $(CC) -std=c11 $(CFLAGS_TEST) -DCONFIG_DEBUG=1 -DCONFIG_TINY=1 -no-pie \
        -Wno-builtin-declaration-mismatch -Wl,--wrap=os_futex_wait -Wl,--wrap=os_futex_wake \
        -o $(1) test/model/explore.c test/model/protocols.c $(2) \
        -Wl,--start-group $(MODEL_FLOORS) -Wl,--end-group

ifeq ($(B),build-model)
VARIANT := $(VARIANT_model)
$(MODEL): $(wildcard test/model/*.[ch]) $(MODEL_FLOORS)
	$(call MODEL_LINK,$@)
# For mutants.sh: MUTANT is a source that takes the place of the one in its floor.
mutant:
	@$(CC) $(CFLAGS_LIB) -w -c -o $(MUTANT:.c=.o) $(MUTANT)
	@$(call MODEL_LINK,$(MUTANT:.c=),$(MUTANT:.c=.o))
endif
prepare-model: $(MODEL)
suite-model:
	$(call SUITE,LIB= LIMIT=600) $(MODEL) test/model/mutants.sh

.PHONY: mutant
