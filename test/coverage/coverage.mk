# coverage.mk - `make coverage` runs the suites on a build that counts lines, and prints what part
# of src they reach, file by file, and what they do not reach and why (test/coverage/unreached.txt).
COVERAGE      := build-coverage
COVERAGE_FLOOR ?= 90
VARIANT_coverage := -Og -foptimize-sibling-calls -DCONFIG_DEBUG=1 --coverage
SUITES_coverage  := unit injection $(PRELOADED) archive soak preload report cli
DIR_coverage     := $(COVERAGE)
# The same build with what only an option runs.
SUITES_coverage-harden := api corruption hazards stress
CONF_coverage          := TEST_EXCEPT=test/coverage/counted.except
CONF_coverage-harden   := MYALLOC_CONF=harden:2 $(CONF_coverage)
SUITES_coverage-guard  := api hazards stress
CONF_coverage-guard    := MYALLOC_CONF=guard:9 $(CONF_coverage)
DIR_coverage-harden    := $(COVERAGE)
DIR_coverage-guard     := $(COVERAGE)

# The library of this build holds flush_library.o, whose names it exports beside its own, and the
# command flush.o.
ifeq ($(B),$(COVERAGE))
MAP_PATHS     :=
LDFLAGS_LIB   := $(subst src/front/libmyalloc.map,$(B)/libmyalloc.map,$(LDFLAGS_LIB)) \
        $(B)/flush_library.o -Wl,--wrap=os_exit
LDFLAGS_EXTRA += $(B)/flush.o
$(B)/libmyalloc.so: $(B)/flush_library.o $(B)/libmyalloc.map
$(B)/myalloc: $(B)/flush.o
$(B)/flush.o: test/coverage/flush.c
	$(CC_TEST) -fPIC -c -o $@ $<
$(B)/flush_library.o: test/coverage/flush.c
	$(CC_TEST) -DOF_LIBRARY -fPIC -c -o $@ $<
$(B)/libmyalloc.map: src/front/libmyalloc.map
	@mkdir -p $(@D) && sed 's/^  global:/&\n    abort;/' $< >$@
endif

# Counts of earlier runs must not speak for this one.
coverage: ready
	@find $(COVERAGE) -name '*.gcda' -delete 2>/dev/null || true
	@for group in coverage coverage-harden coverage-guard; do \
	        $(MAKE) --no-print-directory group-$$group; done
	@python3 test/coverage/report.py --least $(COVERAGE_FLOOR) $(COVERAGE)

.PHONY: coverage
