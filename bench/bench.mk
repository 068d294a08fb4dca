# Benchmarks. `make bench` measures, `make bench-report` draws; see bench/README.md.
# Selection: BENCH="tree server"  ALLOC="glibc myalloc /path/x.so"  RUNS=10  SCALE=0.5
PYTHON       ?= $(firstword $(wildcard /usr/bin/python3) python3)
BENCH_B      := $(B)/bench
BENCH_CFLAGS := -std=c11 -D_GNU_SOURCE -g -O2 -pthread -fno-builtin-malloc -fno-builtin-calloc \
        -fno-builtin-realloc -fno-builtin-free -Ibench -Isrc $(WARN) \
        $(CPPFLAGS) $(CFLAGS) $(CFLAGS_EXTRA)
BENCH_CC     = @mkdir -p $(@D) && $(CC) $(BENCH_CFLAGS) $(MAP_PATHS) $(LDFLAGS) -MMD -MP
BENCH_RUN    = $(PYTHON) bench/run.py --build $(BENCH_B) $(if $(BENCH),--bench "$(BENCH)") \
        $(if $(ALLOC),--alloc "$(ALLOC)") $(if $(RUNS),--runs $(RUNS)) \
        $(if $(SCALE),--scale $(SCALE))

BENCH_WORKLOADS := $(patsubst bench/workloads/%.c,$(BENCH_B)/%,$(wildcard bench/workloads/*.c))
BENCH_TOOLS     := $(addprefix $(BENCH_B)/,measure memory replay trace_tool probe.so crippled.so)

bench: bench-build
	$(BENCH_RUN) workloads
bench-real: bench-build
	$(BENCH_RUN) real
bench-memory: bench-build
	$(BENCH_RUN) memory
# TRACE="program.trace ..." as written by `myalloc record`; REPEAT=20 runs of it in one process
bench-replay: bench-build
	$(BENCH_RUN) $(if $(TRACE),--trace "$(TRACE)") $(if $(REPEAT),--repeat $(REPEAT)) replay
bench-report: bench-build
	$(BENCH_RUN) report
bench-self: bench-build
	$(BENCH_RUN) self
bench-smoke: bench-build
	$(BENCH_RUN) smoke
bench-scale: bench-build
	$(PYTHON) bench/scale.py
bench-setup:
	sh bench/setup.sh
bench-build: $(BENCH_WORKLOADS) $(BENCH_TOOLS)

$(BENCH_WORKLOADS): $(BENCH_B)/%: bench/workloads/%.c $(BENCH_B)/common.o
	$(BENCH_CC) -o $@ $< $(BENCH_B)/common.o -ldl
$(BENCH_B)/%.o: bench/%.c
	$(BENCH_CC) -c -o $@ $<
# Static: LD_PRELOAD then concerns only the command that it starts, and its own memory is small.
$(BENCH_B)/measure: bench/measure.c
	$(BENCH_CC) -static -o $@ $<
$(BENCH_B)/memory: $(patsubst bench/%.c,$(BENCH_B)/%.o,$(wildcard bench/probes/*.c)) \
        $(BENCH_B)/common.o
	$(BENCH_CC) -o $@ $^ -ldl
$(BENCH_B)/replay: $(addprefix $(BENCH_B)/,replay.o trace_plan.o trace_read.o common.o)
	$(BENCH_CC) -o $@ $^ -ldl
$(BENCH_B)/trace_tool: $(addprefix $(BENCH_B)/,trace_tool.o trace_plan.o trace_write.o \
        trace_read.o common.o)
	$(BENCH_CC) -o $@ $^ -ldl
$(BENCH_B)/%.so: bench/%.c
	$(BENCH_CC) -fPIC -shared -o $@ $< -ldl

-include $(wildcard $(BENCH_B)/*.d $(BENCH_B)/probes/*.d)
.PHONY: bench bench-real bench-memory bench-replay bench-report bench-scale bench-self bench-smoke \
        bench-setup bench-build
