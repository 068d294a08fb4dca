/* preload.c - the rules of LD_PRELOAD, asked before a program is started.
 *
 * Owns:       the rules.
 * Threads:    one.
 * Invariants: PRELOAD-1  an obstacle is something the dynamic linker or the program's build
 *                        decides; nothing is refused on suspicion, that makes a doubt.
 */
#include "cli/commands/preload.h"

#include "base/cpu.h"
#include "cli/commands/elf_file.h"
#include "cli/commands/script.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int executable_error(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return errno;
    }
    return S_ISREG(status.st_mode) && access(path, X_OK) == 0 ? 0 : EACCES;
}

/* As execvp: a name with a slash is a path; else the first executable file in PATH. */
static int find_program(const char *name, struct text *path)
{
    text_clear(path);
    if (strchr(name, '/') != NULL) {
        text_put(path, name);
        return executable_error(name);
    }
    const char *directories = getenv("PATH");
    directories = directories != NULL ? directories : "/usr/bin:/bin";
    int result = ENOENT;
    while (name[0] != 0 && *directories != 0) {
        const size_t length = strcspn(directories, ":");
        text_clear(path);
        text_put_bytes(path, length != 0 ? directories : ".", length != 0 ? length : 1);
        text_printf(path, "/%s", name);
        const int error = executable_error(text_string(path));
        if (error == 0) {
            return 0;
        }
        result = error == EACCES ? EACCES : result;
        directories += length + (directories[length] == ':' ? 1 : 0);
    }
    text_clear(path);
    text_put(path, name);
    return result;
}

static void judge_privileges(const char *path, struct verdict *verdict)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return;
    }
    const bool changes_user = (status.st_mode & S_ISUID) != 0 && status.st_uid != geteuid();
    const bool changes_group = (status.st_mode & S_ISGID) != 0 && status.st_gid != getegid();
    const bool has_capabilities =
        geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
    if (changes_user || changes_group || has_capabilities) {
        text_printf(&verdict->obstacles,
                    "%s is %s: the dynamic linker ignores LD_PRELOAD for programs that gain "
                    "privileges.\n",
                    path,
                    changes_user    ? "setuid"
                    : changes_group ? "setgid"
                                    : "given capabilities");
    }
}

static void remark_allocators(const char *path, const struct elf_facts *facts,
                              struct verdict *verdict)
{
    static const char *const names[] = {"jemalloc", "tcmalloc", "mimalloc", "tbbmalloc",
                                        "snmalloc"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strstr(text_string(&facts->needed), names[i]) != NULL) {
            text_printf(&verdict->remarks,
                        "It is linked with %s, so without a preload that is its allocator, not "
                        "glibc's; the preload goes before it.\n",
                        names[i]);
        }
    }
    if (facts->defines_malloc) {
        text_printf(&verdict->doubts,
                    "%s exports a malloc of its own, which the dynamic linker finds before the "
                    "library's: its calls will not reach us.\n",
                    path);
    }
}

/* Programs whose objects hardly show, since they bring an allocator on top of malloc. */
static void remark_runtime(const char *path, struct verdict *verdict)
{
    const char *const slash = strrchr(path, '/');
    if (strncmp(slash != NULL ? slash + 1 : path, "python", 6) == 0) {
        text_put(
            &verdict->remarks,
            "It is Python, whose small objects come from an allocator of its own, in pieces of "
            "a mapping; PYTHONMALLOC=malloc in the environment shows them all.\n");
    }
}

static void judge_elf(const char *path, const struct elf_facts *facts, struct verdict *verdict)
{
    if (facts->is_damaged) {
        text_printf(&verdict->obstacles, "%s is a damaged ELF file.\n", path);
    } else if (!facts->is_of_this_cpu) {
        text_printf(&verdict->obstacles,
                    "%s is not a %s program, but the library is: they cannot be loaded "
                    "together.\n",
                    path, CPU_NAME);
    } else if (!facts->is_dynamic) {
        text_printf(
            &verdict->obstacles,
            "%s is statically linked: it has no dynamic linker that would read LD_PRELOAD.\n",
            path);
    } else if (facts->sanitizer != NULL) {
        text_printf(&verdict->obstacles,
                    "%s is built with %s, which brings an allocator of its own and must be loaded "
                    "first.\n",
                    path, facts->sanitizer);
    }
    remark_allocators(path, facts, verdict);
}

static void judge_file(const char *path, struct verdict *verdict)
{
    struct elf_facts facts;
    const int error = elf_file_read(path, &facts);
    if (error == EACCES) {
        text_printf(&verdict->remarks,
                    "%s may be executed, but not read, so it was not examined.\n", path);
    } else if (error != 0) {
        verdict->error = error;
    } else if (facts.is_elf) {
        judge_elf(path, &facts, verdict);
        remark_runtime(path, verdict);
    } else if (facts.script_line[0] != 0 && verdict->interpreter.bytes == 0) {
        text_put_bytes(&verdict->interpreter, facts.script_line, strcspn(facts.script_line, " \t"));
    }
    text_free(&facts.needed);
}

static bool is_shell(const char *interpreter)
{
    const size_t bytes = strlen(interpreter);
    return (bytes >= 2 && strcmp(interpreter + bytes - 2, "sh") == 0) ||
           (bytes >= 4 && strcmp(interpreter + bytes - 4, "/env") == 0);
}

/* What a script starts in the end may be another program than a reader of its text takes it for, so
 * all that speaks against that is a doubt. */
static void judge_started(const char *script, struct verdict *verdict)
{
    struct text word = {0};
    struct text path = {0};
    struct verdict started = {0};
    const bool is_known = script_find_exec(script, &word);
    if (word.bytes == 0 && is_known) {
        text_put(&verdict->remarks, "What it starts was not examined.\n");
    } else if (!is_known || find_program(text_string(&word), &path) != 0) {
        text_put(&verdict->remarks, "It seems to start another program in its place, which could "
                                    "not be found, and was not examined.\n");
    } else {
        text_printf(&verdict->remarks, "It seems to start %s in its place.\n", text_string(&path));
        judge_privileges(text_string(&path), &started);
        judge_file(text_string(&path), &started);
        text_put(&verdict->doubts, text_string(&started.obstacles));
        text_put(&verdict->doubts, text_string(&started.doubts));
        text_put(&verdict->remarks, text_string(&started.remarks));
    }
    preload_verdict_free(&started);
    text_free(&word);
    text_free(&path);
}

void preload_judge(const char *name, struct verdict *verdict)
{
    *verdict = (struct verdict){0};
    verdict->error = find_program(name, &verdict->program);
    if (verdict->error != 0) {
        return;
    }
    judge_privileges(text_string(&verdict->program), verdict);
    judge_file(text_string(&verdict->program), verdict);
    if (verdict->interpreter.bytes != 0) {
        const char *const interpreter = text_string(&verdict->interpreter);
        text_printf(&verdict->remarks, "It is a script: %s will run it.\n", interpreter);
        verdict->error = executable_error(interpreter);
        if (verdict->error == 0) {
            judge_file(interpreter, verdict);
            if (is_shell(interpreter)) {
                judge_started(text_string(&verdict->program), verdict);
            }
        }
    }
}

void preload_verdict_free(struct verdict *verdict)
{
    text_free(&verdict->program);
    text_free(&verdict->obstacles);
    text_free(&verdict->doubts);
    text_free(&verdict->remarks);
    text_free(&verdict->interpreter);
}

bool preload_find_library(struct text *path)
{
    const char *const named = getenv("MYALLOC_LIB");
    char resolved[PATH_MAX];
    if (named != NULL && named[0] != 0) {
        const bool is_found = realpath(named, resolved) != NULL;
        text_put(path, is_found ? resolved : named);
        return is_found;
    }
    static const char *const places[] = {
        "/libmyalloc.so",
        "/../lib/libmyalloc.so",
        "/../lib/x86_64-linux-gnu/libmyalloc.so.0",
        "/../lib/aarch64-linux-gnu/libmyalloc.so.0",
    };
    char own[PATH_MAX] = "";
    const ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[length > 0 ? length : 0] = 0;
    char *const slash = strrchr(own, '/');
    if (slash != NULL) {
        *slash = 0;
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        text_clear(path);
        text_printf(path, "%s%s", own, places[i]);
        if (realpath(text_string(path), resolved) != NULL) {
            text_clear(path);
            text_put(path, resolved);
            return true;
        }
    }
    text_clear(path);
    text_printf(path, "%s/libmyalloc.so", own);
    return false;
}
