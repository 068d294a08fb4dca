#include "trace_write.h"

#include "common.h"
#include "trace/trace.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS_PER_THREAD = 300, ADDRESS_STEP = 1 << 17 };
static const uint64_t g_address_base = UINT64_C(0x7f1200000000);
static const uint64_t g_start_ticks = UINT64_C(1) << 40;

struct writer { // a thread with its open segment
    unsigned char segment[TRACE_SEGMENT_BYTES];
    uint32_t used_bytes; // of the segment, header included
    long file_slot;
    uint64_t time, block;
    uint32_t thread;
};

struct generator {
    FILE *out;
    long next_file_slot;
    uint64_t ticks;
    struct writer *writers;
    uint64_t *addresses; // by slot of the synthetic heap; 0: free
    size_t slot_count;
    uint32_t next_thread;
};

static void write_slot(struct generator *g, long slot, const void *bytes, size_t count)
{
    if (fseek(g->out, slot * TRACE_SEGMENT_BYTES, SEEK_SET) != 0 ||
        fwrite(bytes, 1, count, g->out) != count) {
        bench_fail("cannot write the trace");
    }
}

static void open_segment(struct generator *g, struct writer *w)
{
    struct trace_segment_header h = {
        .magic = TRACE_SEGMENT_MAGIC, .thread = w->thread, .start_ticks = g->ticks};
    memset(w->segment, 0, sizeof w->segment);
    memcpy(w->segment, &h, sizeof h);
    w->used_bytes = sizeof h;
    w->file_slot = g->next_file_slot++;
    w->time = g->ticks;
    w->block = 0;
}

static void close_segment(struct generator *g, struct writer *w)
{
    struct trace_segment_header h;
    memcpy(&h, w->segment, sizeof h);
    h.used_bytes = w->used_bytes - (uint32_t)sizeof h;
    h.sum = trace_sum(w->segment + sizeof h, h.used_bytes);
    memcpy(w->segment, &h, sizeof h);
    write_slot(g, w->file_slot, w->segment, sizeof w->segment);
}

static void put_varint(struct writer *w, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        w->segment[w->used_bytes++] = (unsigned char)(value | 0x80);
    }
    w->segment[w->used_bytes++] = (unsigned char)value;
}

static void put_block(struct writer *w, uint64_t address)
{
    int64_t difference = (int64_t)((address >> TRACE_BLOCK_SHIFT) - w->block);
    w->block = address >> TRACE_BLOCK_SHIFT;
    put_varint(w, ((uint64_t)difference << 1) ^ (uint64_t)(difference >> 63));
}

// Opens a new segment when this one is full, then writes op byte and time.
static void begin_record(struct generator *g, struct writer *w, enum trace_op op)
{
    if (w->used_bytes + TRACE_RECORD_MAX > sizeof w->segment) {
        close_segment(g, w);
        open_segment(g, w);
    }
    g->ticks += 3;
    w->segment[w->used_bytes++] = (unsigned char)op;
    put_varint(w, g->ticks - w->time);
    w->time = g->ticks;
}

// A place of the synthetic heap as an address: two addresses for each, used in turn.
static uint64_t slot_address(const struct generator *g, size_t slot, uint64_t before)
{
    uint64_t address = g_address_base + (2 * slot + 1) * ADDRESS_STEP;
    return address == before ? address + (g->slot_count * 2 + 1) * ADDRESS_STEP : address;
}

static void write_allocation(struct generator *g, struct writer *w, struct rng *r, size_t slot)
{
    enum trace_op op = (enum trace_op)rng_between(r, TRACE_MALLOC, TRACE_ALIGNED);
    begin_record(g, w, op);
    put_varint(w, rng_log_size(r, 16, 32768));
    if (op == TRACE_ALIGNED) {
        put_varint(w, rng_between(r, 4, 9));
    }
    g->addresses[slot] = slot_address(g, slot, 0);
    put_block(w, g->addresses[slot]);
}

static void write_realloc(struct generator *g, struct writer *w, struct rng *r, size_t slot)
{
    begin_record(g, w, TRACE_REALLOC);
    put_varint(w, rng_log_size(r, 16, 32768));
    put_block(w, g->addresses[slot]);
    put_varint(w, 2); // duration
    g->ticks += 2;
    w->time = g->ticks;
    g->addresses[slot] = slot_address(g, slot, g->addresses[slot]);
    put_block(w, g->addresses[slot]);
}

static void write_operation(struct generator *g, struct writer *w, struct rng *r)
{
    size_t slot = rng_below(r, g->slot_count);
    if (g->addresses[slot] == 0) {
        write_allocation(g, w, r, slot);
    } else if (rng_below(r, 4) == 0) {
        write_realloc(g, w, r, slot);
    } else {
        begin_record(g, w, TRACE_FREE);
        put_block(w, g->addresses[slot]);
        g->addresses[slot] = 0;
    }
}

static void replace_threads(struct generator *g, uint32_t thread_count)
{
    for (uint32_t i = 0; i < thread_count; i++) {
        g->writers[i].thread = g->next_thread++;
        begin_record(g, &g->writers[i], TRACE_THREAD);
        put_varint(&g->writers[i], g->writers[i].thread);
    }
}

static void write_header(struct generator *g)
{
    struct trace_file_header h = {.magic = TRACE_FILE_MAGIC,
                                  .version = TRACE_VERSION,
                                  .segment_bytes = TRACE_SEGMENT_BYTES,
                                  .pid = (uint32_t)getpid(),
                                  .first_ticks = g_start_ticks,
                                  .last_ticks = g->ticks,
                                  .last_ns = (g->ticks - g_start_ticks) * 10,
                                  .command = "synthetic"};
    write_slot(g, 0, &h, sizeof h);
}

void trace_write_synthetic(const char *file_name, const struct trace_shape *shape)
{
    struct generator g = {.out = fopen(file_name, "w"), .next_file_slot = 1};
    if (g.out == NULL) {
        bench_fail("cannot write %s", file_name);
    }
    struct rng r = rng_make(0);
    g.ticks = g_start_ticks;
    g.writers = bench_table(shape->thread_count * sizeof *g.writers);
    g.slot_count = (size_t)shape->thread_count * SLOTS_PER_THREAD;
    g.addresses = bench_table(g.slot_count * sizeof *g.addresses);
    for (; g.next_thread < shape->thread_count; g.next_thread++) {
        g.writers[g.next_thread].thread = g.next_thread;
        open_segment(&g, &g.writers[g.next_thread]);
    }
    for (size_t i = 0; i < shape->operation_count; i++) {
        if (i == shape->operation_count / 2) {
            replace_threads(&g, shape->thread_count);
        }
        write_operation(&g, &g.writers[rng_below(&r, shape->thread_count)], &r);
    }
    for (uint32_t i = 0; i < shape->thread_count; i++) { // left open, as by a kill
        write_slot(&g, g.writers[i].file_slot, g.writers[i].segment, g.writers[i].used_bytes);
    }
    write_header(&g);
    fclose(g.out);
}
