/*
 * tree: an interpreter's or compiler's syntax trees. Stands for: parsers, XML and JSON documents,
 * functional languages. One long tree lives through the run while short ones of every depth are
 * built, walked and dropped; nodes are 24 to 56 bytes.
 * Live floor: 131,071 nodes of about 40 bytes for the long tree and as many for a short one: 10 MB.
 */
#include "common.h"

enum { DEPTH_LONG = 16, DEPTH_MIN = 4, NODES_PER_DEPTH = 2000000 };

struct node {
    struct node *left, *right;
    uint32_t value;
    uint32_t payload_count; // words after the node
    uint64_t payload[];
};

// A full tree of `depth` levels. A node's value is its number in level order.
// NOLINTNEXTLINE(misc-no-recursion): trees are built and dropped this way, at most 17 deep
static struct node *build(struct rng *r, unsigned depth, uint32_t value)
{
    uint32_t payload_count = (uint32_t)rng_below(r, 5);
    struct node *n = malloc(sizeof *n + payload_count * sizeof n->payload[0]);
    if (n == NULL) {
        bench_fail("no memory for a node");
    }
    n->value = value;
    n->payload_count = payload_count;
    for (uint32_t i = 0; i < payload_count; i++) {
        n->payload[i] = block_word(value, i);
    }
    n->left = depth == 0 ? NULL : build(r, depth - 1, 2 * value);
    n->right = depth == 0 ? NULL : build(r, depth - 1, 2 * value + 1);
    return n;
}

// Checks and frees a tree; returns its number of nodes.
// NOLINTNEXTLINE(misc-no-recursion)
static size_t drop(struct node *n, uint32_t value)
{
    if (n == NULL) {
        return 0;
    }
    bool same = n->value == value;
    for (uint32_t i = 0; same && i < n->payload_count; i++) {
        same = n->payload[i] == block_word(value, i);
    }
    if (!same) {
        bench_fail("wrong contents in node %u at %p", value, (void *)n);
    }
    size_t count = drop(n->left, 2 * value) + drop(n->right, 2 * value + 1);
    free(n);
    return count + 1;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv, "tree", "");
    struct rng r = rng_make(0);
    unsigned depth_long = g_bench.scale < 1 ? DEPTH_LONG - 4 : DEPTH_LONG;
    size_t per_depth = bench_scaled(NODES_PER_DEPTH, 1000);
    double start = bench_now();
    struct node *kept = build(&r, depth_long, 1);
    size_t nodes = 0;
    for (unsigned depth = DEPTH_MIN; depth <= depth_long; depth += 2) {
        for (size_t built = 0; built < per_depth;) {
            built += drop(build(&r, depth, 1), 1);
            nodes += ((size_t)2 << depth) - 1;
        }
    }
    nodes += drop(kept, 1);
    bench_result(2 * nodes, bench_now() - start);
    return 0;
}
