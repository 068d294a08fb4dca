/* lab_heap.c - experiment: a fixed sequence of malloc and free, and what the kernel sees of it,
 * under glibc and under the library, each in a process of its own.
 *
 * Owns:       the sequence; the subject's buffers, so that looking allocates nothing.
 * Threads:    one; two child processes, one after the other.
 * Invariants: LABHEAP-1  the subject reads and writes with plain system calls and static buffers.
 *             LABHEAP-2  row n of the subject's output belongs to step n of the sequence.
 */
#include "cli/lab/lab.h"

#include "cli/commands/preload.h"
#include "cli/tool.h"
#include "cli/render/units.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS       11
#define SMALL_COUNT 20000u
#define SMALL_BYTES 100u
#define KEPT_EVERY  64u // of the small blocks, one in so many lives longer

struct row {
    unsigned long long heap_bytes; // size of [heap]
    unsigned long long mmap_bytes; // writable anonymous mappings
    unsigned long long rss_bytes;
    char place[8];               // where the block of this step lies: "heap", "mmap" or "-"
    unsigned long long word;     // the 8 bytes before it
    unsigned long long distance; // to its neighbour; 0: has none
};

static struct {
    char maps[1 << 18];        // /proc/self/maps
    void *blocks[SMALL_COUNT]; // the small blocks
} g_subject;

static void read_maps(void)
{
    size_t length = 0;
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;
    while (fd >= 0 && length < sizeof(g_subject.maps) - 1 &&
           (got = read(fd, g_subject.maps + length, sizeof(g_subject.maps) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    g_subject.maps[length] = 0;
    close(fd);
}

/* LABHEAP-1: one line to stdout about the state after a step, then a pause until a byte comes.
 * `block` may be NULL, so may its `neighbour`. */
static void tell_of(const char *block, const char *neighbour)
{
    struct row row = {.place = "-"};
    if (neighbour != NULL) {
        memcpy(&row.word, block - sizeof(row.word), sizeof(row.word));
        row.distance = (unsigned long long)llabs(block - neighbour);
    }
    read_maps();
    const char *line = g_subject.maps;
    while (*line != 0) {
        char *end = NULL;
        const size_t length = strcspn(line, "\n");
        const unsigned long long from = strtoull(line, &end, 16);
        const unsigned long long to = strtoull(end + 1, &end, 16);
        const bool is_heap = length > 6 && strncmp(line + length - 6, "[heap]", 6) == 0;
        const bool is_mmap = strncmp(end, " rw-p ", 6) == 0 && line[length - 1] == ' ';
        row.heap_bytes += is_heap ? to - from : 0;
        row.mmap_bytes += is_mmap ? to - from : 0;
        if ((uintptr_t)block >= from && (uintptr_t)block < to) {
            memcpy(row.place, is_heap ? "heap" : "mmap", sizeof("heap"));
        }
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    row.rss_bytes = lab_resident_bytes();
    char out[128];
    const int bytes = snprintf(out, sizeof(out), "%llu %llu %llu %s %llx %llu\n", row.heap_bytes,
                               row.mmap_bytes, row.rss_bytes, row.place, row.word, row.distance);
    char go = 0;
    if (write(STDOUT_FILENO, out, (size_t)bytes) != bytes || read(STDIN_FILENO, &go, 1) != 1) {
        _exit(TOOL_FAILED);
    }
}

static void tell(const void *block)
{
    tell_of(block, NULL);
}

static void *take(size_t bytes)
{
    void *const block = malloc(bytes);
    if (block == NULL) {
        _exit(TOOL_FAILED);
    }
    memset(block, 1, bytes);
    return block;
}

int lab_heap_subject(void)
{
    tell(NULL);
    void *const a = take(40 << 10);
    tell(a);
    void *const b = take(400 << 10);
    tell(b);
    free(a);
    tell(NULL);
    free(b);
    tell(NULL);
    void *const c = take(40 << 20);
    tell(c);
    free(c);
    tell(NULL);
    for (unsigned i = 0; i < SMALL_COUNT; i++) {
        g_subject.blocks[i] = take(SMALL_BYTES);
    }
    tell_of(g_subject.blocks[SMALL_COUNT - 1], g_subject.blocks[SMALL_COUNT - 2]);
    for (unsigned i = 0; i < SMALL_COUNT; i++) {
        free(i % KEPT_EVERY != 0 ? g_subject.blocks[i] : NULL);
    }
    tell(NULL);
    for (unsigned i = 0; i < SMALL_COUNT; i += KEPT_EVERY) {
        free(g_subject.blocks[i]);
    }
    tell(NULL);
    malloc_trim(0);
    tell(NULL);
    return TOOL_OK;
}

struct subject {
    const char *name;
    pid_t pid;
    FILE *rows_in; // its rows; NULL: not started
    int go_fd;     // a byte lets it go on
    struct row rows[STEPS];
    int count; // of rows
};

static _Noreturn void become_subject(const char *library, int in_fd, int out_fd)
{
    if (library != NULL) {
        setenv("LD_PRELOAD", library, 1);
    } else {
        unsetenv("LD_PRELOAD");
    }
    dup2(in_fd, STDIN_FILENO);
    dup2(out_fd, STDOUT_FILENO);
    execl("/proc/self/exe", "myalloc", "lab", "heap-subject", (char *)NULL);
    _exit(TOOL_FAILED);
}

static void start_subject(struct subject *subject, const char *library)
{
    int to[2];
    int from[2];
    fflush(NULL);
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
        tool_die(TOOL_FAILED, "cannot make a pipe: %s", strerror(errno));
    }
    subject->pid = fork();
    if (subject->pid == 0) {
        become_subject(library, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    subject->go_fd = to[1];
    subject->rows_in = subject->pid > 0 ? fdopen(from[0], "re") : NULL;
    if (subject->rows_in == NULL) {
        tool_die(TOOL_FAILED, "cannot start the subject: %s", strerror(errno));
    }
}

/* LABHEAP-2: lets it do its next step, after which it waits again. */
static void advance(struct subject *subject, int step)
{
    struct row *const row = &subject->rows[step];
    const bool goes = step == 0 || write(subject->go_fd, "\n", 1) == 1;
    if (goes &&
        fscanf(subject->rows_in, "%llu %llu %llu %7s %llx %llu", &row->heap_bytes, &row->mmap_bytes,
               &row->rss_bytes, row->place, &row->word, &row->distance) == 6) {
        subject->count++;
    }
}

static void end_subject(struct subject *subject)
{
    close(subject->go_fd);
    fclose(subject->rows_in);
    waitpid(subject->pid, NULL, 0);
}

static void show(struct lab *lab, const struct subject subjects[2], int step)
{
    for (int i = 0; i < 2; i++) {
        const struct row *const row = &subjects[i].rows[step];
        if (step >= subjects[i].count) {
            continue;
        }
        const unsigned long long mmap_start = subjects[i].rows[0].mmap_bytes;
        const unsigned long long mmap_bytes =
            row->mmap_bytes > mmap_start ? row->mmap_bytes - mmap_start : 0;
        lab_show(lab, "%-8s [heap] %-10s mmap %-10s RSS %s%s%s", subjects[i].name,
                 units_bytes(row->heap_bytes).chars, units_bytes(mmap_bytes).chars,
                 units_bytes(row->rss_bytes).chars,
                 row->place[0] == '-' ? ""
                 : lab->is_korean     ? "   블록 위치: "
                                      : "   block in ",
                 row->place[0] != '-' ? row->place : "");
        if (row->distance != 0) {
            lab_show(lab,
                     lab->is_korean
                         ? "%-8s 블록 앞의 8바이트 %016llx   이웃까지 %llu바이트"
                         : "%-8s 8 bytes before it %016llx   to its neighbour %llu bytes",
                     "", row->word, row->distance);
        }
    }
}

/* The steps, in the order of lab_heap_subject: what is done, and why what is seen is so. */
static const struct {
    const char *english;
    const char *korean;
    const char *english_why;
    const char *korean_why;
} g_texts[STEPS] = {
    {"The start of the program", "프로그램의 시작",
     "\"mmap\" counts the writable anonymous mappings that came since this moment.",
     "\"mmap\"은 이 순간 뒤에 생긴 쓰기 가능한 익명 매핑의 크기다."},
    {"a = malloc(40 KiB), written", "a = malloc(40 KiB), 그리고 쓰기",
     "The block lies in [heap]. If that had no room, the break went up, by more than was asked "
     "for: one system call serves many mallocs. glibc starts with 132 KiB.",
     "블록은 [heap]에 있다. 자리가 없으면 브레이크가 올라가는데, 요청한 것보다 더 많이 올라간다. "
     "시스템 "
     "콜 한 번으로 여러 malloc을 해결하려는 것이다. glibc는 132 KiB로 시작한다."},
    {"b = malloc(400 KiB), written", "b = malloc(400 KiB), 그리고 쓰기",
     "glibc gives blocks of 128 KiB and more a mapping of their own. myalloc keeps blocks up to "
     "about 1 MiB in the heap, as a span of 16-KiB chunks: no mmap and no munmap for each.",
     "glibc는 128 KiB 이상인 블록에 따로 매핑을 준다. myalloc은 약 1 MiB까지는 힙 안에 16 KiB "
     "chunk를 이어서 준다. 블록마다 mmap과 munmap을 부르지 않으려는 것이다."},
    {"free(a)", "free(a)",
     "[heap] does not shrink, and RSS hardly changes: free gave the block back to the allocator, "
     "not to the kernel. The next malloc will use it.",
     "[heap]은 줄지 않고 RSS도 거의 그대로다. free는 블록을 커널이 아니라 할당자에게 돌려준다. "
     "다음 malloc이 그것을 다시 쓴다."},
    {"free(b)", "free(b)",
     "Under glibc the mapping of b is gone at once (munmap). It also learns: blocks of this size "
     "will come from [heap] from now on. myalloc keeps the span, free but resident, as long as it "
     "is little.",
     "glibc에서는 b의 매핑이 바로 없어진다(munmap). glibc는 또한 학습한다: 앞으로 이만한 크기의 "
     "블록은 [heap]에서 "
     "준다. myalloc은 빈 자리가 적은 동안은 메모리를 둔 채로 다음을 기다린다."},
    {"c = malloc(40 MiB), written", "c = malloc(40 MiB), 그리고 쓰기",
     "A huge block gets a mapping of its own under both: it may come and go without leaving a hole "
     "in the heap.",
     "아주 큰 블록은 둘 다 따로 매핑한다. 힙에 구멍을 남기지 않고 오갈 수 있다."},
    {"free(c)", "free(c)",
     "glibc unmaps it. myalloc may keep a few freed mappings for the next huge block, within a "
     "bound, since 10,000 page faults cost more than everything else here.",
     "glibc는 매핑을 없앤다. myalloc은 정해진 한도 안에서 몇 개를 다음을 위해 남겨 둘 수 있다. "
     "페이지 폴트 1만 번이 여기 있는 다른 모든 일보다 비싸기 때문이다."},
    {"20000 times malloc(100), written", "malloc(100)을 20000번, 그리고 쓰기",
     "2 MB are asked for. glibc puts 8 bytes of header before each block and rounds up to 16: 112 "
     "bytes; what stands before the last one is that size, 0x70, and 1: its neighbour is in use. "
     "myalloc has no headers: blocks of one class lie side by side in slabs, 100 becomes 112, too, "
     "and what stands before a block is the end of its neighbour.",
     "요청한 것은 모두 2 MB다. glibc는 블록마다 8바이트 헤더를 두고 16의 배수로 올려 112바이트를 "
     "쓴다. 마지막 블록 앞에 있는 것이 바로 그 크기 0x70이고, 더해진 1은 이웃이 쓰이고 있다는 "
     "뜻이다. "
     "myalloc에는 헤더가 없다. 같은 크기의 블록이 slab 안에 나란히 놓이고, 100은 역시 112가 된다. "
     "블록 앞에 있는 것은 이웃의 끝이다."},
    {"free all but every 64th", "64개에 하나만 남기고 모두 free",
     "98% of the blocks are free, but the heap stays: the survivors are spread over all of it, and "
     "each one pins its neighbourhood. This is fragmentation: not the amount, the places matter.",
     "98%가 비었는데도 힙은 그대로다. 남은 블록이 힙 전체에 흩어져 저마다 제 둘레를 붙잡고 있다. "
     "이것이 단편화다: 얼마나 남았는가가 아니라 어디에 남았는가가 문제다."},
    {"free the rest", "나머지도 free",
     "Nothing is live now. What still is resident is kept for the next malloc: giving back and "
     "taking again costs page faults.",
     "이제 살아 있는 블록이 없다. 아직 남은 RSS는 다음 malloc을 위한 것이다. 돌려주고 다시 받으면 "
     "그만큼 페이지 폴트가 든다."},
    {"malloc_trim(0)", "malloc_trim(0)",
     "The program asks to give everything back: free pages go back by madvise, and the break goes "
     "down over the free top.",
     "모두 돌려 달라고 요청한다. 빈 페이지는 madvise로 돌아가고, 꼭대기가 비었으면 브레이크가 "
     "내려간다."},
};

static void do_steps(struct lab *lab, struct subject subjects[2])
{
    for (int step = 0; step < STEPS; step++) {
        lab_step(lab, "%s", lab->is_korean ? g_texts[step].korean : g_texts[step].english);
        for (int i = 0; i < 2; i++) {
            if (subjects[i].rows_in != NULL) {
                advance(&subjects[i], step);
            }
        }
        show(lab, subjects, step);
        lab_say(lab, "%s", lab->is_korean ? g_texts[step].korean_why : g_texts[step].english_why);
    }
}

int lab_heap(struct lab *lab)
{
    struct subject subjects[2] = {{.name = "glibc"}, {.name = "myalloc"}};
    struct text library = {0};
    const bool has_library = preload_find_library(&library);
    signal(SIGPIPE, SIG_IGN); // a subject that ended is told of below
    start_subject(&subjects[0], NULL);
    if (has_library) {
        start_subject(&subjects[1], text_string(&library));
    } else {
        lab_say(lab,
                lab->is_korean ? "libmyalloc.so가 없어서 glibc만 보인다: %s"
                               : "There is no libmyalloc.so, so only glibc is shown: %s",
                text_string(&library));
    }
    lab->pids[0] = subjects[0].pid;
    lab->pids[1] = subjects[1].pid;
    do_steps(lab, subjects);
    const bool is_whole =
        subjects[0].count == STEPS && (!has_library || subjects[1].count == STEPS);
    if (!is_whole) {
        tool_warn("a subject ended before its last step");
    }
    lab_wait(lab);
    for (int i = 0; i < (has_library ? 2 : 1); i++) {
        end_subject(&subjects[i]);
    }
    text_free(&library);
    return is_whole ? TOOL_OK : TOOL_FAILED;
}
