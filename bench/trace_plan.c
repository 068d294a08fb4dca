#include "trace_plan.h"

#include "common.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { MAP_START_SLOTS = 1 << 12, RADIX_BITS = 8, RADIX = 1 << RADIX_BITS };
static const uint32_t g_nothing = UINT32_MAX;

// ---- an open-addressing map from 64-bit keys to 32-bit values, outside the measured heap ----

struct map_slot {
    uint64_t key;
    uint32_t value; // g_nothing: free slot
};
struct map {
    struct map_slot *slots;
    size_t slot_count, used; // slot_count is a power of two
};

static void map_open(struct map *m, size_t slot_count)
{
    *m = (struct map){bench_table(slot_count * sizeof *m->slots), slot_count, 0};
    for (size_t i = 0; i < slot_count; i++) {
        m->slots[i].value = g_nothing;
    }
}

static void map_close(struct map *m)
{
    munmap(m->slots, m->slot_count * sizeof *m->slots);
}

static size_t map_home(const struct map *m, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15U) >> 20) & (m->slot_count - 1);
}

static struct map_slot *map_find(const struct map *m, uint64_t key)
{
    size_t i = map_home(m, key);
    while (m->slots[i].value != g_nothing && m->slots[i].key != key) {
        i = (i + 1) & (m->slot_count - 1);
    }
    return &m->slots[i];
}

static void map_put(struct map *m, uint64_t key, uint32_t value)
{
    if (2 * m->used >= m->slot_count) {
        struct map larger;
        map_open(&larger, 2 * m->slot_count);
        for (size_t i = 0; i < m->slot_count; i++) {
            if (m->slots[i].value != g_nothing) {
                *map_find(&larger, m->slots[i].key) = m->slots[i];
            }
        }
        larger.used = m->used;
        map_close(m);
        *m = larger;
    }
    struct map_slot *slot = map_find(m, key);
    m->used += slot->value == g_nothing;
    *slot = (struct map_slot){key, value};
}

// Removes a key and returns its value, or g_nothing. Later entries of the chain move up.
static uint32_t map_take(struct map *m, uint64_t key)
{
    const size_t mask = m->slot_count - 1;
    size_t hole = (size_t)(map_find(m, key) - m->slots);
    uint32_t value = m->slots[hole].value;
    if (value == g_nothing) {
        return value;
    }
    for (size_t i = (hole + 1) & mask; m->slots[i].value != g_nothing; i = (i + 1) & mask) {
        size_t home = map_home(m, m->slots[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = g_nothing;
    m->used--;
    return value;
}

// ---- one order for all records ----

// A record gives memory back, takes memory, or (REALLOC) does both at different times.
struct half {
    uint64_t key; // time since the start, doubled; odd: takes
    size_t record;
};

static bool takes(const struct half *h)
{
    return (h->key & 1) != 0;
}

static bool list_halves(const struct trace *t, struct half *halves, size_t *count)
{
    uint64_t base = UINT64_MAX;
    for (size_t i = 0; i < t->record_count; i++) {
        base = t->records[i].time < base ? t->records[i].time : base;
    }
    *count = 0;
    for (size_t i = 0; i < t->record_count; i++) {
        const struct trace_record *r = &t->records[i];
        if ((r->end_time - base) >> 63 != 0) {
            return false;
        }
        if (r->op == TRACE_FREE || r->op == TRACE_REALLOC) {
            halves[(*count)++] = (struct half){(r->time - base) << 1, i};
        }
        if (r->op != TRACE_FREE) {
            halves[(*count)++] = (struct half){(r->end_time - base) << 1 | 1, i};
        }
    }
    return true;
}

// Stable sort by key, least significant digit first (qsort would use the measured heap).
static void sort_halves(struct half *halves, size_t count)
{
    struct half *spare = bench_table((count + 1) * sizeof *spare);
    struct half *from = halves;
    struct half *to = spare;
    for (unsigned shift = 0; shift < 64; shift += RADIX_BITS) {
        size_t starts[RADIX + 1] = {0};
        for (size_t i = 0; i < count; i++) {
            starts[(from[i].key >> shift) % RADIX + 1]++;
        }
        for (size_t digit = 0; digit < RADIX; digit++) {
            starts[digit + 1] += starts[digit];
        }
        for (size_t i = 0; i < count; i++) {
            to[starts[(from[i].key >> shift) % RADIX]++] = from[i];
        }
        struct half *swapped = from;
        from = to;
        to = swapped;
    }
    munmap(spare, (count + 1) * sizeof *spare); // after an even number of passes: all in `halves`
}

// ---- from ordered records to operations ----

struct planner {
    struct plan *plan;
    const struct trace *trace;
    struct map live;    // address >> 4 -> block
    struct map threads; // recorded thread -> thread of the plan
    uint64_t *sizes;    // by block
    uint32_t *sources;  // by record: REALLOC's old block between its halves
    uint32_t previous_thread;
    uint64_t live_bytes;
};

static void add_op(struct planner *s, struct plan_op op)
{
    s->plan->ops[s->plan->op_count++] = op;
    s->previous_thread = op.thread;
}

// The plan's number of a recorded thread; its first record makes the preceding thread start it.
static uint32_t plan_thread_of(struct planner *s, uint32_t recorded)
{
    const struct map_slot *slot = map_find(&s->threads, recorded);
    if (slot->value != g_nothing) {
        return slot->value;
    }
    uint32_t number = s->plan->thread_count++;
    map_put(&s->threads, recorded, number);
    if (number > 0) {
        add_op(s,
               (struct plan_op){.kind = PLAN_SPAWN, .block = number, .thread = s->previous_thread});
    }
    return number;
}

static void end_block(struct planner *s, uint32_t thread, uint32_t block)
{
    s->live_bytes -= s->sizes[block];
    add_op(s, (struct plan_op){.kind = PLAN_FREE, .block = block, .thread = thread});
}

static void plan_give_back(struct planner *s, const struct trace_record *r, size_t index)
{
    if (r->op == TRACE_REALLOC) {
        bool failed = r->block == 0;
        s->sources[index] = failed ? g_nothing : map_take(&s->live, r->old_block);
        return;
    }
    uint32_t thread = plan_thread_of(s, r->thread);
    uint32_t block = map_take(&s->live, r->block);
    if (block == g_nothing) {
        s->plan->dropped_frees++;
    } else {
        end_block(s, thread, block);
    }
}

static enum plan_kind kind_of(const struct trace_record *r, uint32_t source)
{
    switch (r->op) {
    case TRACE_CALLOC:
        return PLAN_CALLOC;
    case TRACE_ALIGNED:
        return PLAN_ALIGNED;
    case TRACE_REALLOC:
        return source == g_nothing ? PLAN_MALLOC : PLAN_REALLOC;
    default:
        return PLAN_MALLOC;
    }
}

static void plan_take(struct planner *s, const struct trace_record *r, size_t index)
{
    uint32_t thread = plan_thread_of(s, r->thread);
    if (r->block == 0) {
        s->plan->failed_calls++;
        return;
    }
    uint32_t source = r->op == TRACE_REALLOC ? s->sources[index] : g_nothing;
    uint32_t lost = map_take(&s->live, r->block);
    if (lost != g_nothing) {
        s->plan->implied_frees++;
        end_block(s, thread, lost);
    }
    uint32_t block = s->plan->block_count++;
    map_put(&s->live, r->block, block);
    s->sizes[block] = r->size;
    s->live_bytes += r->size - (source == g_nothing ? 0 : s->sizes[source]);
    if (s->live_bytes > s->plan->peak_live_bytes) {
        s->plan->peak_live_bytes = s->live_bytes;
    }
    add_op(s, (struct plan_op){.kind = (uint8_t)kind_of(r, source),
                               .size = r->size,
                               .block = block,
                               .source = source,
                               .thread = thread,
                               .alignment_log2 = r->alignment_log2});
}

static void plan_in_order(struct planner *s, const struct half *halves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct trace_record *r = &s->trace->records[halves[i].record];
        if (takes(&halves[i])) {
            plan_take(s, r, halves[i].record);
        } else {
            plan_give_back(s, r, halves[i].record);
        }
    }
}

// Moves the operations of each thread together, in their order.
static void group_by_thread(struct plan *p)
{
    struct plan_op *grouped = bench_table(p->op_room * sizeof *grouped);
    p->threads = bench_table((p->thread_count + 1) * sizeof *p->threads);
    for (size_t i = 0; i < p->op_count; i++) {
        p->threads[p->ops[i].thread].op_count++;
    }
    struct plan_op *next = grouped;
    for (uint32_t i = 0; i < p->thread_count; i++) {
        p->threads[i].ops = next;
        next += p->threads[i].op_count;
        p->threads[i].op_count = 0;
    }
    for (size_t i = 0; i < p->op_count; i++) {
        struct plan_thread *thread = &p->threads[p->ops[i].thread];
        grouped[(size_t)(thread->ops - grouped) + thread->op_count++] = p->ops[i];
    }
    munmap(p->ops, p->op_room * sizeof *p->ops);
    p->ops = grouped;
}

bool plan_make(struct plan *p, struct trace *t)
{
    const size_t records = t->record_count;
    if (records >= UINT32_MAX / 4) {
        snprintf(t->error, sizeof t->error, "too long to replay: %zu records", records);
        return false;
    }
    struct half *halves = bench_table((2 * records + 1) * sizeof *halves);
    size_t half_count = 0;
    if (!list_halves(t, halves, &half_count)) {
        snprintf(t->error, sizeof t->error, "the times of the records span more than 2^63 ticks");
        return false;
    }
    sort_halves(halves, half_count);

    // A record makes at most: one thread start, one implied free, one operation.
    *p = (struct plan){.op_room = 3 * records + 1};
    p->ops = bench_table(p->op_room * sizeof *p->ops);
    struct planner s = {.plan = p,
                        .trace = t,
                        .sizes = bench_table((records + 1) * sizeof *s.sizes),
                        .sources = bench_table((records + 1) * sizeof *s.sources)};
    map_open(&s.live, MAP_START_SLOTS);
    map_open(&s.threads, MAP_START_SLOTS);
    plan_in_order(&s, halves, half_count);
    group_by_thread(p);
    map_close(&s.live);
    map_close(&s.threads);
    munmap(s.sizes, (records + 1) * sizeof *s.sizes);
    munmap(s.sources, (records + 1) * sizeof *s.sources);
    munmap(halves, (2 * records + 1) * sizeof *halves);
    return true;
}

size_t plan_table_bytes(const struct plan *p)
{
    return p->op_count * sizeof *p->ops + p->thread_count * sizeof *p->threads;
}

void plan_drop(struct plan *p)
{
    munmap(p->ops, p->op_room * sizeof *p->ops);
    munmap(p->threads, (p->thread_count + 1) * sizeof *p->threads);
}
