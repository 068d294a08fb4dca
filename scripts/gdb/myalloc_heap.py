"""myalloc_heap.py - reads the structures of libmyalloc in what gdb looks at, for myalloc-gdb.py.

All is read by address, nothing is called in the process. Slabs, spans and magazines are found by
the tables that the library publishes (struct myalloc_table of include/myalloc_live.h), which are
there without debug information, too. Huge blocks, sampled stacks, pools, guard pages of guard:N
and quarantine are found by the types of the debug information.
"""

import re
import struct

import gdb

# enum myalloc_table_id
CLASSES, MAP, SLOTS, SLOT, DEPOTS, MARKS, HUGE, REGION, HSLAB, QUARANTINE = range(1, 11)
# enum myalloc_chunk_state
(NONE, FREE, SLAB, LARGE, PLACED, POOL, HARDENED, GUARDED, BODY) = range(9)
# enum myalloc_table_field, those of a chunk: field, bytes
CHUNK = {"state": (4, 1), "sc": (5, 1), "free": (6, 8), "usable": (7, 8), "length": (8, 4),
         "reached": (9, 4), "purged": (10, 4), "carved": (11, 2)}
TABLE = struct.Struct("<QQIII14HI4x")
TABLES_VERSION = 1
CHUNK_SHIFT = 14
ENTRIES_AT_ONCE = 4096
LIST_BLOCKS_MAX = 4096
SLOTS_MAX = 4096
CARVE_BYTES = 4096


class Memory:
    """Of the process or the core."""

    def __init__(self):
        self.inferior = gdb.selected_inferior()

    def read(self, address, count):
        return bytes(self.inferior.read_memory(address, count)) if count else b""

    def number(self, address, count=8):
        return int.from_bytes(self.read(address, count), "little")


class Table:
    """One struct myalloc_table."""

    def __init__(self, at, data):
        self.at = at
        (self.address, self.second, self.id, self.bytes, self.count, *fields) = TABLE.unpack(data)
        self.fields, self.version = fields[:14], fields[14]

    def member(self, thing, field, count):
        at = self.fields[field]
        return int.from_bytes(thing[at:at + count], "little")


# What tells where the section of the tables is. The first knows no sections after gdb followed a
# fork; the second is no promise of gdb's.
SECTIONS = (("info files", r"0x([0-9a-f]+) - 0x([0-9a-f]+) is myalloc_tables\b"),
            ("maintenance info sections -all-objects myalloc_tables",
             r"0x([0-9a-f]+)->0x([0-9a-f]+) at 0x[0-9a-f]+: myalloc_tables\b"))


def find_section():
    """Beginning and end of the tables."""
    for command, pattern in SECTIONS:
        try:
            found = re.search(pattern, gdb.execute(command, to_string=True))
        except gdb.error:
            continue
        if found is not None:
            return tuple(int(part, 16) for part in found.groups())
    raise gdb.GdbError("myalloc: this process has no libmyalloc, or gdb does not know its file"
                       " (info sharedlibrary)")


def find_tables(memory):
    """All tables by their number; an error tells what is missing."""
    if gdb.selected_thread() is None:
        raise gdb.GdbError("myalloc: no process and no core: start one, attach, or name a core")
    start, end = find_section()
    data = memory.read(start, end - start)
    tables = {}
    for at in range(0, len(data) - TABLE.size + 1, TABLE.size):
        table = Table(start + at, data[at:at + TABLE.size])
        tables[table.id] = table
        if table.version != TABLES_VERSION:
            raise gdb.GdbError("myalloc: the library is of another version than this script")
    if any(number not in tables for number in range(CLASSES, QUARANTINE + 1)):
        raise gdb.GdbError("myalloc: the tables of the library cannot be read")
    return tables


class Debug:
    """Variables of the library by its debug information, and of nobody else's."""

    def __init__(self, tables):
        self.objfile = None
        # By a static one: of a global that the program has, too, gdb takes the program's.
        for objfile in gdb.objfiles():
            symbol = objfile.lookup_static_symbol("g_map_table")
            if symbol is not None and int(symbol.value().address) == tables[MAP].at:
                self.objfile = objfile

    def symbol(self, name):
        if self.objfile is None:
            return None
        return self.objfile.lookup_static_symbol(name) or self.objfile.lookup_global_symbol(name)

    def value(self, name):
        """None: there is no debug information, or the module is not in this library."""
        symbol = self.symbol(name)
        return symbol.value() if symbol is not None else None


class Span:
    """What stands at some chunks in a row."""

    def __init__(self, heap, index, length, entry):
        self.index, self.length = index, length
        self.start = heap.base + (index << CHUNK_SHIFT)
        self.bytes = length << CHUNK_SHIFT
        for name, (field, count) in CHUNK.items():
            setattr(self, name, heap.tables[MAP].member(entry, field, count))


def ranges(entries, count):
    """Start and bytes of the first entries of an array."""
    return [(int(entries[i]["start"]), int(entries[i]["bytes"])) for i in range(count)]


class Heap:
    """The structures that the tables lead to."""

    def __init__(self):
        self.memory = Memory()
        self.tables = find_tables(self.memory)
        self.debug = Debug(self.tables)
        self.damage = []
        self.list_end = self.memory.number(self.tables[SLOTS].second, 2)
        self.base, self.chunks, self.entries, self.dirty = (self.word(MAP, i) for i in range(4))
        table = self.tables[CLASSES]
        self.classes = []  # block bytes, chunks of a slab, blocks
        for sc in range(table.count):
            thing = self.memory.read(table.address + sc * table.bytes, table.bytes)
            self.classes.append(tuple(table.member(thing, i, 4 if i == 0 else 2)
                                      for i in range(3)))
        page = re.search(r"AT_PAGESZ\D*(\d+)\s*$", self.auxiliary(), re.M)
        self.page = int(page.group(1)) if page else 4096

    @staticmethod
    def auxiliary():
        try:
            return gdb.execute("info auxv", to_string=True)
        except gdb.error:
            return ""

    def word(self, number, field):
        table = self.tables[number]
        return self.memory.number(table.address + table.fields[field])

    # ---- spans ----

    def entry(self, index):
        size = self.tables[MAP].bytes
        return self.memory.read(self.entries + index * size, size)

    def span_length(self, span, index):
        """A free span is one when its last entry says so; further chunks are told one by one."""
        if span.state in (NONE, HARDENED) or span.state >= BODY or span.length == 0:
            return 1
        length = min(span.length, self.chunks - index)
        if span.state == FREE and length > 1:
            last = Span(self, index, 1, self.entry(index + length - 1))
            return length if last.state == FREE and last.length == length else 1
        return length

    def spans(self):
        """From the first to the last: what stands in the middle of a span may be old."""
        size = self.tables[MAP].bytes
        next_one = 1
        for begin in range(1, self.chunks, ENTRIES_AT_ONCE):
            count = min(ENTRIES_AT_ONCE, self.chunks - begin)
            if next_one >= begin + count:
                continue
            entries = self.memory.read(self.entries + begin * size, count * size)
            while next_one < begin + count:
                at = (next_one - begin) * size
                span = Span(self, next_one, 1, entries[at:at + size])
                length = self.span_length(span, next_one)
                span.length, span.bytes = length, length << CHUNK_SHIFT
                yield span
                next_one += length

    def span_at(self, address):
        """None: the address is in none."""
        index = (address - self.base) >> CHUNK_SHIFT
        if not 0 < index < self.chunks:
            return None
        for span in self.spans():
            if span.index <= index < span.index + span.length:
                return span if span.state != NONE else None
        return None

    def head_of(self, body):
        """What a further chunk, seen by itself, was a part of; `reached` is the way back there."""
        index = max(1, body.index - body.reached)
        return Span(self, index, 1, self.entry(index))

    def dirty_bytes(self, span):
        bits = self.memory.read(self.dirty + span.index // 8, span.length // 8 + 2)
        bits = int.from_bytes(bits, "little") >> (span.index % 8)
        return bin(bits & ((1 << span.length) - 1)).count("1") << CHUNK_SHIFT

    # ---- lists ----

    def count_of(self, word):
        return (word - self.list_end) & 0xFFFF if word >> 16 else 0

    def blocks_of(self, word):
        """The blocks of a list, as far as its links are sound."""
        for _ in range(LIST_BLOCKS_MAX):
            block = word >> 16
            if block == 0:
                return
            yield block
            try:
                link = self.memory.number(block)
            except gdb.MemoryError:
                self.damage.append(f"a list of free blocks leads to {block:#x}: no memory")
                return
            if (word - link) & 0xFFFF != 1:
                self.damage.append(f"the link of the free block {block:#x} was written over,"
                                   " or the block was freed twice")
                return
            word = link

    def slots(self):
        """Name and address of each slot that is in use."""
        table, size = self.tables[SLOT], self.tables[SLOT].bytes
        first, opened, owned = (self.word(SLOTS, field) for field in range(3))
        for number in range(min(opened, SLOTS_MAX)):
            slot = first + number * size
            if self.memory.number(slot + table.fields[3], 1):
                yield f"slot {number}", slot
        for number in range(SLOTS_MAX):
            if owned == 0:
                return
            yield f"the slot of a thread, {owned:#x}", owned
            owned = self.memory.number(owned + table.fields[4])

    def magazines_in_slots(self, sc):
        """Where and the list word of each."""
        for name, slot in self.slots():
            for field, which in enumerate(("loaded", "spare")):
                at = slot + self.tables[SLOT].fields[field] + (sc + 1) * 8
                yield f"in the {which} magazine of {name}", self.memory.number(at)

    def magazines_in_depot(self, sc):
        table = self.tables[DEPOTS]
        room = table.fields[2]
        count = self.memory.number(table.address + sc * table.bytes + table.fields[0], 4)
        words = self.memory.read(table.second + sc * room * 8, min(count, room) * 8)
        return [word for (word,) in struct.iter_unpack("<Q", words)]

    # ---- slabs ----

    def marks_count(self, span):
        """Blocks of a slab that a child of a fork freed."""
        table = self.tables[MARKS]
        marks, chunks = self.word(MARKS, 0), self.word(MARKS, 1)
        if marks == 0 or span.index >= chunks:
            return 0
        return self.memory.number(marks + span.index * table.bytes + table.fields[2], 4)

    def is_marked(self, span, block):
        if self.marks_count(span) == 0:
            return False
        inherited = self.debug.value("g_inherited")
        return (inherited is not None and
                int(inherited["marks"][span.index]["bits"][block // 64]) >> block % 64 & 1 != 0)

    def state_in_slab(self, span, number):
        """In use, or where a block of a slab lies free."""
        block_bytes = self.classes[span.sc][0]
        address = span.start + number * block_bytes
        if number >= span.reached:
            return "free, never carved"
        page = number * block_bytes // max(self.page, CARVE_BYTES)
        if span.purged >> page & 1:
            return "free, its page was purged"
        if self.is_marked(span, number):
            return "free, since this child of a fork freed it"
        if address in self.blocks_of(span.free):
            return "free, home in its slab"
        for where, word in self.magazines_in_slots(span.sc):
            if address in self.blocks_of(word):
                return f"free, {where}"
        for word in self.magazines_in_depot(span.sc):
            if address in self.blocks_of(word):
                return "free, in the depot"
        return "in use, or free behind damage" if self.damage else "in use"

    def hardened_slab(self, span):
        """Start, class, first slot, slots opened, bytes of a slot, address of the records."""
        table = self.tables[HSLAB]
        thing = self.memory.read(span.free, table.bytes)
        start, sc, first, opened = (table.member(thing, field, 8 if field == 0 else 2)
                                    for field in range(4))
        slot_bytes = self.classes[sc][0] if sc < table.count else 16
        return start, sc, first, opened, slot_bytes, span.free + table.fields[4]

    # ---- huge blocks ----

    def huge_blocks(self):
        """Of each: pointer, usable bytes, start and bytes of its mapping; None: not known."""
        index = self.debug.value("g_huge_index")
        first = self.debug.value("g_first")
        if index is None or first is None:
            return None
        buckets = index["buckets"]
        table = buckets.dereference() if int(buckets) else first
        heads = int(table["heads"].address)
        link = first["heads"].type.target()
        blocks = []
        words = self.memory.read(heads, 8 << int(table["shift"]))
        for (head,) in struct.iter_unpack("<Q", words):
            while head:
                block = gdb.Value(head).cast(link).dereference()
                blocks.append((int(block["ptr"]), int(block["usable"]),
                               int(block["mapping"]["start"]), int(block["mapping"]["bytes"])))
                head = int(block["next"])
        return blocks

    def kept_mappings(self):
        cache = self.debug.value("g_map_cache")
        return ranges(cache["of"], int(cache["entries"])) if cache is not None else []

    def freed_mappings(self):
        """Start and bytes of the last huge blocks that were freed, wherever their memory went."""
        huge = self.debug.value("g_huge")
        if huge is None:
            return []
        return ranges(huge["freed"], huge["freed"].type.range()[1] + 1)

    def quarantined(self):
        """Start and bytes of the freed large and huge blocks of hardened mode."""
        quarantine = self.debug.value("g_quarantine")
        if quarantine is None:
            return []
        return ranges(quarantine["entries"], int(quarantine["count"]))

    def has_guards(self):
        """A page before and behind each huge block."""
        harden, options = self.debug.value("g_harden"), self.debug.value("g_options")
        return (harden is not None and options is not None and bool(harden["is_on"]) and
                int(options["backing"][0]) == 0)
