# SPDX-License-Identifier: Apache-2.0
"""The library's objects as they lie in memory, one function for each structure, for threadgroup_gdb.py."""
import gdb

from threadgroup_gdb_values import (Unreadable, address_named, at, enum_name, exception_text, field, final, first_word,
                                    has_field, in_abi, linked, object_named, optional, part_of_exception, plain, shown,
                                    string, target, type_named, vector, why)

ENDS = ("succeeded", "failed", "stopped", "skipped")


# --- reasons and events ---
def where_text(where):
    line = int(field(where, "line"))
    return f"{field(where, 'file').string().rsplit('/', 1)[-1]}:{line}" if line != 0 else ""


def reason_text(reason):
    """As `tg::Reason::str`."""
    text = enum_name(field(reason, "kind"))
    path, message = string(field(reason, "origin_path")), string(field(reason, "message"))
    task, thrown = optional(field(reason, "task")), exception_text(field(reason, "exception"))
    text += f" at {path}" if path else ""
    text += f" by task '{string(task)}'" if task is not None else ""
    text += f": {message}" if message else ""
    if thrown is not None and thrown.split(": ", 1)[-1] not in message:
        text += f": {thrown}"
    where = where_text(field(reason, "where"))
    return shown(text + (f" ({where})" if where else ""))


def shared_reason(pointer):
    """What an event or a ReasonPointer points to; None if it is null."""
    shared = target(plain(pointer))
    return None if shared is None else field(shared, "reason_")


def reason_of_event(event):
    return shared_reason(field(event, "reason_"))


# --- tasks ---
def task_number(task):
    return int(field(task, "number_high_")) % (int(field(task, "kNumberHigh")) + 1) << 32 | int(field(task, "number_low_"))


def task_name(task):
    try:
        made_as = final(task, "given_name")
        given = string(made_as["name_"]) if has_field(made_as, "name_") else ""
    except (Unreadable, gdb.error):
        given = ""
    return given or f"task {task_number(task)}"


def call_site_text(slot):
    number = int(field(slot, "call_site_"))
    if number == 0:
        return ""
    keys = address_named("tg::detail::CallSite::table").cast(gdb.lookup_type("unsigned long").pointer())
    key = int(keys[number - 1])
    file = gdb.Value(key >> 16).cast(gdb.lookup_type("char").pointer()).string()
    return f"{file.rsplit('/', 1)[-1]}:{key & 0xffff}"


def slot_of_handle(handle):
    return target(field(handle, "slot_"))


def exception_of_slot(slot):
    return exception_text(field(field(slot, "ending_"), "exception"))


def failure_text(failure):
    where = where_text(field(failure, "where"))
    return exception_text(field(failure, "exception")) + (f" (added at {where})" if where else "")


def is_taken(slot):
    return int(plain(field(slot, "flags_"))) & int(field(slot, "kResultIsTaken")) != 0


def result_of(slot, kind):
    """The result of a task that succeeded; None if it returned void."""
    if kind.strip_typedefs().code == gdb.TYPE_CODE_VOID:
        return None
    room = field(slot, "room_").address
    if kind.strip_typedefs().code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        return room.cast(kind.strip_typedefs().target().pointer().pointer()).dereference().dereference()
    return room.cast(kind.pointer()).dereference()


def reason_of_slot(slot, status):
    """Why a task was stopped or skipped."""
    ending = field(slot, "ending_")
    if status == "skipped":
        return shared_reason(field(field(ending, "reason"), "reason_"))
    stopped = part_of_exception(field(ending, "exception"), in_abi("tg::Stopped"))
    if stopped is None:
        raise Unreadable("the exception of a stopped task is no tg::Stopped")
    return shared_reason(field(field(at(gdb.Value(stopped), type_named("tg::Stopped")), "reason_"), "reason_"))


# --- groups ---
def node_of_group(group):
    return target(field(group, "node_", "core_"))


def reason_of_node(node):
    core = target(field(node, "core_"))
    return None if core is None else reason_of_event(field(core, "event"))


def core_of_node(node):
    """The inside of the group that the node is for; None for the root of a thread."""
    if enum_name(field(node, "kind_")) not in ("group", "daemon"):
        return None
    return at(node.address, type_named("tg::detail::GroupCore"))


def name_of_node(node):
    """As `Node::shown_name`: a scope without a name is shown with its number."""
    name = string(field(node, "name_"))
    if name:
        return shown(name)
    kind = "Shield-" if enum_name(field(node, "kind_")) == "shield" else "StopScope-"
    return kind + str(int(field(field(node, "id_"), "value")))


def path_of_node(node):
    return "/".join(reversed([name_of_node(above) for above in linked(node.address, "parent_")]))


def label_of_kind(kind):
    """" (daemon)", as a dump has it behind the name; nothing for a group and the root of a thread."""
    name = enum_name(kind)
    return f" ({name})" if name in ("daemon", "scope", "shield", "call") else ""


def label_of_node(node):
    """The label of its kind; for an abandoned call also the task that has abandoned it."""
    label = label_of_kind(field(node, "kind_"))
    if label != " (call)":
        return label
    caller = optional(field(at(node.address, type_named("tg::detail::CallNode")), "caller_"))
    return label if caller is None else f" (call, abandoned by '{shown(string(caller))}')"


def parts_of(core):
    return field(field(core, "pool_"), "parts_")


def queue_of(core):
    return field(parts_of(core), "queue")


def bound_of(core):
    return int(field(field(parts_of(core), "slots"), "bound_"))


def counts_of(core):
    """As `TaskQueue::count_locked`. A process may be stopped between two writes, so nothing is below zero."""
    queue = queue_of(core)
    count = {name: int(plain(field(queue, name + "_"))) for name in (*ENDS, "running", "added", "begun")}
    for local in linked(field(queue, "first_local_"), "next"):
        for name in ("succeeded", "running", "added", "begun"):
            count[name] += int(field(field(local, "counts_"), name))
    count["pending"] = max(0, count["added"] - count["begun"])
    return count


def running_tasks(core):
    """(name, number, address on the stack of the thread that runs it) of each."""
    queue = queue_of(core)
    here = [runner for runner in linked(field(queue, "first_runner_"), "next") if bool(field(runner, "busy"))]
    for local in linked(field(queue, "first_local_"), "next"):
        here += linked(field(local, "innermost_"), "outer")
    for running in sorted(here, key=lambda each: (int(plain(field(each, "since"))), int(field(each, "number")))):
        number, named = int(field(running, "number")), target(field(running, "named"))
        yield (task_name(named) if named is not None else f"task {number}"), number, int(running.address)


# --- the forest ---
def nodes():
    """(depth, node) of the whole forest, each parent before its children; without threads that root nothing."""
    forest = object_named("tg::detail::Forest::only_", "tg::detail::Forest")
    todo = [(0, core) for core in linked(field(forest, "first_root_"), "next_sibling")]
    todo.reverse()
    fresh = fresh_cores(forest)
    while todo:
        depth, core = todo.pop()
        node = target(field(core, "node"))
        children = [(depth + 1, child) for child in linked(field(core, "first_child"), "next_sibling")]
        children += [(depth + 1, child) for child in fresh.get(int(node.address), ())]
        if depth == 0 and not children and is_root_of_thread(node):
            continue
        yield depth, node
        todo += reversed(children)


def fresh_cores(forest):
    """{address of a parent: cores of the groups that are in links of their flows and not among its children yet}."""
    grants = field(field(forest, "grants_"), "_M_elems")
    found = {}
    for i in range(int(field(forest, "grant_count_"))):
        node = target(plain(field(target(field(grants[i], "link")), "node")))
        if node is not None:
            found.setdefault(int(field(grants[i], "parent")), []).append(target(field(node, "core_")))
    return found


def is_root_of_thread(node):
    return enum_name(field(node, "kind_")) in ("main_thread", "foreign_thread")


def waits():
    """{(address of the group, number of the task): what it waits for}, of the waits that the library records."""
    graph = object_named("tg::detail::WaitGraph::graph_", "tg::detail::WaitGraph")
    buckets = field(field(graph, "groups_"), "_M_elems")
    found = {}
    for bucket in range(buckets.type.strip_typedefs().range()[1] + 1):
        for first in linked(buckets[bucket], "next_group_"):
            for wait in linked(first.address, "next_"):
                waiter = target(field(wait, "waiter_"))
                if waiter is not None:
                    number = task_number(target(field(waiter, "task")))
                    found[int(field(waiter, "node")), number] = wait_text(field(wait, "target_"))
    return found


def wait_text(wanted):
    kind = enum_name(field(wanted, "kind_"))
    if kind == "task":
        return f"task '{shown(task_name(target(field(field(wanted, 'task_'), 'task'))))}'"
    if kind == "first_of":
        return "the first of several tasks"
    group = f"group '{path_of_node(target(field(wanted, 'group_')))}'"
    return {"slot": "a slot of ", "room": "room in "}.get(kind, "") + group


# --- primitives ---
def bit(value, name, word):
    return word & int(field(value, name)) != 0


def mutex_state(mutex):
    word = int(plain(field(mutex, "state_")))
    if not bit(mutex, "kHeld", word):
        return "free"
    return "held, waited for" if bit(mutex, "kParked", word) else "held"


def permits_of(semaphore):
    """The free permits, and whether flows wait for some."""
    word = int(plain(field(semaphore, "state_")))
    return word >> 1, bit(semaphore, "kWaitedFor", word)


def items_of_channel(core, kind):
    """As `ChannelCore::size` counts them. An item that is being moved in or out is shown as `<moving>`."""
    capacity, closed_bit, lap = (int(field(core, name)) for name in ("capacity_", "closed_bit_", "one_lap_"))
    head, tail = int(plain(field(core, "head_"))), int(plain(field(core, "tail_"))) & ~closed_bit
    count = (tail // lap - head // lap) * capacity + tail % lap - head % lap
    items, position = [], head
    for _ in range(max(0, min(count, capacity))):
        slot = int(field(core, "slots_")) + position % closed_bit * int(field(core, "slot_bytes_"))
        stamp = int(at(gdb.Value(slot), gdb.lookup_type("unsigned long")))
        items.append(at(gdb.Value(slot + int(field(core, "item_offset_"))), kind) if stamp == position + 1 else "<moving>")
        position = position + 1 if position % closed_bit + 1 < capacity else position - position % closed_bit + lap
    return items


def states_of_channel(core):
    waiting = int(plain(field(core, "waiting_")))
    states = {"closed": int(plain(field(core, "tail_"))) & int(field(core, "closed_bit_")) != 0,
              "senders wait": bit(core, "kSendersWait", waiting), "receivers wait": bit(core, "kReceiversWait", waiting)}
    return [text for text, is_so in states.items() if is_so]


# --- vaults ---
def value_of_node(node):
    try:
        return field(final(node, "copy_to"), "value")
    except (Unreadable, gdb.error) as error:
        return f"<{why(error)}>"


def entries_of_vault(vault):
    """The name, and (key, value) of each key that holds one."""
    store = field(first_word(field(vault, "core_")), "store_")
    cells = first_word(field(store, "cells_")).address
    entries = []
    for slot, info in enumerate(vector(field(store, "infos_"))):
        word = int(plain(field(field(cells[slot], "value"), "word_"))) & (1 << 48) - 1
        if word != 0:
            node = at(gdb.Value(word), type_named("tg::detail::ValueNode"))
            entries.append((shown(string(field(first_word(info), "name"))), value_of_node(node)))
    return string(field(store, "vault_name_")), entries
