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
#include <sys/auxv.h>

static const char g_constant[] = "a constant";
static int g_with_value = 42;
static int g_without_value;

static void show_place(struct lab *lab, const char *what, const void *address)
{
    const struct mapping *const m = lab_find_mapping(address);
    if (m == NULL) {
        lab_show(lab, "%-28s %14p  ?", what, address);
        return;
    }
    lab_show(lab, "%-28s %14p  %012llx-%012llx %s %s", what, address, (unsigned long long)m->start,
             (unsigned long long)m->end, m->permissions, m->path);
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

int lab_layout(struct lab *lab)
{
    show_program(lab);
    show_heap(lab);
    show_rest(lab);
    lab_say(lab, lab->is_korean ? "더 보기: myalloc maps --explain $$"
                                : "See also: myalloc maps --explain $$");
    return TOOL_OK;
}
