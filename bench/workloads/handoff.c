/*
 * handoff: producers allocate messages, consumers free them. Stands for: pipelines, message queues,
 * loggers, event loops with a thread for the network. `busy`: a bounded queue keeps both sides
 * going. `sleepy`: the producer makes a burst and sleeps while the consumer frees it, so nobody of
 * the producing side is awake to take its blocks back.
 * Live floor: busy 16 batches of 200 blocks of 16 to 512 bytes a pair: 0.4 MB; sleepy one burst of
 * 20,000 blocks a pair: 3 MB.
 */
#include "common.h"

#include <time.h>

enum { MESSAGES = 6000000, BATCH = 200, QUEUE = 16, BURST_BATCHES = 100, SLEEPY_BURSTS = 60 };

struct batch {
    struct block blocks[BATCH];
};

struct channel {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *batches;                  // ring
    size_t capacity, sent, received, total; // counted in batches
};

static void channel_open(struct channel *c, size_t capacity, size_t total)
{
    *c = (struct channel){PTHREAD_MUTEX_INITIALIZER,
                          PTHREAD_COND_INITIALIZER,
                          bench_table(capacity * sizeof(struct batch)),
                          capacity,
                          0,
                          0,
                          total};
}

// Waits until there is room (for the producer) or a batch (for the consumer); returns its place.
static struct batch *channel_next(struct channel *c, bool producing)
{
    pthread_mutex_lock(&c->lock);
    while (producing ? c->sent - c->received == c->capacity : c->sent == c->received) {
        pthread_cond_wait(&c->changed, &c->lock);
    }
    size_t index = (producing ? c->sent : c->received) % c->capacity;
    pthread_mutex_unlock(&c->lock);
    return &c->batches[index];
}

static void channel_advance(struct channel *c, bool producing)
{
    pthread_mutex_lock(&c->lock);
    *(producing ? &c->sent : &c->received) += 1;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void produce(struct channel *c)
{
    struct rng r = rng_make((uintptr_t)c);
    const struct timespec nap = {0, 4000000};
    for (size_t sent = 0; sent < c->total; sent++) {
        if (bench_is_variant("sleepy") && sent > 0 && sent % BURST_BATCHES == 0) {
            nanosleep(&nap, NULL);
        }
        struct batch *batch = channel_next(c, true);
        for (size_t i = 0; i < BATCH; i++) {
            batch->blocks[i] = block_new(rng_log_size(&r, 16, 512), (uint32_t)(sent * BATCH + i));
        }
        channel_advance(c, true);
    }
}

static void consume(struct channel *c)
{
    for (size_t received = 0; received < c->total; received++) {
        struct batch *batch = channel_next(c, false);
        for (size_t i = 0; i < BATCH; i++) {
            block_free(&batch->blocks[i]);
        }
        channel_advance(c, false);
    }
}

struct end {
    struct channel *channel;
    bool producing;
};

static void run_end(void *arg)
{
    const struct end *end = arg;
    (end->producing ? produce : consume)(end->channel);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "handoff", "busy sleepy");
    bool sleepy = bench_is_variant("sleepy");
    size_t pairs = g_bench.thread_count / 2;
    pairs = pairs == 0 ? 1 : pairs;
    size_t batches = bench_scaled(sleepy ? SLEEPY_BURSTS * BURST_BATCHES : MESSAGES / BATCH, pairs);
    struct channel *channels = bench_table(pairs * sizeof *channels);
    struct end *ends = bench_table(2 * pairs * sizeof *ends);
    for (size_t i = 0; i < pairs; i++) {
        channel_open(&channels[i], sleepy ? BURST_BATCHES : QUEUE, batches / pairs);
        ends[2 * i] = (struct end){&channels[i], true};
        ends[2 * i + 1] = (struct end){&channels[i], false};
    }
    double start = bench_now();
    bench_run_threads((unsigned)(2 * pairs), run_end, ends, sizeof *ends);
    bench_result(batches / pairs * pairs * BATCH, bench_now() - start);
    return 0;
}
