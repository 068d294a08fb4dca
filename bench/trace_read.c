#include "trace_read.h"

#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { READ_START_BYTES = 1 << 20, RECORDS_START = 1 << 14 };

struct image { // the whole file
    unsigned char *at;
    size_t bytes, room;
};

// One segment while it is decoded.
struct cursor {
    const unsigned char *at, *end;
    size_t offset_base; // file offset of `base`, for messages
    const unsigned char *base;
    uint64_t time, block;
    uint32_t thread;
};

enum step { STEP_RECORD, STEP_END, STEP_CUT, STEP_BAD };

__attribute__((format(printf, 2, 3))) static bool refuse(struct trace *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(t->error, sizeof t->error, format, args);
    va_end(args);
    return false;
}

static void *enlarge(void *at, size_t old_bytes, size_t new_bytes)
{
    void *larger = mremap(at, old_bytes, new_bytes, MREMAP_MAYMOVE);
    if (larger == MAP_FAILED) {
        bench_fail("no memory for a table of %zu bytes", new_bytes);
    }
    return larger;
}

static bool load(struct trace *t, struct image *image, const char *file_name)
{
    int fd = strcmp(file_name, "-") == 0 ? STDIN_FILENO : open(file_name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return refuse(t, "cannot open: %s", strerror(errno));
    }
    *image = (struct image){bench_table(READ_START_BYTES), 0, READ_START_BYTES};
    ssize_t got;
    while ((got = read(fd, image->at + image->bytes, image->room - image->bytes)) > 0) {
        image->bytes += (size_t)got;
        if (image->bytes == image->room) {
            image->at = enlarge(image->at, image->room, 2 * image->room);
            image->room *= 2;
        }
    }
    int reason = errno;
    if (fd != STDIN_FILENO) {
        close(fd);
    }
    return got == 0 || refuse(t, "cannot read: %s", strerror(reason));
}

static bool read_header(struct trace *t, const struct image *image)
{
    if (image->bytes < sizeof t->header) {
        return refuse(t, "too short for a trace: %zu bytes", image->bytes);
    }
    memcpy(&t->header, image->at, sizeof t->header);
    const struct trace_file_header *h = &t->header;
    if (h->magic != TRACE_FILE_MAGIC) {
        return refuse(t, "not a trace (wrong magic)");
    }
    if (h->version != TRACE_VERSION) {
        return refuse(t, "trace version %u; this program reads version %d", h->version,
                      TRACE_VERSION);
    }
    bool is_power = (h->segment_bytes & (h->segment_bytes - 1)) == 0;
    if (!is_power || h->segment_bytes < TRACE_SEGMENT_BYTES_MIN ||
        h->segment_bytes > TRACE_SEGMENT_BYTES_MAX) {
        return refuse(t, "bad header: segments of %u bytes", h->segment_bytes);
    }
    if (h->last_ticks < h->first_ticks || h->last_ns < h->first_ns) {
        return refuse(t, "bad header: the clock runs backwards");
    }
    t->header.command[sizeof t->header.command - 1] = '\0';
    return true;
}

static enum step read_varint(struct cursor *c, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (c->at == c->end) {
            return STEP_CUT;
        }
        unsigned char byte = *c->at++;
        if (shift == 63 && byte > 1) {
            return STEP_BAD; // above 2^64, or an eleventh byte
        }
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return STEP_RECORD;
        }
    }
    return STEP_BAD;
}

// Reads `count` varints; the first is a time difference and is added to the cursor's time.
static enum step read_fields(struct cursor *c, uint64_t *fields, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        enum step step = read_varint(c, &fields[i]);
        if (step != STEP_RECORD) {
            return step;
        }
    }
    return __builtin_add_overflow(c->time, fields[0], &c->time) ? STEP_BAD : STEP_RECORD;
}

static uint64_t next_block(struct cursor *c, uint64_t zigzag)
{
    c->block += (zigzag >> 1) ^ (0 - (zigzag & 1));
    return c->block;
}

// Decodes what follows an op byte. `r` is complete when STEP_RECORD comes back.
static enum step read_operands(struct cursor *c, unsigned op, struct trace_record *r)
{
    static const unsigned char k_field_counts[] = {
        [TRACE_MALLOC] = 3,  [TRACE_CALLOC] = 3, [TRACE_ALIGNED] = 4,
        [TRACE_REALLOC] = 5, [TRACE_FREE] = 2,   [TRACE_THREAD] = 2};
    if (op >= sizeof k_field_counts) {
        return STEP_BAD;
    }
    uint64_t fields[5] = {0};
    enum step step = read_fields(c, fields, k_field_counts[op]);
    if (step != STEP_RECORD) {
        return step;
    }
    *r = (struct trace_record){
        .time = c->time, .end_time = c->time, .thread = c->thread, .op = (uint8_t)op};
    if (op == TRACE_THREAD) {
        c->thread = (uint32_t)fields[1];
        return fields[1] > UINT32_MAX ? STEP_BAD : STEP_RECORD;
    }
    if (op == TRACE_FREE) {
        r->block = next_block(c, fields[1]);
        return STEP_RECORD;
    }
    r->size = fields[1];
    if (op == TRACE_REALLOC) {
        r->old_block = next_block(c, fields[2]);
        if (__builtin_add_overflow(c->time, fields[3], &c->time)) {
            return STEP_BAD;
        }
        r->end_time = c->time;
    }
    if (op == TRACE_ALIGNED) {
        r->alignment_log2 = (uint8_t)fields[2];
    }
    r->block = next_block(c, fields[k_field_counts[op] - 1]);
    bool fits = r->size <= TRACE_SIZE_MAX && (op != TRACE_ALIGNED || fields[2] < 48);
    return fits ? STEP_RECORD : STEP_BAD;
}

static void append(struct trace *t, const struct trace_record *r)
{
    if (t->record_count == t->record_room) {
        size_t bytes = t->record_room * sizeof *r;
        t->records = enlarge(t->records, bytes, 2 * bytes);
        t->record_room *= 2;
    }
    t->records[t->record_count++] = *r;
}

static enum step read_record(struct trace *t, struct cursor *c)
{
    if (c->at == c->end || *c->at == TRACE_END) {
        return STEP_END;
    }
    unsigned op = *c->at++;
    struct trace_record r;
    enum step step = read_operands(c, op, &r);
    if (step == STEP_RECORD && op != TRACE_THREAD) {
        append(t, &r);
    }
    return step;
}

static bool all_zero(const unsigned char *at, const unsigned char *end)
{
    while (at < end && *at == 0) {
        at++;
    }
    return at == end;
}

// Decodes the records of one segment; `is_open` segments may end early and are followed by zeros.
static bool read_records(struct trace *t, struct cursor *c, bool is_open, bool is_cut)
{
    enum step step = STEP_RECORD;
    const unsigned char *start = c->at;
    while (step == STEP_RECORD) {
        start = c->at;
        step = read_record(t, c);
    }
    size_t offset = c->offset_base + (size_t)(start - c->base);
    if (step == STEP_BAD || (step == STEP_CUT && !is_cut)) {
        return refuse(t, "corrupt record at byte %zu (op %u)", offset, *start);
    }
    if (step == STEP_END && !is_open && c->at != c->end) {
        return refuse(t, "a closed segment ends early at byte %zu", offset);
    }
    if (step == STEP_END && is_open && !all_zero(c->at, c->end)) {
        return refuse(t, "bytes behind the end of an open segment at byte %zu", offset);
    }
    return true;
}

// Decodes the slot at `offset`, of which `bytes` are there.
static bool read_segment(struct trace *t, const struct image *image, size_t offset, size_t bytes)
{
    const unsigned char *slot = image->at + offset;
    const bool is_cut = bytes < t->header.segment_bytes;
    t->is_cut |= is_cut;
    if (all_zero(slot, slot + bytes) || (is_cut && bytes < sizeof(struct trace_segment_header))) {
        return true;
    }
    struct trace_segment_header h;
    memcpy(&h, slot, sizeof h);
    if (h.magic != TRACE_SEGMENT_MAGIC || h.reserved != 0) {
        return refuse(t, "no segment header at byte %zu", offset);
    }
    const bool is_open = h.used_bytes == 0;
    if (h.used_bytes > t->header.segment_bytes - sizeof h || (is_open && h.sum != 0)) {
        return refuse(t, "bad segment header at byte %zu: %u bytes used", offset, h.used_bytes);
    }
    size_t body = bytes - sizeof h;
    if (!is_open && h.used_bytes <= body) {
        body = h.used_bytes;
        if (trace_sum(slot + sizeof h, h.used_bytes) != h.sum) {
            return refuse(t, "wrong checksum in the segment at byte %zu", offset);
        }
    }
    t->segment_count++;
    t->open_segment_count += is_open;
    struct cursor c = {slot + sizeof h, slot + sizeof h + body, offset + sizeof h,
                       slot + sizeof h, h.start_ticks,          0,
                       h.thread};
    return read_records(t, &c, is_open || body < h.used_bytes, is_cut);
}

static bool read_segments(struct trace *t, const struct image *image)
{
    const size_t step = t->header.segment_bytes;
    t->is_cut = image->bytes < step;
    for (size_t offset = step; offset < image->bytes; offset += step) {
        size_t left = image->bytes - offset;
        if (!read_segment(t, image, offset, left < step ? left : step)) {
            return false;
        }
    }
    return true;
}

bool trace_read(struct trace *t, const char *file_name)
{
    *t = (struct trace){.record_room = RECORDS_START};
    t->records = bench_table(RECORDS_START * sizeof *t->records);
    struct image image = {NULL, 0, 0};
    bool good = load(t, &image, file_name) && read_header(t, &image) && read_segments(t, &image);
    if (image.at != NULL) {
        munmap(image.at, image.room);
    }
    return good;
}

void trace_close(struct trace *t)
{
    munmap(t->records, t->record_room * sizeof *t->records);
    t->records = NULL;
    t->record_count = 0;
}

double trace_seconds(const struct trace *t, uint64_t ticks)
{
    const struct trace_file_header *h = &t->header;
    uint64_t span = h->last_ticks - h->first_ticks;
    double ns = span == 0 ? 1 : (double)(h->last_ns - h->first_ns) / (double)span;
    double since = ticks >= h->first_ticks ? (double)(ticks - h->first_ticks)
                                           : -(double)(h->first_ticks - ticks);
    return since * ns * 1e-9;
}
