/* lab_pool.c - experiment: a pool of blocks of one size on sbrk, with its free list drawn.
 *
 * Owns:       one piece of memory from sbrk, cut into blocks.
 * Threads:    one.
 * Invariants: POOL-1  every free block is on the free list once; its first word is the link.
 *             POOL-2  a block is given back only if its bit says that it is out: a double free is
 *                     seen.
 */
#include "cli/lab/lab.h"

#include "cli/tool.h"
#include "cli/render/units.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK_BYTES 64u
#define BLOCKS      64u // one page, and one bit each in a 64-bit word
#define BUMP_BYTES  1000u
#define PAIRS       1000000u
#define CALLS       20000u // of sbrk, which is so slow that fewer will do

struct pool {
    char *base;      // first byte of block 0
    char *free_head; // first free block, NULL if none is left
    uint64_t out;    // bit i: block i is in the user's hands
};

static unsigned index_of(const struct pool *pool, const char *block)
{
    return (unsigned)((size_t)(block - pool->base) / BLOCK_BYTES);
}

static void pool_reset(struct pool *pool)
{
    pool->out = 0;
    pool->free_head = NULL;
    for (unsigned i = BLOCKS; i-- > 0;) {
        char *const block = pool->base + (size_t)i * BLOCK_BYTES;
        *(char **)(void *)block = pool->free_head; // POOL-1
        pool->free_head = block;
    }
}

static char *pool_take(struct pool *pool)
{
    char *const block = pool->free_head;
    if (block != NULL) {
        pool->free_head = *(char **)(void *)block;
        pool->out |= 1ull << index_of(pool, block);
    }
    return block;
}

/* False: the block was not out. */
static bool pool_give(struct pool *pool, char *block)
{
    const uint64_t bit = 1ull << index_of(pool, block);
    if ((pool->out & bit) == 0) {
        return false; // POOL-2
    }
    pool->out &= ~bit;
    *(char **)(void *)block = pool->free_head;
    pool->free_head = block;
    return true;
}

/* "free list: 3 -> 1 -> 5 -> 6 -> ..." and one letter per block. */
static void draw(struct lab *lab, const struct pool *pool)
{
    char blocks[BLOCKS + 1];
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = (pool->out >> i & 1) != 0 ? '#' : '.';
    }
    blocks[BLOCKS] = 0;
    struct text list = {0};
    const char *block = pool->free_head;
    for (unsigned n = 0; n < 6 && block != NULL; n++) {
        text_printf(&list, "%s%u", n != 0 ? " -> " : "", index_of(pool, block));
        block = *(char *const *)(const void *)block;
    }
    lab_show(lab, "%s", blocks);
    lab_show(lab, "%s %s%s", lab->is_korean ? "가용 리스트:" : "free list:", text_string(&list),
             block != NULL ? " -> ..." : "");
    text_free(&list);
}

static void make(struct lab *lab, struct pool *pool)
{
    lab_step(lab, lab->is_korean
                      ? "sbrk(4096) 한 번으로 한 페이지를 얻어 64바이트 블록 64개로 자른다"
                      : "Take one page by a single sbrk and cut it into 64 blocks of 64 bytes");
    char *const top = sbrk(0);
    const size_t padding = (size_t)(-(uintptr_t)top % BLOCK_BYTES);
    char *const memory = sbrk((intptr_t)((size_t)BLOCKS * BLOCK_BYTES + padding));
    if (memory == (char *)-1) {
        tool_die(TOOL_FAILED, "sbrk: no memory");
    }
    pool->base = memory + padding;
    pool_reset(pool);
    draw(lab, pool);
    lab_say(
        lab,
        lab->is_korean
            ? "빈 블록은 아무도 쓰지 않으므로 그 안의 첫 8바이트에 다음 빈 블록의 주소를 적는다. "
              "이것이 가용 리스트(free list)다. 따로 드는 메모리가 없다. 블록 크기가 하나뿐이라 "
              "크기를 적을 헤더도 필요 없다."
            : "Nobody uses a free block, so its first 8 bytes hold the address of the next one: "
              "that is the free list, and it costs no memory of its own. All blocks have one size, "
              "so no header has to tell it.");
}

static void use(struct lab *lab, struct pool *pool)
{
    char *blocks[5];
    lab_step(lab, lab->is_korean ? "블록 다섯 개를 꺼낸다" : "Take five blocks");
    for (unsigned i = 0; i < 5; i++) {
        blocks[i] = pool_take(pool);
    }
    draw(lab, pool);
    lab_step(lab, lab->is_korean ? "1번과 3번을 돌려준다" : "Give back blocks 1 and 3");
    pool_give(pool, blocks[1]);
    pool_give(pool, blocks[3]);
    draw(lab, pool);
    lab_step(lab, lab->is_korean ? "하나를 다시 꺼낸다" : "Take one again");
    const char *const again = pool_take(pool);
    lab_show(lab, lab->is_korean ? "%u번이 나왔다" : "it is block %u", index_of(pool, again));
    draw(lab, pool);
    lab_say(lab, lab->is_korean
                     ? "마지막에 돌아온 것이 먼저 나간다(LIFO). 방금 쓴 블록은 아직 CPU 캐시에 "
                       "있으므로 가장 빠르다. 꺼내기도 돌려주기도 몇 개의 명령뿐이고 찾는 일이 "
                       "없다: O(1)."
                     : "The last one that came back goes out first (LIFO), because it is still in "
                       "the CPU's cache. Taking and giving back are a few instructions without any "
                       "search: O(1).");
    lab_step(lab, lab->is_korean ? "1번을 한 번 더 돌려준다(이중 해제)"
                                 : "Give block 1 back once more (a double free)");
    const bool is_taken = pool_give(pool, blocks[1]);
    lab_show(lab, "%s",
             is_taken         ? "?"
             : lab->is_korean ? "거절: 1번 블록은 나가 있지 않다"
                              : "refused: block 1 is not out");
    lab_say(lab, lab->is_korean
                     ? "검사가 없으면 같은 블록이 목록에 두 번 들어가 두 사람이 같은 메모리를 "
                       "받는다. 여기서는 블록마다 1비트(나가 있는가)를 블록 밖에 두어 바로 "
                       "알아낸다."
                     : "Without a check the block would be on the list twice, and two users would "
                       "get the same memory. One bit per block, kept outside of the blocks, tells "
                       "at once.");
}

static double ns_each(uint64_t begin_ns, unsigned count)
{
    return (double)(tool_now_ns() - begin_ns) / (double)count;
}

static void time_it(struct lab *lab, struct pool *pool)
{
    lab_step(lab, lab->is_korean ? "시간을 잰다: 꺼내고 돌려주기 한 쌍"
                                 : "Time a pair of take and give back");
    char *volatile block = NULL; // volatile: the compiler may not drop the pairs
    uint64_t begin_ns = tool_now_ns();
    for (unsigned i = 0; i < PAIRS; i++) {
        block = pool_take(pool);
        pool_give(pool, block);
    }
    lab_show(lab, "pool          %8.1f ns", ns_each(begin_ns, PAIRS));
    begin_ns = tool_now_ns();
    for (unsigned i = 0; i < PAIRS; i++) {
        block = malloc(BLOCK_BYTES);
        free(block);
    }
    lab_show(lab, "malloc + free %8.1f ns", ns_each(begin_ns, PAIRS));
    begin_ns = tool_now_ns();
    for (unsigned i = 0; i < CALLS; i++) {
        block = sbrk(4096);
        sbrk(-4096);
    }
    lab_show(lab, "sbrk up, down %8.1f ns", ns_each(begin_ns, CALLS));
    lab_say(
        lab,
        lab->is_korean
            ? "시스템 콜은 커널까지 다녀온다. 그래서 할당자는 크게 한 번 얻어 스스로 나눈다. 풀은 "
              "크기가 하나라서 범용 malloc보다 할 일이 적다."
            : "A system call goes to the kernel and back: allocators take much at once and hand it "
              "out themselves. The pool knows one size only, so it does less than a general "
              "malloc.");
}

/* The simplest of all: the next byte that was not given out yet. */
struct bump {
    char *base, *next, *end;
};

static char *bump_take(struct bump *bump, size_t bytes)
{
    char *const block = bump->next;
    if ((size_t)(bump->end - block) < bytes) {
        return NULL;
    }
    bump->next += bytes;
    return block;
}

static void bump_until_full(struct lab *lab, const struct pool *pool)
{
    char *const end = pool->base + (size_t)BLOCKS * BLOCK_BYTES;
    struct bump bump = {pool->base, pool->base, end};
    lab_step(lab, lab->is_korean
                      ? "범프(bump) 풀: 같은 4096바이트에서 1000바이트씩, 포인터 하나만 옮긴다"
                      : "A bump pool: 1000 bytes each time of the same 4096, only a pointer moves");
    const char *block = NULL;
    while ((block = bump_take(&bump, BUMP_BYTES)) != NULL) {
        lab_show(lab, "take(%u) = base + %td", BUMP_BYTES, block - bump.base);
    }
    lab_show(lab,
             lab->is_korean ? "take(%u) = NULL: Out of memory (%td바이트 남음)"
                            : "take(%u) = NULL: Out of memory (%td bytes are left)",
             BUMP_BYTES, bump.end - bump.next);
    bump.next = bump.base;
    block = bump_take(&bump, BUMP_BYTES);
    lab_show(lab, "reset; take(%u) = base + %td", BUMP_BYTES, block - bump.base);
    lab_say(lab,
            lab->is_korean
                ? "더하기 한 번과 비교 한 번이 전부다. 블록 하나를 돌려주는 방법은 없다. 자리가 "
                  "다하면 NULL이고, 풀 전체를 한 번에 비운다. 남은 바이트는 이번 크기에는 쓸모가 "
                  "없다."
                : "One addition and one comparison are all. No block can be given back alone: when "
                  "the room is used up the answer is NULL, and the pool is emptied as a whole. The "
                  "bytes that are left are of no use for this size.");
}

int lab_pool(struct lab *lab)
{
    struct pool pool = {0};
    make(lab, &pool);
    use(lab, &pool);
    time_it(lab, &pool);
    lab_step(lab, lab->is_korean ? "풀을 통째로 비운다(reset)" : "Reset: empty the whole pool");
    pool_reset(&pool);
    draw(lab, &pool);
    lab_say(lab, lab->is_korean ? "블록을 하나씩 돌려주지 않아도 된다. 게임의 한 프레임, 서버의 한 "
                                  "요청처럼 함께 끝나는 것들을 한 번에 비운다. 라이브러리에도 이런 "
                                  "풀이 있다: myalloc_pool_create, libmyalloc(3)."
                                : "No block has to be given back on its own: things that end "
                                  "together, such as one frame of a game or one request of a "
                                  "server, are emptied at once. The library has such pools for "
                                  "programs: myalloc_pool_create, see libmyalloc(3).");
    bump_until_full(lab, &pool);
    lab_wait(lab);
    return TOOL_OK;
}
