/* lab_fit.c - experiment: where first fit, best fit and segregated fit put the same requests.
 *
 * Owns:       two drawn stories and one long random one, the same for every policy.
 * Threads:    one.
 * Invariants: LABFIT-1  the policies see the same requests in the same order, from a fixed seed.
 */
#include "cli/lab/lab.h"

#include "cli/lab/fit_model.h"
#include "cli/tool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LONG_UNITS  2048
#define LONG_STEPS  20000
#define LONG_BLOCKS 220 // live at once, about: keeps the heap seven tenths full

static const char *policy_name(const struct lab *lab, enum fit_policy policy)
{
    static const char *const english[] = {"first fit", "best fit", "segregated"};
    static const char *const korean[] = {"최초 적합 ", "최적 적합 ", "분리 적합 "};
    return lab->is_korean ? korean[policy] : english[policy];
}

/* One request of a drawn story: take `units` under a letter, or, with 0 units, free that letter. */
struct request {
    char letter;
    int units;
};

static void tell_story(struct lab *lab, enum fit_policy policy, const struct request *story,
                       int units)
{
    struct fit_heap *const heap = tool_allocate(sizeof(*heap));
    int starts[128];
    char line[FIT_UNITS_MAX + 1];
    char failed[32] = "";
    size_t failures = 0;
    fit_init(heap, policy, units, true);
    for (const struct request *r = story; r->letter != 0; r++) {
        if (r->units == 0) {
            fit_give(heap, starts[(int)r->letter]);
            continue;
        }
        starts[(int)r->letter] = fit_take(heap, r->units, r->letter);
        if (starts[(int)r->letter] < 0 && failures + 1 < sizeof(failed)) {
            failed[failures++] = r->letter;
        }
    }
    fit_draw(heap, line);
    failed[failures] = 0;
    lab_show(lab, "%s: %s%s", policy_name(lab, policy),
             failures == 0    ? (lab->is_korean ? "모두 들어감" : "all placed")
             : lab->is_korean ? "자리 없음: "
                              : "no room for ",
             failed);
    lab_show(lab, "  |%s|", line);
    free(heap);
}

static void show_best_wins(struct lab *lab)
{
    static const struct request story[] = {{'a', 8}, {'x', 2}, {'b', 4}, {'y', 2}, {'a', 0},
                                           {'b', 0}, {'C', 4}, {'D', 8}, {0, 0}};
    lab_step(lab,
             lab->is_korean
                 ? "a8 x2 b4 y2를 놓고 a와 b를 free한 뒤 C4, D8을 요청한다 (16칸 힙)"
                 : "Place a8 x2 b4 y2, free a and b, then ask for C4 and D8 (a heap of 16 units)");
    tell_story(lab, FIT_FIRST, story, 16);
    tell_story(lab, FIT_BEST, story, 16);
    lab_say(lab, lab->is_korean ? "구멍은 8칸과 4칸이다. 최초 적합은 앞의 8칸에 C를 놓아 큰 구멍을 "
                                  "망치고, D가 들어갈 자리가 없어진다. 최적 적합은 꼭 맞는 4칸을 "
                                  "골라 큰 구멍을 아낀다."
                                : "The holes are 8 and 4 units. First fit puts C into the first "
                                  "one, spoils the large hole, and D finds no room although enough "
                                  "units are free. Best fit takes the hole that fits exactly and "
                                  "saves the large one.");
}

static void show_first_wins(struct lab *lab)
{
    static const struct request story[] = {{'a', 8}, {'x', 2}, {'b', 6}, {'y', 2}, {'a', 0},
                                           {'b', 0}, {'C', 4}, {'D', 4}, {'E', 6}, {0, 0}};
    lab_step(lab, lab->is_korean
                      ? "이번에는 구멍이 8칸과 6칸이고 C4, D4, E6을 요청한다 (18칸 힙)"
                      : "Now the holes are 8 and 6, and C4, D4, E6 are asked for (18 units)");
    tell_story(lab, FIT_FIRST, story, 18);
    tell_story(lab, FIT_BEST, story, 18);
    lab_say(lab,
            lab->is_korean
                ? "이번에는 최적 적합이 진다. 6칸 구멍에 4칸을 놓아 쓸모없는 2칸 조각을 남긴다. "
                  "어느 쪽도 언제나 이기지는 않는다. 앞으로 무엇이 요청될지 모르기 때문이다."
                : "This time best fit loses: it puts 4 units into the hole of 6 and leaves a "
                  "splinter of 2. Neither policy always wins, because nobody knows what will be "
                  "asked for next.");
}

static void show_segregated(struct lab *lab)
{
    static const struct request story[] = {{'a', 3}, {'b', 3}, {'c', 7}, {'d', 3},
                                           {'e', 7}, {'f', 1}, {'b', 0}, {'e', 0},
                                           {'G', 4}, {'H', 2}, {0, 0}};
    lab_step(lab, lab->is_korean
                      ? "분리 적합: 크기마다 따로 slab을 둔다 (64칸 힙, +는 블록 안의 낭비)"
                      : "Segregated fit: slabs for each size class (64 units, + is waste inside)");
    tell_story(lab, FIT_FIRST, story, 64);
    tell_story(lab, FIT_SEGREGATED, story, 64);
    lab_say(lab, lab->is_korean
                     ? "3칸은 4칸으로, 7칸은 8칸으로 올려서 같은 크기끼리 나란히 놓는다. free된 "
                       "자리는 같은 크기에 꼭 맞으므로 찾을 것도, 조각도 없다. 대가는 두 가지다: "
                       "블록 안의 낭비(+)와, 다른 크기는 쓸 수 없는 slab의 빈 자리(.). 요즘의 "
                       "할당자는 작은 블록에 모두 이것을 쓴다."
                     : "3 units become 4 and 7 become 8, and equal sizes lie side by side. A freed "
                       "place fits the next request of its class exactly: nothing to search, no "
                       "splinters. The price: waste inside the blocks (+), and free places in a "
                       "slab that no other size can use (.). All modern allocators do this for "
                       "small blocks.");
}

static void show_coalescing(struct lab *lab)
{
    lab_step(lab, lab->is_korean ? "병합: a4 b4 c4 d4를 놓고 b, c를 free한 뒤 E8을 요청한다"
                                 : "Coalescing: place a4 b4 c4 d4, free b and c, then ask for E8");
    for (int coalesces = 0; coalesces < 2; coalesces++) {
        struct fit_heap *const heap = tool_allocate(sizeof(*heap));
        char line[FIT_UNITS_MAX + 1];
        int starts[4];
        fit_init(heap, FIT_FIRST, 16, coalesces != 0);
        for (int i = 0; i < 4; i++) {
            starts[i] = fit_take(heap, 4, (char)('a' + i));
        }
        fit_give(heap, starts[1]);
        fit_give(heap, starts[2]);
        const bool is_placed = fit_take(heap, 8, 'E') >= 0;
        fit_draw(heap, line);
        lab_show(lab, "%-10s |%s|  %s",
                 coalesces != 0 ? (lab->is_korean ? "병합함    " : "coalesced")
                                : (lab->is_korean ? "병합 안 함" : "apart"),
                 line,
                 is_placed ? (lab->is_korean ? "E가 들어감" : "E is placed")
                           : (lab->is_korean ? "E의 자리 없음" : "no room for E"));
        free(heap);
    }
    lab_say(lab, lab->is_korean
                     ? "빈 이웃 둘은 8칸이지만, 합치지 않으면 4칸짜리 둘로 남아 8칸을 줄 수 없다. "
                       "합치려면 이웃이 비었는지 O(1)로 알아야 한다. 크누스의 경계 태그(boundary "
                       "tag)가 그것이고, myalloc은 그 정보를 힙 밖의 표에 둔다."
                     : "Two free neighbours are 8 units, but left apart they are two pieces of 4 "
                       "and cannot serve 8. To join them, one must know at once whether a "
                       "neighbour is free: Knuth's boundary tags tell it, and myalloc keeps them "
                       "in a table outside of the heap.");
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Mostly small, sometimes large, as in real programs. */
static int random_units(uint32_t *state)
{
    const uint32_t r = next_random(state);
    return (r & 7) != 0 ? 1 + (int)(r >> 8 & 7) : 8 + (int)(r >> 8 & 31);
}

static void run_long(struct lab *lab, enum fit_policy policy)
{
    struct fit_heap *const heap = tool_allocate(sizeof(*heap));
    int live[LONG_BLOCKS];
    uint32_t state = 2463534242u; // LABFIT-1
    long failures = 0;
    memset(live, -1, sizeof(live));
    fit_init(heap, policy, LONG_UNITS, true);
    for (int step = 0; step < LONG_STEPS; step++) {
        const uint32_t slot = next_random(&state) % LONG_BLOCKS;
        const int units = random_units(&state);
        if (live[slot] >= 0) {
            fit_give(heap, live[slot]);
        }
        live[slot] = fit_take(heap, units, 'x');
        failures += live[slot] < 0 ? 1 : 0;
    }
    const struct fit_figures figures = fit_measure(heap);
    const double fragmentation =
        figures.free_units != 0
            ? 100.0 * (1.0 - (double)figures.free_piece_max / figures.free_units)
            : 0.0;
    lab_show(lab,
             lab->is_korean ? "%-10s 실패 %4ld   빈 칸 %4d   가장 긴 빈 곳 %3d"
                            : "%-10s failed %4ld   free %4d   longest %3d",
             policy_name(lab, policy), failures, figures.free_units, figures.free_piece_max);
    lab_show(lab,
             lab->is_korean ? "           외부 단편화 %3.0f%%   내부 낭비 %3d   탐색 %4.1f"
                            : "           fragmentation %3.0f%%   waste inside %3d   looks %4.1f",
             fragmentation, figures.wasted_inside, (double)heap->looks / (double)heap->searches);
    free(heap);
}

static void show_long(struct lab *lab)
{
    lab_step(lab,
             lab->is_korean ? "%d번의 무작위 free와 malloc (%d칸 힙, 블록 약 %d개)"
                            : "%d random frees and mallocs (a heap of %d units, about %d blocks)",
             LONG_STEPS, LONG_UNITS, LONG_BLOCKS);
    for (int policy = 0; policy < FIT_POLICIES; policy++) {
        run_long(lab, (enum fit_policy)policy);
    }
    lab_say(lab, lab->is_korean ? "외부 단편화는 1 - (가장 긴 빈 곳 / 모든 빈 칸)이다: 빈 칸은 "
                                  "많은데 이어져 있지 않다. 탐색은 한 번 고르면서 살펴본 빈 조각의 "
                                  "수다. 최적 적합은 모두 살펴보므로 느리고, 분리 적합은 거의 찾지 "
                                  "않지만 안쪽 낭비가 있다. 그래서 myalloc은 섞어 쓴다: 작은 "
                                  "블록은 분리 적합, 큰 블록의 chunk는 최초와 최적 사이에서 "
                                  "고르고 병합한다."
                                : "Fragmentation is 1 - (longest free piece / all free units): "
                                  "many units are free, but not in one piece. Looks are the free "
                                  "pieces examined per search. Best fit looks at all of them, so "
                                  "it is slow; segregated fit hardly searches, but wastes inside. "
                                  "So myalloc mixes: small blocks segregated; chunks of large "
                                  "blocks between first and best, coalesced.");
}

int lab_fit(struct lab *lab)
{
    show_best_wins(lab);
    show_first_wins(lab);
    show_segregated(lab);
    show_coalescing(lab);
    show_long(lab);
    return TOOL_OK;
}
