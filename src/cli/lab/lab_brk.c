/* lab_brk.c - experiment: raise and lower the program break, and see what the kernel makes of it.
 *
 * Owns:       the memory between the break that malloc left and the break of the moment.
 * Threads:    one.
 * Invariants: BRK-1  malloc has enough room from the start, so it does not move the break
 *                    meanwhile.
 *             BRK-2  the break is lowered only if it is where we put it, so nobody's memory is cut
 *                    off.
 */
#include "cli/lab/lab.h"

#include "cli/tool.h"
#include "cli/render/units.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define RAISE_BYTES (1u << 20)
#define TOUCH_PAGES 64u
#define PAGE_BYTES  4096u

struct reading {
    char *top;           // sbrk(0)
    uint64_t heap_bytes; // size of the mapping [heap]
    uint64_t heap_rss;   // its resident part
    uint64_t page_faults;
};

static struct reading read_now(void)
{
    struct reading now = {.page_faults = lab_page_faults(), .top = sbrk(0)};
    const struct mapping *const m = lab_find_mapping(now.top - 1);
    if (m != NULL) {
        now.heap_bytes = m->end - m->start;
        now.heap_rss = m->rss_bytes;
    }
    return now;
}

static void show(struct lab *lab, const struct reading *now)
{
    lab_show(lab, "sbrk(0) = %p   [heap] %s   RSS %s", (void *)now->top,
             units_bytes(now->heap_bytes).chars, units_bytes(now->heap_rss).chars);
}

/* BRK-1: every later look takes the memory that this one frees. */
static void make_room(void)
{
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    read_now();
}

static void raise_and_touch(struct lab *lab)
{
    lab_step(lab,
             lab->is_korean ? "sbrk(1 MiB): 브레이크를 올린다" : "sbrk(1 MiB): raise the break");
    char *const memory = sbrk(RAISE_BYTES);
    struct reading now = read_now();
    show(lab, &now);
    lab_say(
        lab,
        lab->is_korean
            ? "[heap]은 1 MiB 커졌지만 RSS는 그대로다. 커널은 '이 주소는 이제 써도 된다'고 적어 "
              "두었을 뿐, 메모리는 아직 주지 않았다. sbrk는 옛 브레이크, 곧 새 메모리의 시작을 "
              "돌려준다: %p."
            : "[heap] is 1 MiB larger, but RSS is the same. The kernel only noted that these "
              "addresses are valid; it has not given any memory. sbrk returned the old break, "
              "which is where the new memory starts: %p.",
        (void *)memory);
    lab_step(lab,
             lab->is_korean ? "새 페이지 %u개에 한 바이트씩 쓴다"
                            : "Write one byte to each of %u new pages",
             TOUCH_PAGES);
    const uint64_t faults_before = lab_page_faults();
    for (unsigned i = 0; i < TOUCH_PAGES; i++) {
        memory[(size_t)i * PAGE_BYTES] = 1;
    }
    const uint64_t faults = lab_page_faults() - faults_before;
    now = read_now();
    show(lab, &now);
    lab_show(lab, lab->is_korean ? "페이지 폴트 %llu번" : "%llu page faults",
             (unsigned long long)faults);
    lab_say(
        lab,
        lab->is_korean
            ? "처음 건드린 페이지마다 CPU가 멈추고(페이지 폴트) 커널이 0으로 채운 4 KiB를 하나 "
              "넣어 준다. RSS는 건드린 만큼, 256 KiB만 늘었다. 폴트 한 번이 malloc 수백 번과 "
              "맞먹으므로, "
              "할당자는 새 페이지를 되도록 적게 건드린다."
            : "At the first touch of each page the CPU stops (a page fault) and the kernel puts in "
              "4 KiB of zeroes. RSS grew by what was touched, 256 KiB, not by 1 MiB. One fault "
              "costs as much as hundreds of mallocs: that is why allocators touch few new pages.");
}

static void lower(struct lab *lab, char *start)
{
    lab_step(lab, lab->is_korean ? "brk(옛 주소): 브레이크를 제자리로 내린다"
                                 : "brk(old address): put the break back where it was");
    const bool is_ours = sbrk(0) == start + RAISE_BYTES; // BRK-2
    if (is_ours && brk(start) != 0) {
        tool_warn("brk: %s", strerror(errno));
    }
    const struct reading now = read_now();
    show(lab, &now);
    lab_say(lab,
            lab->is_korean
                ? "sbrk는 얼마나(상대), brk는 어디로(절대) 옮길지를 말한다. 내리면 그 위의 "
                  "페이지는 바로 커널로 돌아가 RSS가 줄어든다. 그러나 꼭대기에서부터만 내릴 수 "
                  "있다. 맨 위에 작은 블록 하나가 살아 있으면 그 아래의 빈 메모리는 이 길로는 "
                  "돌아가지 못한다."
                : "sbrk says how far (relative), brk says where to (absolute). What lies above "
                  "goes back to the kernel at once, and RSS falls. But this works from the top "
                  "only: one small living block at the top keeps all the free memory below it from "
                  "going back this way.");
}

static void exceed(struct lab *lab)
{
    lab_step(lab, lab->is_korean ? "RLIMIT_DATA를 낮추고 sbrk(1 GiB)를 부른다"
                                 : "Lower RLIMIT_DATA and call sbrk(1 GiB)");
    struct rlimit before;
    getrlimit(RLIMIT_DATA, &before);
    const struct rlimit low = {64u << 20, before.rlim_max};
    setrlimit(RLIMIT_DATA, &low);
    errno = 0;
    const void *const result = sbrk(1 << 30);
    const int error = errno;
    setrlimit(RLIMIT_DATA, &before);
    lab_show(lab, "sbrk(1 GiB) = %s, errno: %s", result == (const void *)-1 ? "(void *)-1" : "?",
             strerror(error));
    lab_say(lab,
            lab->is_korean
                ? "실패하면 NULL이 아니라 (void *)-1을 돌려주고 브레이크는 그대로다. malloc은 이때 "
                  "mmap을 시도하고, 그것도 안 되면 NULL과 ENOMEM을 돌려준다."
                : "On failure the answer is (void *)-1, not NULL, and the break stays. malloc then "
                  "tries mmap, and if that fails too it returns NULL with ENOMEM.");
}

int lab_brk(struct lab *lab)
{
    make_room();
    lab_step(lab, lab->is_korean ? "브레이크는 어디인가: sbrk(0)" : "Where is the break: sbrk(0)");
    const struct reading now = read_now();
    char *const start = now.top;
    show(lab, &now);
    lab_say(lab, lab->is_korean
                     ? "프로그램 브레이크는 [heap] 매핑의 끝이다. brk와 sbrk는 이 한 점만 옮긴다."
                     : "The program break is the end of the mapping [heap]. brk and sbrk move this "
                       "one point, and nothing else.");
    raise_and_touch(lab);
    lower(lab, start);
    exceed(lab);
    lab_wait(lab);
    return TOOL_OK;
}
