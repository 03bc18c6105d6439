# SPDX-License-Identifier: Apache-2.0
"""Values in gdb and those of the standard library, for threadgroup_gdb.py.

Only memory and registers are read and no function of the program is called, so a core file is as good as a process.
"""
import bisect
import re

import gdb


class Unreadable(Exception):
    """Says why something cannot be read."""


def why(error):
    """The text of whatever a function here may throw."""
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, gdb.MemoryError):
        return f"damaged or missing memory: {error}"
    return f"the printers do not fit this version: {error}"


# --- gdb ---
def require(kind):
    """The type, if it and its bases are known. Compilers describe a class with virtual functions in one place only."""
    plain_kind = kind.strip_typedefs().unqualified()
    if plain_kind.code == gdb.TYPE_CODE_STRUCT:
        if not plain_kind.fields() and not plain_kind.sizeof:
            raise Unreadable(f"no debug information for {type_text(plain_kind)}: build the library and the program with -g")
        for base in plain_kind.fields():
            if base.is_base_class:
                require(base.type)
    return kind


def in_abi(name):
    """The name with the library's inline namespace, which gdb needs."""
    return name.replace("tg::", "tg::v0::", 1)


def type_text(kind):
    """The type as users write it."""
    return str(kind).replace("tg::v0::", "tg::")


def type_named(name):
    try:
        return gdb.lookup_type(in_abi(name))
    except gdb.error:
        raise Unreadable(f"no debug information for {name}: build the library and the program with -g") from None


def has_field(value, name):
    try:
        value[name]
    except gdb.error:
        return False
    return True


def field(value, *names):
    """The first of these fields that there is."""
    for name in names:
        try:
            return value[name]
        except gdb.MemoryError:
            raise
        except gdb.error:
            continue
    kind = require(value.type).strip_typedefs().unqualified()
    raise Unreadable(f"the printers do not fit this version: {type_text(kind)} has no field {' or '.join(names)}")


def address_named(name):
    """Of a global object, also where the library has no debug information."""
    try:
        return gdb.parse_and_eval(f"&'{in_abi(name)}'")
    except gdb.error:
        raise Unreadable(f"no symbol {name}: the program does not use the library, or it is stripped") from None


def object_named(name, type_name):
    return at(address_named(name), type_named(type_name))


def at(address, kind):
    """The object of the type at the address.

    By way of an array: for what a pointer to a class leads to, gdb looks up the dynamic type, and warns if it finds none.
    """
    try:
        return address.cast(kind.array(0).pointer()).dereference()[0]
    except gdb.error:
        require(kind)
        raise


def symbol_at(address):
    """The name without version, section and offset."""
    return gdb.execute(f"info symbol {address}", to_string=True).split(" in section ")[0].split(" + ")[0].split("@")[0].strip()


def target(value):
    """What a pointer or a reference leads to; None for a null pointer."""
    if value.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
        value = value.address
    return at(value, value.type.strip_typedefs().target()) if int(value) != 0 else None


def linked(first, name):
    """The objects of a list, from a pointer to the first on. The link may be in an atomic."""
    entry, seen = target(first), set()
    while entry is not None:
        if int(entry.address) in seen:
            raise Unreadable(f"damaged memory: a list of {type_text(entry.type)} leads back to itself")
        seen.add(int(entry.address))
        yield entry
        entry = target(plain(field(entry, name)))


def first_word(value):
    """What a std::unique_ptr or std::shared_ptr points to; None for a null one."""
    pointee = value.type.strip_typedefs().unqualified().template_argument(0)
    if pointee.strip_typedefs().code == gdb.TYPE_CODE_ARRAY:
        pointee = pointee.strip_typedefs().target()
    return target(value.address.cast(pointee.pointer().pointer()).dereference())


def final(value, method):
    """The object as what it was made as: by the name that its table of virtual functions has, or else by the type of `this` in
    this one of them, because gdb does not find templates of lambdas by their names."""
    table = at(value.address, gdb.lookup_type("unsigned long").pointer())
    try:
        return at(value.address, gdb.lookup_type(symbol_at(int(table))[len("vtable for "):]))
    except gdb.error:
        pass
    for slot in range(16):
        block = gdb.block_for_pc(int(table[slot]))
        while block is not None and block.function is None:
            block = block.superblock
        if block is None:
            break
        if re.search(rf"::{method}[\[(]", block.function.name):
            return at(value.address, block.function.type.fields()[0].type.strip_typedefs().target().unqualified())
    raise Unreadable(f"no debug information for {symbol_at(int(table))[len('vtable for '):]}: build the program with -g")


class Threads:
    """gdb's threads by their stacks: what lies on a stack belongs to the thread with the next lower stack pointer."""

    def __init__(self):
        self.stacks = []

    def look(self):
        """For a command and not for a printer: it selects one thread after the other, and a backtrace may be under way."""
        selected = gdb.selected_thread()
        if selected is None:
            return self
        frame = gdb.selected_frame()
        for thread in gdb.selected_inferior().threads():
            try:
                thread.switch()
                self.stacks.append((int(gdb.newest_frame().read_register("sp")), thread.num))
            except gdb.error:  # it runs
                continue
        selected.switch()
        frame.select()
        self.stacks.sort()
        return self

    def owner(self, address):
        """The number of the thread, or None."""
        above = bisect.bisect_right(self.stacks, (address, 1 << 62))
        return self.stacks[above - 1][1] if above > 0 else None


# --- the standard library ---
def plain(value):
    """What is in an atomic, or in a class with one field."""
    while value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        data = [f for f in value.type.strip_typedefs().fields() if hasattr(f, "bitpos")]
        if len(data) != 1:
            raise Unreadable(f"the printers do not fit this version: {type_text(value.type)} is not an atomic")
        value = value[data[0]]
    return value


def shown(text):
    """With what cannot be printed escaped, as the library does it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def string(value):
    """A std::string. That of libstdc++ is read by its first two words: clang leaves its type to the standard library."""
    fields = [f.name for f in value.type.strip_typedefs().fields()]
    if fields and "_M_dataplus" not in fields:
        return value.format_string().strip('"')
    begin = value.address.cast(gdb.lookup_type("char").pointer().pointer()).dereference()
    size = value.address.cast(gdb.lookup_type("unsigned long").pointer())[1]
    return begin.string("utf-8", "backslashreplace", length=int(size)) if int(size) > 0 else ""


def optional(value):
    payload = field(value, "_M_payload")
    return field(payload, "_M_payload")["_M_value"] if bool(field(payload, "_M_engaged")) else None


def vector(value):
    data = field(value, "_M_impl")
    first, last = field(data, "_M_start"), field(data, "_M_finish")
    return [first[i] for i in range(int(last - first))]


def enum_name(value):
    return str(plain(value)).rsplit("::", 1)[-1]


# --- exceptions, by the Itanium C++ ABI on 64 bits; of their types no debug information is needed ---
EXCEPTION_HEADER = 112  # from `exceptionType` of the header to the object


def word(address):
    return int(at(gdb.Value(address), gdb.lookup_type("unsigned long")))


def part_of(type_info, address, names):
    """The address of the first of these classes that the object is of, or has as a base; None if there is none."""
    if symbol_at(type_info) in {f"typeinfo for {name}" for name in names}:
        return address
    kind, bases = symbol_at(word(type_info)), []
    if "__si_class_type_info" in kind:
        bases = [(word(type_info + 16), 0)]
    elif "__vmi_class_type_info" in kind:
        entries = range(type_info + 24, type_info + 24 + 16 * (word(type_info + 16) >> 32), 16)
        bases = [(word(entry), word(entry + 8) >> 8) for entry in entries if not word(entry + 8) & 1]  # but for virtual ones
    for base, offset in bases:
        found = part_of(base, address + offset, names)
        if found is not None:
            return found
    return None


def part_of_exception(pointer, *names):
    """The same for what a std::exception_ptr holds."""
    address = int(field(pointer, "_M_exception_object"))
    return part_of(word(address - EXCEPTION_HEADER), address, names) if address != 0 else None


def exception_text(pointer):
    """Type and message of what a std::exception_ptr holds, or None if it holds nothing."""
    address = int(field(pointer, "_M_exception_object"))
    if address == 0:
        return None
    type_info = word(address - EXCEPTION_HEADER)
    name = symbol_at(type_info)
    if not name.startswith("typeinfo for "):
        return "an exception of an unknown type"
    text = name[len("typeinfo for "):]
    said = part_of(type_info, address, ("std::runtime_error", "std::logic_error"))  # their message follows the first word
    if said is None:
        return text
    return f"{text}: " + shown(at(gdb.Value(said + 8), gdb.lookup_type("char").pointer()).string("utf-8", "backslashreplace"))
