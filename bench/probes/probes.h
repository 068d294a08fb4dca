/*
 * What the probes of `make bench-memory` share; main.c runs one of them.
 */
#ifndef BENCH_PROBES_H
#define BENCH_PROBES_H

#include <stddef.h>

// A table that is resident from now on, so that using it changes no figure.
void *memory_table(size_t bytes);
// Resident bytes count from here: the probe's own tables are there already.
void memory_begin(void);
size_t memory_resident(void);
double memory_share(size_t part, size_t whole); // in percent
// A program that goes on: a few small blocks every millisecond. Seconds at full size.
void memory_live_lightly(double seconds);
void memory_nap(double seconds); // and one that does nothing at all

// given_back.c: what is left when the program has freed
void probe_small(void);
void probe_large(void);
void probe_breath(void);
void probe_hugebreath(void);
void probe_rises(void);
void probe_vectors(void);
void probe_drop(void);

// threads.c
void probe_threads(void);
void probe_spawned(void);
void probe_random2(void);
void probe_random8(void);
void probe_burst(void);

// fragmentation.c
void probe_attack(void);
void probe_phases(void);
void probe_refill(void);
void probe_refit(void);

// handed_over.c: one thread allocates, another one frees
void probe_sleeper(void);
void probe_overwritten(void);
void probe_freeonly(void);

// growth.c: growing by realloc, and the longest call
void probe_growth(void);
void probe_append4k(void);
void probe_append16(void);
void probe_pause(void);

#endif
