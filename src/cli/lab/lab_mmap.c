/* lab_mmap.c - experiment: four kinds of mappings, and where a store to each of them ends up.
 *
 * Owns:       an unlinked temporary file and its mappings.
 * Threads:    one, and one child process for a moment.
 * Invariants: MMAP-1  the file is read back with pread, not through a mapping: what it holds
 *                     counts.
 */
#include "cli/lab/lab.h"

#include "cli/tool.h"
#include "cli/render/units.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAP_BYTES  (4u << 20)
#define PAGE_BYTES 4096u

static char *map(size_t bytes, int flags, int fd)
{
    void *const memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (memory == MAP_FAILED) {
        tool_die(TOOL_FAILED, "mmap: %s", strerror(errno));
    }
    return memory;
}

static void map_anonymous(struct lab *lab)
{
    lab_step(lab, lab->is_korean ? "익명 매핑 4 MiB: mmap, 쓰기, munmap"
                                 : "An anonymous mapping of 4 MiB: mmap, write, munmap");
    const uint64_t before = lab_resident_bytes();
    char *const memory = map(MAP_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    madvise(memory, MAP_BYTES, MADV_NOHUGEPAGE); // one page per touch, whatever the system prefers
    const uint64_t mapped = lab_resident_bytes();
    memset(memory, 1, MAP_BYTES);
    const uint64_t written = lab_resident_bytes();
    munmap(memory, MAP_BYTES);
    const uint64_t unmapped = lab_resident_bytes();
    lab_show(lab, lab->is_korean ? "RSS: 처음 %s" : "RSS: before %s", units_bytes(before).chars);
    lab_show(lab, lab->is_korean ? "     mmap 뒤 %s" : "     after mmap %s",
             units_bytes(mapped).chars);
    lab_show(lab, lab->is_korean ? "     다 쓴 뒤 %s" : "     all written %s",
             units_bytes(written).chars);
    lab_show(lab, lab->is_korean ? "     munmap 뒤 %s" : "     after munmap %s",
             units_bytes(unmapped).chars);
    lab_say(
        lab,
        lab->is_korean
            ? "mmap은 주소만 빌린다. 메모리는 쓸 때 한 페이지씩 온다. munmap은 어디에 있든 바로 "
              "돌려준다. 꼭대기만 움직이는 brk와 다른 점이다. 대신 페이지 단위라서 작은 블록에는 "
              "낭비가 크고 호출마다 시스템 콜이 든다. 그래서 malloc은 큰 블록만 mmap한다."
            : "mmap only lends addresses; memory comes page by page with the writes. munmap gives "
              "it back at once, wherever it lies, while brk moves the top only. But mappings come "
              "in whole pages and cost a system call each: malloc uses them for large blocks "
              "only.");
}

static char file_byte(int fd)
{
    char byte = '?';
    if (pread(fd, &byte, 1, 0) != 1) { // MMAP-1
        tool_die(TOOL_FAILED, "pread: %s", strerror(errno));
    }
    return byte;
}

static void map_file(struct lab *lab, int fd)
{
    lab_step(lab, lab->is_korean
                      ? "파일 \"Hello\"를 MAP_PRIVATE로 매핑하고 첫 글자를 P로 쓴다"
                      : "Map a file that holds \"Hello\" with MAP_PRIVATE; write P to its start");
    char *const private = map(PAGE_BYTES, MAP_PRIVATE, fd);
    private[0] = 'P';
    lab_show(lab,
             lab->is_korean ? "메모리: \"%.5s\"   파일의 첫 글자: %c"
                            : "memory: \"%.5s\"   first letter in the file: %c",
             private, file_byte(fd));
    lab_say(lab,
            lab->is_korean
                ? "파일은 그대로다. 쓰는 순간 커널이 그 페이지를 복사해서 이 프로세스만의 것으로 "
                  "만들었다(copy-on-write). 프로그램의 data 구역이 바로 이런 매핑이다."
                : "The file is unchanged: at the write the kernel made a copy of the page for this "
                  "process alone (copy on write). The data section of every program is such a "
                  "mapping.");
    munmap(private, PAGE_BYTES);

    lab_step(lab, lab->is_korean ? "같은 파일을 MAP_SHARED로 매핑하고 S를 쓴다"
                                 : "Map the same file with MAP_SHARED; write S");
    char *const shared = map(PAGE_BYTES, MAP_SHARED, fd);
    shared[0] = 'S';
    const char before_sync = file_byte(fd);
    const uint64_t begin_ns = tool_now_ns();
    const int error = msync(shared, PAGE_BYTES, MS_SYNC) == 0 ? 0 : errno;
    const uint64_t sync_ns = tool_now_ns() - begin_ns;
    lab_show(lab,
             lab->is_korean ? "msync 전에 파일의 첫 글자: %c"
                            : "first letter in the file before msync: %c",
             before_sync);
    lab_show(lab, "msync(MS_SYNC): %s, %s", error == 0 ? "0" : strerror(error),
             units_ns(sync_ns).chars);
    lab_say(
        lab,
        lab->is_korean
            ? "msync를 부르기 전인데도 pread가 S를 읽는다. 매핑과 read는 같은 페이지 캐시를 보기 "
              "때문이다. msync가 하는 일은 보이게 하는 것이 아니라 디스크에 닿게 하는 것이다: "
              "전원이 나가도 남는다. 프로세스가 죽는 것만으로는 잃지 않는다. myalloc의 live page도 "
              "이 매핑이다."
            : "pread sees the S before msync was called: the mapping and read look at the same "
              "page cache. msync does not make the store visible, it makes it reach the disk, so "
              "that it survives a loss of power. The end of the process alone loses nothing: the "
              "live page of myalloc is such a mapping.");
    munmap(shared, PAGE_BYTES);
}

/* In a child: what ends it. */
static int write_read_only(char *memory)
{
    int status = 0;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); // it dies as it should
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)memory = 'W';
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        tool_die(TOOL_FAILED, "fork: %s", strerror(errno));
    }
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void map_read_only(struct lab *lab, int fd)
{
    lab_step(lab, lab->is_korean ? "같은 파일을 PROT_READ로만 매핑하고, 자식이 거기에 쓴다"
                                 : "Map the same file with PROT_READ alone; a child writes to it");
    char *const memory = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED) {
        tool_die(TOOL_FAILED, "mmap: %s", strerror(errno));
    }
    lab_show(lab, lab->is_korean ? "읽기: \"%.5s\"" : "reading: \"%.5s\"", memory);
    const int number = write_read_only(memory);
    lab_show(lab, lab->is_korean ? "쓰기: 시그널 %d, %s" : "writing: signal %d, %s", number,
             number != 0 ? strsignal(number) : "-");
    mprotect(memory, PAGE_BYTES, PROT_READ | PROT_WRITE);
    lab_show(lab,
             lab->is_korean ? "mprotect로 쓰기를 허락한 뒤: 시그널 %d"
                            : "after mprotect allowed to write: signal %d",
             write_read_only(memory));
    lab_say(lab,
            lab->is_korean
                ? "CPU는 페이지마다 권한을 본다. 읽기만 되는 페이지에 쓰면 폴트가 나고, 커널은 "
                  "프로세스에게 SIGSEGV를 보낸다. 프로그램의 코드와 상수가 이렇게 지켜진다. "
                  "mprotect는 매핑을 그대로 두고 권한만 바꾼다."
                : "The CPU looks at the rights of each page. A write to one that may only be read "
                  "is a fault, and the kernel sends SIGSEGV: so the code and the constants of "
                  "every program are protected. mprotect changes the rights and leaves the mapping "
                  "as it is.");
    munmap(memory, PAGE_BYTES);
}

static void share_with_child(struct lab *lab)
{
    lab_step(lab, lab->is_korean ? "fork: 자식이 두 익명 매핑에 42를 쓴다"
                                 : "fork: the child writes 42 to two anonymous mappings");
    char *const private = map(PAGE_BYTES, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *const shared = map(PAGE_BYTES, MAP_SHARED | MAP_ANONYMOUS, -1);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        private[0] = 42;
        shared[0] = 42;
        _exit(0);
    }
    if (child < 0 || waitpid(child, NULL, 0) != child) {
        tool_die(TOOL_FAILED, "fork: %s", strerror(errno));
    }
    lab_show(lab,
             lab->is_korean ? "부모가 보는 값: MAP_PRIVATE %d, MAP_SHARED %d"
                            : "the parent sees: MAP_PRIVATE %d, MAP_SHARED %d",
             private[0], shared[0]);
    lab_say(
        lab,
        lab->is_korean
            ? "전용(private) 매핑은 fork 뒤에 복사본으로 갈라지고, 공유(shared) 매핑은 하나로 "
              "남는다. 프로세스끼리 "
              "메모리를 나누는 가장 간단한 방법이다."
            : "After fork a private mapping splits into two copies, a shared one stays one: the "
              "simplest memory that two processes have in common.");
    munmap(private, PAGE_BYTES);
    munmap(shared, PAGE_BYTES);
}

int lab_mmap(struct lab *lab)
{
    FILE *const file = tmpfile();
    if (file == NULL || fputs("Hello", file) == EOF || fflush(file) != 0) {
        tool_die(TOOL_FAILED, "cannot make a temporary file: %s", strerror(errno));
    }
    map_anonymous(lab);
    map_file(lab, fileno(file));
    map_read_only(lab, fileno(file));
    share_with_child(lab);
    lab_wait(lab);
    fclose(file);
    return TOOL_OK;
}
