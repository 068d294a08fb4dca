# fuzz.mk - libFuzzer on four doors: calls, MYALLOC_CONF, traces, live pages. `make check` replays
# the corpus and some thousand runs with a fixed seed; `make fuzz` goes on for FUZZ_SECONDS each.
# In build-fuzz the library is built by clang with coverage, address and undefined sanitizers.
FUZZERS     := $(addprefix build-fuzz/fuzz/,calls options trace live_page)
FUZZ_DATA   := test/fuzz/corpus
FUZZ_CC      = $(CC) -std=c11 $(CFLAGS_TEST) -Itest/cli -Ibench $(VARIANT) -fsanitize=fuzzer
FUZZ_SECONDS ?= 60

ifeq ($(B),build-fuzz)
fuzz_of_calls     := $(FLOOR_AR)
fuzz_of_options   := $(FLOOR_AR)
fuzz_of_trace     := bench/trace_read.c bench/trace_plan.c bench/common.c
fuzz_of_live_page := test/cli/page_fill.c $(filter-out %/main.o,$(OBJ_CLI))
.SECONDEXPANSION:
$(FUZZERS): $(B)/fuzz/%: test/fuzz/%.c test/fuzz/fuzz.h $$(fuzz_of_$$*)
	@mkdir -p $(@D)
	$(FUZZ_CC) -o $@ $< -Wl,--whole-archive $(filter %.a,$^) -Wl,--no-whole-archive \
	        $(filter %.o,$^) $(filter-out $<,$(filter %.c,$^)) -pthread -lm
endif

prepare-fuzz: $(FUZZERS)
suite-fuzz:
	$(call SUITE,LIB= FUZZERS=$(HERE)/build-fuzz/fuzz LIMIT=600) test/fuzz/replay.sh

# What is new and worth keeping is left in build-fuzz/found, to be merged by hand.
fuzz: ready
	@$(MAKE) --no-print-directory -s -j2 B=build-fuzz CC=clang VARIANT='$(VARIANT_fuzz)' prepare-fuzz
	@for fuzzer in $(FUZZERS); do FUZZ_SECONDS=$(FUZZ_SECONDS) \
	        test/fuzz/run.sh $$fuzzer $(FUZZ_DATA) build-fuzz/found || exit 1; done
.PHONY: fuzz
