/* lab_layout.c - experiment: one variable of each kind, and the mapping in which it lies.
 *
 * Owns:       the variables that are looked at.
 * Threads:    one.
 * Invariants: LAYOUT-1  addresses come from this process, mappings from the kernel: nothing is
 *                       assumed about the order of the parts, it is read off.
 */
#include "cli/lab/lab.h"

#include "cli/tool.h"
#include "cli/render/units.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#define LINE_COLUMNS 75 // of 80 behind the indentation
#define PATH_COLUMNS 41 // of these behind addresses and rights
#define STACK_BYTES  (2u << 20)
#define PAGE_BYTES   4096u

static const char g_constant[] = "a constant";
static int g_with_value = 42;
static int g_without_value;

/* The end of a path that is too long for its place. */
static const char *fit_path(const char *path, size_t columns, char *room)
{
    const size_t bytes = strlen(path);
    if (bytes <= columns) {
        return path;
    }
    snprintf(room, columns + 1, "...%s", path + bytes - (columns - 3));
    return room;
}

static void show_place(struct lab *lab, const char *what, const void *address)
{
    const struct mapping *const m = lab_find_mapping(address);
    char room[PATH_COLUMNS + 1];
    lab_show(lab, "%-28s %14p", what, address);
    if (m != NULL) {
        lab_show(lab, "  %012llx-%012llx %s %s", (unsigned long long)m->start,
                 (unsigned long long)m->end, m->permissions, fit_path(m->path, PATH_COLUMNS, room));
    }
}

/* The line of /proc/self/maps with this address, as it stands there; "": none. */
static void read_line(const void *address, char *line, size_t bytes)
{
    FILE *const file = fopen("/proc/self/maps", "re");
    bool is_found = false;
    while (file != NULL && !is_found && fgets(line, (int)bytes, file) != NULL) {
        unsigned long long start = 0;
        unsigned long long end = 0;
        is_found = sscanf(line, "%llx-%llx", &start, &end) == 2 && (uintptr_t)address >= start &&
                   (uintptr_t)address < end;
    }
    line[is_found ? strcspn(line, "\n") : 0] = 0;
    if (file != NULL) {
        fclose(file);
    }
}

static void show_fields(struct lab *lab)
{
    char line[4352] = "";
    char fields[5][64] = {""};
    char room[LINE_COLUMNS + 1];
    int path_at = 0;
    read_line((const void *)(uintptr_t)lab_layout, line, sizeof(line));
    lab_step(lab, lab->is_korean ? "/proc/PID/maps의 한 줄: lab_layout()의 코드"
                                 : "One line of /proc/PID/maps: the code of lab_layout()");
    if (sscanf(line, "%63s %63s %63s %63s %63s %n", fields[0], fields[1], fields[2], fields[3],
               fields[4], &path_at) < 5) {
        lab_show(lab, "?");
        return;
    }
    const char *const path = line + path_at;
    const bool ko = lab->is_korean;
    lab_show(lab, "%s %s %s %s %s", fields[0], fields[1], fields[2], fields[3], fields[4]);
    lab_show(lab, "    %s", fit_path(path, LINE_COLUMNS - 4, room));
    lab_show(lab, ko ? "주소    %s  첫 주소 - 끝 다음 주소" : "address %s  first - behind the last",
             fields[0]);
    lab_show(lab,
             ko ? "권한    %s  읽기, 쓰기, 실행; p 전용(private), s 공유(shared)"
                : "rights  %s  read, write, execute; p private, s shared",
             fields[1]);
    lab_show(lab,
             ko ? "오프셋  %s  파일의 몇 번째 바이트부터인가(16진수)"
                : "offset  %s  where in the file it begins, hexadecimal",
             fields[2]);
    lab_show(lab,
             ko ? "장치    %s  파일이 있는 장치(major:minor)"
                : "device  %s  on which device the file is (major:minor)",
             fields[3]);
    lab_show(lab, ko ? "inode   %s  그 장치 안에서 파일의 번호" : "inode   %s  its number there",
             fields[4]);
    lab_show(lab, ko ? "경로    파일의 이름" : "path    the name of the file");
    lab_say(lab, ko ? "파일이 아닌 매핑은 오프셋, 장치, inode가 모두 0이다. 그때 경로는 비었거나 "
                      "[heap], [stack]처럼 커널이 붙인 이름이다."
                    : "Where no file is mapped, offset, device and inode are 0, and the path is "
                      "empty or a name that the kernel gives, such as [heap] or [stack].");
}

static void show_program(struct lab *lab)
{
    lab_step(lab, lab->is_korean ? "프로그램 파일에서 온 것: 코드, 상수, 변수"
                                 : "What comes from the program file: code, constants, variables");
    show_place(lab, "text    lab_layout()", (const void *)(uintptr_t)lab_layout);
    show_place(lab, "rodata  const char[]", g_constant);
    show_place(lab, "data    static int x = 42", &g_with_value);
    show_place(lab, "bss     static int y", &g_without_value);
    lab_say(
        lab,
        lab->is_korean
            ? "넷 다 같은 파일에서 왔지만 권한이 다르다. 코드는 r-x: 실행만 되고 고칠 수 없다. "
              "상수는 r--: 읽기만 된다. data와 bss는 rw-: 변수이므로 쓸 수 있다. bss는 0으로 "
              "시작하므로 파일에 내용이 없다. 작은 bss는 data의 마지막 페이지에 함께 놓이기도 한다."
            : "All four belong to one program, but with different rights. Code is r-x: it may run, "
              "not change. Constants are r--. Data and bss are rw-, since variables change. Bss "
              "starts as zero, so the file need not hold it; a small bss shares the last page of "
              "data.");
}

static void show_heap(struct lab *lab)
{
    void *const small = malloc(100);
    void *const large = malloc(8u << 20);
    lab_step(lab, lab->is_korean
                      ? "실행 중에 얻은 것: malloc의 작은 블록과 큰 블록"
                      : "What is taken at run time: a small and a large block of malloc");
    show_place(lab, "heap    malloc(100)", small);
    show_place(lab, "mmap    malloc(8 MiB)", large);
    lab_say(lab, lab->is_korean ? "작은 블록은 [heap]에 있다. 프로그램 바로 뒤에서 시작해 위로 "
                                  "자라는 구역이다(brk). 큰 블록은 따로 mmap한 익명 매핑에 있다. "
                                  "경로가 없는 줄이 그것이다. free하면 그 매핑은 바로 없어진다."
                                : "The small block lies in [heap], which begins behind the program "
                                  "and grows upwards (brk). The large one got an anonymous mapping "
                                  "of its own, a line without a path; free removes that mapping at "
                                  "once.");
    free(large);
    free(small);
}

static void show_rest(struct lab *lab)
{
    int on_stack = 1;
    lab_step(lab, lab->is_korean ? "나머지: 스택, 공유 라이브러리, 커널이 빌려준 코드"
                                 : "The rest: stack, shared library, code lent by the kernel");
    show_place(lab, "stack   int local = 1", &on_stack);
    show_place(lab, "libc    stdout", stdout);
    show_place(lab, "vdso    getauxval", (const void *)(uintptr_t)getauxval(AT_SYSINFO_EHDR));
    lab_say(
        lab,
        lab->is_korean
            ? "스택은 주소 공간의 꼭대기 가까이에서 아래로 자란다. 힙은 아래에서 위로 자라므로 "
              "둘은 서로 마주 본다. 그 사이의 넓은 자리에 라이브러리와 mmap이 놓인다. 다시 "
              "실행하면 주소가 달라진다(ASLR): 공격자가 주소를 미리 알지 못하게 하려는 것이다."
            : "The stack is near the top of the address space and grows downwards; the heap grows "
              "upwards, towards it. Libraries and mappings lie in the wide room between. Run this "
              "again: the addresses change (ASLR), so that an attacker cannot know them "
              "beforehand.");
}

/* What is in use of the stack, from a frame of so many bytes that was written to. */
static __attribute__((noinline)) void use_stack(struct mapping *mapping)
{
    volatile char room[STACK_BYTES];
    for (size_t i = sizeof(room); i > 0; i -= PAGE_BYTES) { // downwards, as a stack is used
        room[i - 1] = 1;
    }
    const struct mapping *const m = lab_find_mapping((const void *)(uintptr_t)room);
    *mapping = m != NULL ? *m : *mapping;
}

static void show_stack_line(struct lab *lab, const char *when, const struct mapping *m)
{
    lab_show(lab, "%s %012llx-%012llx  %s, RSS %s", when, (unsigned long long)m->start,
             (unsigned long long)m->end, units_bytes(m->end - m->start).chars,
             units_bytes(m->rss_bytes).chars);
}

static void grow_stack(struct lab *lab)
{
    struct mapping before = {0};
    struct mapping within = {0};
    const struct mapping *m = lab_find_mapping(&before);
    before = m != NULL ? *m : before;
    use_stack(&within);
    m = lab_find_mapping(&before);
    lab_step(lab, lab->is_korean ? "자라는 스택: 지역 변수 2 MiB를 가진 함수를 부른다"
                                 : "The stack grows: call a function with 2 MiB of locals");
    show_stack_line(lab, lab->is_korean ? "부르기 전" : "before", &before);
    show_stack_line(lab, lab->is_korean ? "함수 안  " : "within", &within);
    if (m != NULL) {
        show_stack_line(lab, lab->is_korean ? "돌아온 뒤" : "after ", m);
    }
    lab_say(lab,
            lab->is_korean
                ? "끝 주소는 그대로이고 시작 주소가 내려갔다. 매핑 바로 아래를 건드리면 페이지 "
                  "폴트가 나고 커널이 스택을 늘린다(ulimit -s 까지). 함수가 돌아와도 스택은 "
                  "줄어들지 않는다. 한 번 쓴 페이지는 다음 호출을 위해 남는다."
                : "The end stays, the start went down: a touch right below the mapping is a page "
                  "fault at which the kernel makes the stack longer (up to ulimit -s). The return "
                  "does not make it shorter: what was written to once stays for the next call.");
}

int lab_layout(struct lab *lab)
{
    show_program(lab);
    show_fields(lab);
    show_heap(lab);
    show_rest(lab);
    grow_stack(lab);
    lab_say(lab, lab->is_korean ? "더 보기: myalloc maps --explain $$"
                                : "See also: myalloc maps --explain $$");
    lab_wait(lab);
    return TOOL_OK;
}
