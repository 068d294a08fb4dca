/* record.c - the trace file: slots, segments, records.
 *
 * Owns:       the file; the descriptor is ours as long as it refers to the same file.
 * Threads:    any.
 * Locks:      LOCK_WRITER, one per segment that is written; LOCK_RECORD, a leaf, for a new slot.
 * Invariants: RECORD-1  a slot is backed by the disk before it is mapped: a store never fails.
 *             RECORD-2  a record is complete when its first byte is set: it is stored last.
 */
#include "trace/record.h"

#include "base/check.h"
#include "base/lock.h"
#include "base/options.h"
#include "base/os.h"
#include "base/place.h"
#include "trace/trace.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define WRITERS 16U // threads whose numbers are equal modulo this share one

_Atomic(bool) g_record_is_on;

// An open segment; all zero at first.
struct writer {
    struct lock lock;
    unsigned char *segment; // [lock: LOCK_WRITER] mapped slot; NULL: none
    uint32_t used;          // [lock: LOCK_WRITER] bytes of records in it
    uint32_t thread;        // [lock: LOCK_WRITER] of the last record
    uint32_t file;          // [lock: LOCK_WRITER] number of the segment's file: forks make new ones
    uint64_t time;          // [lock: LOCK_WRITER] of the last record
    uint64_t block;         // [lock: LOCK_WRITER] in the last record
};

static struct {
    struct lock lock;
    int fd;           // [lock: LOCK_RECORD] this and the rest
    uint64_t file_id; // of fd when it was opened
    size_t slots;     // taken so far
    uint32_t file;    // number of the file, from 1
    uint32_t process; // whose file it is
    struct line name; // [const] of the file, once it is open
    uint64_t talk_id; // [const] file id of standard error at the start; 0: it has been replaced
    struct trace_file_header *header;
    _Atomic(uint32_t) threads;
    struct writer writers[WRITERS];
} g_record = {
    .lock = LOCK_INIT(LOCK_RECORD),
    .writers = {[0 ... WRITERS - 1] = {.lock = LOCK_INIT(LOCK_WRITER)}},
};

static void stop(void)
{
    atomic_store_explicit(&g_record_is_on, false, memory_order_relaxed);
}

// Writes one line, unless the program has replaced standard error by another file.
static void tell(const char *what, int error)
{
    if (g_record.talk_id != 0 && os_file_id(STDERR_FILENO) == g_record.talk_id) {
        place_complain(what, &g_record.name, error, STDERR_FILENO);
    }
}

// Takes and maps the next slot; returns an errno, or 0 on success.
static int slot_take_locked(void **slot)
{
    ASSERT(g_record.slots == 0 || lock_is_mine(&g_record.lock));
    size_t at = g_record.slots * TRACE_SEGMENT_BYTES;
    if (os_file_id(g_record.fd) != g_record.file_id) { // RECORD-1
        return EBADF;
    }
    int error = os_report_extend(g_record.fd, at, TRACE_SEGMENT_BYTES);
    if (error != 0) {
        return error;
    }
    g_record.slots++;
    *slot = os_map_file(g_record.fd, at, TRACE_SEGMENT_BYTES);
    return *slot != NULL ? 0 : ENOMEM;
}

static int write_file_header(uint32_t parent)
{
    ASSERT(g_record.slots == 0);
    void *slot = NULL;
    int error = slot_take_locked(&slot);
    struct trace_file_header *header = slot;
    if (error != 0) {
        return error;
    }
    header->version = TRACE_VERSION;
    header->segment_bytes = TRACE_SEGMENT_BYTES;
    header->pid = g_record.process;
    header->parent_pid = parent;
    header->first_ticks = header->first_ns = os_exact_ns(); // a tick is a nanosecond
    header->last_ticks = header->last_ns = header->first_ns;
    strncpy(header->command, os_program_name(), sizeof header->command - 1);
    atomic_signal_fence(memory_order_seq_cst); // stored last: the process may be killed
    header->magic = TRACE_FILE_MAGIC;
    g_record.header = header;
    return 0;
}

// Closes the descriptor, unless the program has reused it.
static void close_file(void)
{
    if (os_file_id(g_record.fd) == g_record.file_id) {
        os_close(g_record.fd);
    }
}

static void open_file(const char *pattern, uint32_t parent)
{
    ASSERT(!record_is_on());
    g_record.process = os_process_id();
    int fd = place_create(pattern, &g_record.name, g_record.talk_id != 0 ? STDERR_FILENO : -1);
    if (fd < 0) {
        return;
    }
    g_record.fd = os_keep_descriptor(fd);
    g_record.file_id = os_file_id(fd);
    os_close(fd);
    g_record.slots = 0;
    g_record.file++;
    int error = g_record.fd < 0 ? EMFILE : write_file_header(parent);
    if (error != 0) {
        tell("no trace in ", error);
        os_unlink(g_record.name.text);
        close_file();
    }
    atomic_store_explicit(&g_record_is_on, error == 0, memory_order_relaxed);
}

void record_start(const char *pattern)
{
    ASSERT(g_record.file == 0);
    g_record.talk_id = os_file_id(STDERR_FILENO);
    open_file(pattern, 0);
}

void record_postfork_child(void)
{
    lock_init(&g_record.lock, LOCK_RECORD);
    if (!record_is_on()) {
        return;
    }
    stop();
    ASSERT(g_record.header != NULL);
    os_unmap(g_record.header, TRACE_SEGMENT_BYTES);
    close_file();
    if (os_file_id(STDERR_FILENO) != g_record.talk_id) {
        g_record.talk_id = 0; // the program has replaced it
    }
    atomic_store_explicit(&g_record.threads, 0, memory_order_relaxed);
    open_file(g_options.record, g_record.process);
}

uint32_t record_new_thread(void)
{
    return atomic_fetch_add_explicit(&g_record.threads, 1, memory_order_relaxed) + 1;
}

// ---- segments ----

static unsigned char *records_of(const struct writer *writer)
{
    ASSERT(writer->segment != NULL);
    return writer->segment + sizeof(struct trace_segment_header);
}

// Threads close segments in any order: it matters little which of their times remains.
static void show_time(uint64_t now)
{
    ASSERT(g_record.header != NULL);
    struct trace_file_header *header = g_record.header;
    atomic_store_explicit((_Atomic(uint64_t) *)&header->last_ticks, now, memory_order_relaxed);
    atomic_store_explicit((_Atomic(uint64_t) *)&header->last_ns, now, memory_order_relaxed);
}

static void close_segment(struct writer *writer)
{
    ASSERT(lock_is_mine(&writer->lock));
    ASSERT(writer->used <= TRACE_SEGMENT_BYTES - sizeof(struct trace_segment_header));
    struct trace_segment_header *header = (struct trace_segment_header *)(void *)writer->segment;
    show_time(writer->time);
    header->sum = trace_sum(records_of(writer), writer->used);
    header->used_bytes = writer->used;
    os_unmap(writer->segment, TRACE_SEGMENT_BYTES);
    writer->segment = NULL;
}

static bool open_segment(struct writer *writer, const struct record *record)
{
    ASSERT(lock_is_mine(&writer->lock));
    ASSERT(writer->segment == NULL);
    void *slot = NULL;
    lock_acquire(&g_record.lock);
    int error = slot_take_locked(&slot);
    writer->segment = slot;
    writer->file = g_record.file;
    lock_release(&g_record.lock);
    if (error != 0) {
        // Only one of the threads reports the error.
        if (atomic_exchange_explicit(&g_record_is_on, false, memory_order_relaxed)) {
            tell("the trace ends early, ", error);
        }
        return false;
    }
    struct trace_segment_header *header = (struct trace_segment_header *)(void *)writer->segment;
    header->thread = record->thread;
    header->start_ticks = record->time;
    header->magic = TRACE_SEGMENT_MAGIC;
    writer->used = 0;
    writer->thread = record->thread;
    writer->time = record->time;
    writer->block = 0;
    return true;
}

// Prepares a segment with room for two records: this one, and a THREAD record before it.
static bool prepare(struct writer *writer, const struct record *record)
{
    ASSERT(lock_is_mine(&writer->lock));
    const size_t room = TRACE_SEGMENT_BYTES - sizeof(struct trace_segment_header);
    if (writer->segment != NULL && writer->file != g_record.file) { // the parent's
        os_unmap(writer->segment, TRACE_SEGMENT_BYTES);
        writer->segment = NULL;
    }
    if (writer->segment != NULL && writer->used + 2 * TRACE_RECORD_MAX > room) {
        close_segment(writer);
    }
    return writer->segment != NULL || open_segment(writer, record);
}

// ---- records ----

struct pen {
    unsigned char *start, *at;
};

static void put(struct pen *pen, uint64_t value)
{
    ASSERT(pen->at > pen->start);
    for (; value >= 0x80; value >>= 7) {
        *pen->at++ = (unsigned char)(value | 0x80);
    }
    *pen->at++ = (unsigned char)value;
}

static void put_block(struct pen *pen, struct writer *writer, const void *ptr)
{
    uint64_t block = (uintptr_t)ptr >> TRACE_BLOCK_SHIFT;
    int64_t step = (int64_t)(block - writer->block);
    writer->block = block;
    put(pen, ((uint64_t)step << 1) ^ (uint64_t)(step >> 63));
}

// A signal may have come between two clock readings; then no time has passed.
static struct pen begin(struct writer *writer, uint64_t time)
{
    ASSERT(writer->used + TRACE_RECORD_MAX <=
           TRACE_SEGMENT_BYTES - sizeof(struct trace_segment_header));
    unsigned char *start = records_of(writer) + writer->used;
    struct pen pen = {start, start + 1};
    uint64_t now = time > writer->time ? time : writer->time;
    put(&pen, now - writer->time);
    writer->time = now;
    return pen;
}

static void finish(struct writer *writer, const struct pen *pen, uint8_t op)
{
    ASSERT(op != 0);
    ASSERT(pen->at - pen->start <= TRACE_RECORD_MAX);
    atomic_signal_fence(memory_order_seq_cst);
    *(volatile unsigned char *)pen->start = op; // RECORD-2
    writer->used += (uint32_t)(pen->at - pen->start);
}

static void write_locked(struct writer *writer, const struct record *record)
{
    ASSERT(lock_is_mine(&writer->lock));
    ASSERT(record->thread != 0);
    if (!prepare(writer, record)) {
        return;
    }
    struct pen pen = begin(writer, record->time);
    if (writer->thread != record->thread) {
        put(&pen, record->thread);
        finish(writer, &pen, TRACE_THREAD);
        writer->thread = record->thread;
        pen = begin(writer, record->time);
    }
    if (record->op != TRACE_FREE) {
        put(&pen, record->bytes);
    }
    if (record->op == TRACE_ALIGNED) {
        put(&pen, record->alignment_shift);
    }
    put_block(&pen, writer, record->block);
    if (record->op == TRACE_REALLOC) {
        put(&pen, record->duration);
        put_block(&pen, writer, record->new_block);
        writer->time += record->duration;
    }
    finish(writer, &pen, record->op);
}

void record_write(const struct record *record)
{
    ASSERT(record->op != 0);
    struct writer *writer = &g_record.writers[record->thread % WRITERS];
    lock_acquire(&writer->lock);
    write_locked(writer, record);
    lock_release(&writer->lock);
}

void record_each_lock(lock_visitor *visit)
{
    for (unsigned i = 0; i < WRITERS; i++) {
        visit(&g_record.writers[i].lock);
    }
}
