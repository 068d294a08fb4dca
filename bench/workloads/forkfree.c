/*
 * forkfree: a child process that frees what its parent allocated. Stands for: pre-forking servers,
 * Python multiprocessing, Redis snapshots. The parent builds 100 MiB of blocks and forks; the child
 * frees every second one. Pages that the child writes are copied; freeing that keeps its books
 * outside the blocks copies few. `child_dirty_kib` is the child's Private_Dirty afterwards.
 * Live floor: 100 MiB of blocks of 32 to 2,048 bytes; the child needs no copy of them.
 */
#include "common.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FULL_MIB = 100, FORKS = 5, SMALLEST_BYTES = 32 };

static int run_child(struct block *blocks, size_t count, size_t *dirty_bytes)
{
    for (size_t i = 0; i < count; i += 2) {
        block_free(&blocks[i]);
    }
    *dirty_bytes = bench_resident("Private_Dirty:");
    for (size_t i = 1; i < count; i += 2) {
        block_check(&blocks[i]);
    }
    return 0;
}

static void fork_and_wait(struct block *blocks, size_t count, size_t *dirty_bytes)
{
    pid_t pid = fork();
    if (pid < 0) {
        bench_fail("cannot fork");
    }
    if (pid == 0) {
        _exit(run_child(blocks, count, dirty_bytes));
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        bench_fail("the child ended with status %#x", (unsigned)status);
    }
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "forkfree", "");
    struct rng r = rng_make(0);
    size_t goal = bench_scaled(FULL_MIB, 1) * MIB;
    struct block *blocks = bench_table(goal / SMALLEST_BYTES * sizeof *blocks);
    size_t *dirty_bytes =
        mmap(NULL, sizeof *dirty_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t count = 0;
    double start = bench_now();
    for (size_t bytes = 0; bytes < goal; bytes += blocks[count++].bytes) {
        blocks[count] = block_new(rng_log_size(&r, SMALLEST_BYTES, 2048), (uint32_t)count);
    }
    for (unsigned i = 0; i < FORKS; i++) {
        fork_and_wait(blocks, count, dirty_bytes);
    }
    for (size_t i = 0; i < count; i++) {
        block_free(&blocks[i]);
    }
    double seconds = bench_now() - start;
    bench_metric("child_dirty_kib", (double)*dirty_bytes / KIB);
    bench_result(count * FORKS, seconds);
    return 0;
}
