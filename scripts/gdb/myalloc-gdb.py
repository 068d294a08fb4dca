"""myalloc-gdb.py - commands of gdb for the heap of libmyalloc, in a live process or a core.

myalloc block ADDRESS   whose block it is, where it begins, in use or where it lies free
myalloc heap            what the heap holds, by size class

Nothing is called in the process, so they work wherever it has stopped or crashed.
"""

import os
import struct
import sys

import gdb

# The module lies beside this file, of which gdb may have found a link; nothing is written there.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode, WRITES = True, sys.dont_write_bytecode
import myalloc_heap as structures
sys.dont_write_bytecode = WRITES
del sys.path[0]

SMALL_BYTES_MAX, MEDIUM_BYTES_MAX = 1024, 32768
RECORD_USED, RECORD_SLACK = 0x8000, 0x1FFF
SAMPLE_HASH = 0x9E3779B97F4A7C15
SITES_MAX = 65536
WORD = (1 << 64) - 1


def kind_of(byte_count):
    """Small, medium or large."""
    if byte_count <= SMALL_BYTES_MAX:
        return "small"
    return "medium" if byte_count <= MEDIUM_BYTES_MAX else "large"


# ---- one address ----


class Place:
    """A block, or what else an address lies in."""

    def __init__(self, what, start, byte_count, state, details=()):
        self.what, self.start, self.bytes, self.state = what, start, byte_count, state
        self.details = list(details)

    def told(self, address):
        offset = address - self.start
        if offset < 0:
            where = f"{-offset} bytes before it"
        elif self.bytes <= offset != 0:
            where = f"{offset - self.bytes} bytes behind its end"
        else:
            where = f"{offset} bytes inside" if offset else "its start"
        first = f"{address:#x}: {self.what} of {self.bytes} bytes at {self.start:#x}"
        return [f"{first}, {where}: {self.state}"] + [f"    {line}" for line in self.details]


def in_slab(heap, span, address):
    block_bytes, _, blocks = heap.classes[span.sc]
    number = (address - span.start) // block_bytes
    slab = f"class {span.sc}, slab at {span.start:#x}"
    if number >= blocks:
        behind = span.start + blocks * block_bytes
        return Place("rest", behind, span.start + span.bytes - behind, "no block",
                     [f"behind the last block of a slab: {slab}"])
    return Place(f"{kind_of(block_bytes)} block", span.start + number * block_bytes, block_bytes,
                 heap.state_in_slab(span, number), [f"{slab}, block {number} of {blocks}"])


def bit(words, at):
    return int(words[at // 64]) >> at % 64 & 1


def free_slot_state(heap, span, number, record):
    """Where a slot of a hardened slab lies free."""
    holder = heap.debug.symbol("hslab_hold")
    if record == 0 or holder is None:
        return "free" if record else "free, never used"
    slab = gdb.Value(span.free).cast(holder.type.target()).dereference()
    is_home = bit(slab["free"], number)
    return "free, home in its slab" if is_home else "free, in the cache of a CPU or its quarantine"


def in_hardened_slab(heap, span, address):
    start, sc, first, opened, slot_bytes, records = heap.hardened_slab(span)
    number = (address - start) // slot_bytes
    slab = f"class {sc}, hardened slab at {start:#x}, slot {number} of {slot_bytes} bytes"
    if not first <= number < opened:
        return Place("slot", start + number * slot_bytes, slot_bytes,
                     "free, never used, or a guard page", [slab])
    record = heap.memory.number(records + 2 * number, 2)
    is_empty = sc >= heap.tables[structures.HSLAB].count
    byte_count = 0 if is_empty else slot_bytes - (record & RECORD_SLACK)
    state = "in use" if record & RECORD_USED else free_slot_state(heap, span, number, record)
    return Place("hardened block", start + number * slot_bytes, byte_count, state, [slab])


def in_pool(heap, span, address):
    whole = Place("pool chunk", span.start, span.bytes, "memory of a pool")
    maker = heap.debug.symbol("pool_chunk_of")
    if maker is None:
        return whole
    chunk = gdb.Value(span.start).cast(maker.type.target()).dereference()
    first, unit, units = (int(chunk[name]) for name in ("first", "unit_bytes", "units"))
    whole.details.append(f"pool at {int(chunk['pool']):#x}, {int(chunk['used'])} blocks in use")
    number = (address - first) // unit
    if not 0 <= number < units:
        whole.state = "no block of the pool"
        return whole
    end = number + 1
    if chunk["has_pieces"]:
        while number > 0 and not bit(chunk["start_bits"], number):
            number -= 1
        while end < units and not bit(chunk["start_bits"], end):
            end += 1
    state = "in use" if bit(chunk["used_bits"], number) else "free, in its pool"
    return Place("pool block", first + number * unit, (end - number) * unit, state, whole.details)


def in_span(heap, span, address):
    chunks = f"a span of {span.length} chunks at {span.start:#x}"
    if span.state == structures.SLAB:
        return in_slab(heap, span, address)
    if span.state == structures.HARDENED:
        return in_hardened_slab(heap, span, address)
    if span.state == structures.POOL:
        return in_pool(heap, span, address)
    if span.state in (structures.LARGE, structures.PLACED):
        kind = kind_of(span.usable) if span.state == structures.PLACED else "large"
        return Place(f"{kind} block", span.start, span.usable, "in use", [chunks])
    if span.state == structures.GUARDED:
        return Place("large block", span.free, span.usable, "in use",
                     [f"between guard pages, {chunks}"])
    if span.state == structures.FREE:
        return Place("free span", span.start, span.bytes, "free",
                     [f"{heap.dirty_bytes(span)} bytes of it dirty"])
    for start, byte_count in heap.quarantined():
        if start <= address < start + byte_count:
            return Place("freed large block", start, byte_count, "free, in quarantine")
    head = heap.head_of(span)
    return Place("freed span", head.start, max(head.length, 1) << structures.CHUNK_SHIFT,
                 "free, on its way to the page heap")


def in_huge(heap, address):
    """None: in no mapping of a huge block."""
    for ptr, usable, start, byte_count in heap.huge_blocks() or []:
        if start <= address < start + byte_count:
            mapping = f"mapping of {byte_count} bytes at {start:#x}"
            if (start, byte_count) in heap.quarantined():
                return Place("huge block", ptr, usable, "free, in quarantine", [mapping])
            guard = heap.page if heap.has_guards() else 0
            return Place("huge block", ptr + guard, usable - 2 * guard, "in use", [mapping])
    for start, byte_count in heap.kept_mappings():
        if start <= address < start + byte_count:
            return Place("kept mapping of a huge block", start, byte_count, "free")
    for start, byte_count in heap.freed_mappings():
        if start <= address < start + byte_count:
            return Place("huge block", start, byte_count, "free, not long ago given back",
                         ["others may have the addresses meanwhile"])
    return None


def in_guard_pool(heap, address):
    """Sampled blocks of guard:N. None: no such block."""
    pool, guarded = heap.debug.value("g_guard"), heap.debug.value("g_guarded")
    if pool is None or guarded is None:
        return None
    offset = address - int(pool["start"])
    if not 0 <= offset < int(pool["bytes"]):
        return None
    number = max(0, offset - heap.page) // (2 * heap.page)
    place = guarded["places"][number]
    ptr, is_used = int(place["ptr"]), bool(place["is_used"])
    found = Place("sampled block", ptr, int(place["bytes"]), "in use" if is_used else "free",
                  ["between the guard pages of guard:N"])
    for title, stack in (("allocated by", place["taken"]), ("freed by", place["freed"])):
        if ptr and not (is_used and title == "freed by"):
            frames = [int(stack["frames"][i]) for i in range(int(stack["count"]))]
            found.details += [f"{title} thread {int(stack['thread_id'])}"] + stack_lines(frames)
    return found


# ---- sampled stacks ----


def stack_lines(frames):
    """Return addresses, the innermost first; the call stands before each."""
    lines = []
    for number, frame in enumerate(frames):
        text = gdb.execute(f"info symbol {frame - 1:#x}", to_string=True).strip()
        name = "??" if text.startswith("No symbol") else text.split(" in section")[0]
        where = gdb.find_pc_line(frame - 1)
        at = f" at {where.symtab.filename}:{where.line}" if where.symtab else ""
        lines.append(f"  #{number} {frame:#x} {name}{at}")
    return lines


def sample_lines(heap, start):
    """Of a block that the heap profile has; none else."""
    samples, sites = heap.debug.value("g_samples"), heap.debug.value("g_sites")
    if samples is None or sites is None or int(samples["count"]) == 0:
        return []
    places = int(samples["places"])
    place = ((start >> 4) * SAMPLE_HASH & WORD) >> 24 & (places - 1)
    for _ in range(places):
        sample = samples["table"][place]
        if int(sample["ptr"]) in (0, start):
            break
        place = (place + 1) & (places - 1)
    if int(sample["ptr"]) != start:
        return []
    pieces, number = sites["pieces"], int(sample["site"])
    in_a_piece = SITES_MAX // (pieces.type.range()[1] + 1)
    site = pieces[number // in_a_piece][number % in_a_piece]
    frames = [int(site["frames"][i]) for i in range(int(site["frame_count"]))]
    return [f"sampled: {int(sample['bytes'])} bytes were asked for by"] + stack_lines(frames)


def find_block(heap, address):
    """The lines that tell of an address."""
    span = heap.span_at(address)
    place = in_span(heap, span, address) if span is not None else None
    if place is None:
        place = in_guard_pool(heap, address) or in_huge(heap, address)
    if place is None:
        if heap.huge_blocks() is not None:
            return [f"{address:#x}: no block of libmyalloc"]
        return [f"{address:#x}: no small, medium or large block",
                "    huge blocks are not known: the library has no debug information"]
    if place.state == "in use":
        place.details += sample_lines(heap, place.start)
    return place.told(address)


# ---- the whole heap ----


class Sum:
    """Blocks of one size class."""

    def __init__(self):
        self.slabs = self.made = self.home = self.slots = self.depot = self.alone = 0

    def in_use(self):
        return max(0, self.made - self.home - self.slots - self.depot) + self.alone


class Census:
    """What lies in all spans."""

    def __init__(self, heap):
        self.heap = heap
        self.classes = [Sum() for _ in heap.classes]
        self.empty = Sum()
        self.large, self.pools, self.free = [], [], []
        self.dirty = self.dirty_spans = self.gone = 0
        for span in heap.spans():
            self.add(span)
        for sc, one in enumerate(self.classes):
            if one.slabs:
                one.slots = sum(heap.count_of(word) for _, word in heap.magazines_in_slots(sc))
                one.depot = sum(heap.count_of(word) for word in heap.magazines_in_depot(sc))

    def add(self, span):
        heap = self.heap
        if span.state == structures.SLAB:
            one = self.classes[span.sc]
            one.slabs += 1
            one.made += span.carved
            one.home += heap.count_of(span.free) + heap.marks_count(span)
        elif span.state == structures.HARDENED:
            self.add_hardened(span)
        elif span.state in (structures.LARGE, structures.GUARDED):
            self.large.append(span.usable)
        elif span.state == structures.PLACED:
            for one, (block_bytes, _, _) in zip(self.classes, heap.classes):
                one.alone += block_bytes == span.usable
        elif span.state == structures.POOL:
            self.pools.append(span.bytes)
        elif span.state == structures.FREE:
            dirty = heap.dirty_bytes(span)
            self.free.append(span.bytes)
            self.dirty += dirty
            self.dirty_spans += dirty != 0
        elif span.state == structures.BODY:
            self.gone += span.bytes

    def add_hardened(self, span):
        start, sc, first, opened, _, records = self.heap.hardened_slab(span)
        if start != span.start:
            return  # a further chunk of it
        one = self.classes[sc] if sc < self.heap.tables[structures.HSLAB].count else self.empty
        one.slabs += 1
        words = self.heap.memory.read(records, 2 * opened)
        used = [word & RECORD_USED != 0 for (word,) in struct.iter_unpack("<H", words)]
        one.alone += sum(used[first:])

    def lines(self):
        yield " class   bytes   slabs    in use  in slots     depot      home"
        rows = [(str(sc), self.heap.classes[sc][0], one) for sc, one in enumerate(self.classes)]
        for name, byte_count, one in rows + [("none", 0, self.empty)]:
            if one.slabs or one.alone:
                yield (f"{name:>6}{byte_count:8}{one.slabs:8}{one.in_use():10}"
                       f"{one.slots:10}{one.depot:10}{one.home:10}")
        count, byte_count, kept = (self.heap.word(structures.HUGE, field) for field in range(3))
        yield f"large spans: {len(self.large)}, {sum(self.large)} bytes"
        yield f"pool chunks: {len(self.pools)}, {sum(self.pools)} bytes"
        yield f"huge blocks: {count}, {byte_count} bytes; kept mappings: {kept} bytes"
        yield (f"free spans: {len(self.free)}, {sum(self.free)} bytes; dirty: {self.dirty_spans},"
               f" {self.dirty} bytes")
        yield f"freed, in quarantine or on the way to free spans: {self.gone} bytes"


# ---- commands ----


class MyallocCommand(gdb.Command):
    """The heap of libmyalloc: block ADDRESS, heap."""

    def __init__(self):
        super().__init__("myalloc", gdb.COMMAND_DATA, prefix=True)


def show(heap, lines):
    for line in lines:
        print(line)
    for line in dict.fromkeys(heap.damage):
        print(f"damaged: {line}")


class BlockCommand(gdb.Command):
    """Tell whose block holds an address: myalloc block ADDRESS.

Where it begins, its usable bytes, whether it is in use or where it lies free, and the stack of its
allocation when the heap profile has it. ADDRESS is any expression."""

    def __init__(self):
        super().__init__("myalloc block", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        if not argument:
            raise gdb.GdbError("myalloc block: which address?")
        try:
            value = gdb.parse_and_eval(argument)
            if value.type.strip_typedefs().code in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FUNC):
                value = value.address
            address = int(value) & WORD
        except (gdb.error, TypeError) as error:  # gdb would call it an exception of Python
            raise gdb.GdbError(f"myalloc block: {argument} is no address: {error}") from None
        heap = structures.Heap()
        show(heap, find_block(heap, address))


class HeapCommand(gdb.Command):
    """List what the heap of libmyalloc holds: myalloc heap.

Per size class slabs, blocks in use, and free ones in caches of CPUs, in the depot and home in their
slabs; then large, huge and free memory."""

    def __init__(self):
        super().__init__("myalloc heap", gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        if argument:
            raise gdb.GdbError("myalloc heap: takes no argument")
        heap = structures.Heap()
        show(heap, Census(heap).lines())


MyallocCommand()
BlockCommand()
HeapCommand()
