/*
 * trace: the file format in which a program's allocation calls are recorded and replayed.
 *
 * Written by the recorder inside the library, read by bench/replay and bench/trace_tool. Designed
 * for a recorder with no malloc, bounded memory and no time, and for processes that are killed:
 *
 * File     = slots of segment_bytes each. Slot 0 holds the file header, every other slot one
 *            segment. The recorder takes a slot by one atomic addition, extends the file
 *            (ftruncate), maps the slot MAP_SHARED and stores records into it. Stored records
 *            survive SIGKILL; the unwritten rest is zero and, on disk, a hole. All numbers are
 *            little-endian.
 * Segment  = header and records of one writer at a time. A writer is a thread; when it exits it may
 *            hand its open segment to a later thread, which then starts with a THREAD record.
 *            Memory is one mapped segment for each live thread.
 *            While open, used_bytes and sum are 0 and the records end at the first zero byte (or
 *            where the file was truncated). When full, used_bytes and sum are stored and the slot
 *            is unmapped. A slot that is all zero was taken and never written: it is skipped.
 * Record   = one byte of enum trace_op, then varints:
 *            MALLOC, CALLOC   time size block
 *            ALIGNED          time size alignment_log2 block
 *            REALLOC          time size old_block duration new_block
 *            FREE             time block
 *            THREAD           time thread            (the records from here on are that thread's)
 *            The recorder stores the op byte after the rest, so that a kill never leaves half a
 *            record.
 * Varint   = 7 bits per byte, least significant first, bit 7 set on all but the last; at most 10
 *            bytes, value below 2^64.
 * time     = ticks since the previous record's time in this segment (the first: since start_ticks
 *            of the segment). A tick is that of the recorder's clock, the same one on all
 *            processors: a constant TSC, or nanoseconds. The clock also orders the records of
 *            different threads, by one rule: **a call that frees memory is stamped before it
 *            begins, a call that allocates memory is stamped after it has returned**. So the FREE
 *            of an address always comes before the next MALLOC of it. REALLOC does both: time is
 *            stamped before; duration is the ticks until it returned, and the next record counts
 *            from time + duration.
 * block    = the address divided by 16 (rounded down), as the difference to the previous block of
 *            this segment (the first: to 0), zigzag: (d << 1) ^ (d >> 63), so that neighbours take
 *            one or two bytes. Address 0 is a failed allocation. realloc(NULL, n) is recorded as
 *            MALLOC, free(NULL) not at all. realloc(p, 0) that frees is recorded as FREE; a failed
 *            REALLOC has new_block 0 and keeps the old one.
 * size     = the bytes requested (calloc: the product).
 *
 * fork: the child stops writing into its parent's slots before its first record, opens a file of
 * its own, and knows nothing of the blocks that it inherited: a FREE of an unknown block is legal,
 * and a reader ignores it.
 *
 * Readers: a file may end at any byte; complete records count. Anything else that contradicts this
 * description is corruption: closed segments whose sum differs, unknown ops, sizes above
 * TRACE_SIZE_MAX, nonzero bytes behind the end of an open segment's records.
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include <stdint.h>

#define TRACE_FILE_MAGIC    UINT64_C(0x4543415254594d01) // "\x01MYTRACE" in the file
#define TRACE_SEGMENT_MAGIC UINT32_C(0x4b4e4843)         // "CHNK" in the file
#define TRACE_SIZE_MAX      (UINT64_C(1) << 47)          // [bytes] no larger block can exist

enum {
    TRACE_VERSION = 1,
    TRACE_SEGMENT_BYTES = 1 << 16,     // as written; readers take any power of two in the limits
    TRACE_SEGMENT_BYTES_MIN = 1 << 12, // 4 KiB: the smallest page that a slot can be mapped with
    TRACE_SEGMENT_BYTES_MAX = 1 << 24,
    TRACE_RECORD_MAX = 1 + 5 * 10, // bytes of the longest record: a segment with less room is full
    TRACE_BLOCK_SHIFT = 4          // block number = address >> 4
};

enum trace_op {
    TRACE_END = 0,
    TRACE_MALLOC = 1,
    TRACE_CALLOC = 2,
    TRACE_ALIGNED = 3,
    TRACE_REALLOC = 4,
    TRACE_FREE = 5,
    TRACE_THREAD = 6
};

struct trace_file_header {
    uint64_t magic;         // TRACE_FILE_MAGIC; stored last, so that a file is valid or empty
    uint32_t version;       // TRACE_VERSION; a reader refuses others
    uint32_t segment_bytes; // power of two
    uint32_t pid;
    uint32_t parent_pid; // 0, or the pid of the recorded process that this one was forked from
    // Two readings of both clocks; the later one is updated when a segment is closed. Equal
    // readings: a tick is a nanosecond.
    uint64_t first_ticks;
    uint64_t first_ns;
    uint64_t last_ticks;
    uint64_t last_ns;
    char command[128]; // the program's name, zero-terminated; for people
};

struct trace_segment_header {
    uint32_t magic;       // TRACE_SEGMENT_MAGIC
    uint32_t thread;      // writer at the start; small numbers in the order of first use
    uint64_t start_ticks; // base of the first record's time
    uint32_t used_bytes;  // of records behind this header; 0 while open
    uint32_t reserved;    // 0
    uint64_t sum;         // trace_sum of the used bytes; 0 while open
};

_Static_assert(sizeof(struct trace_file_header) == 184, "the layout is the file's");
_Static_assert(sizeof(struct trace_segment_header) == 32, "the layout is the file's");

// Checksum of a closed segment: FNV-1a over the 8-byte words of its records, the last word padded
// with the zero bytes that follow in the slot. Never 0.
static inline uint64_t trace_sum(const unsigned char *records, uint32_t used_bytes)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (uint32_t at = 0; at < used_bytes; at += 8) {
        uint64_t word = 0;
        for (uint32_t i = 0; i < 8 && at + i < used_bytes; i++) {
            word |= (uint64_t)records[at + i] << (8 * i);
        }
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
    }
    return sum | 1;
}

#endif
