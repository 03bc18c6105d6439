# SPDX-License-Identifier: Apache-2.0
"""gdb printers for the library's classes, and the command `tg-tree`. See docs/debugging.md.

    (gdb) source /usr/share/threadgroup/gdb/threadgroup_gdb.py
"""
import os
import sys

import gdb
import gdb.printing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import threadgroup_gdb_structures as tg  # noqa: E402
from threadgroup_gdb_values import (Threads, enum_name, field, final, first_word, optional, shown,  # noqa: E402
                                    string, target, type_text, vector, why)

MOST_NAMED = 10  # a line with a thousand names helps less
NO_BOUND = (1 << 64) - 1


# --- texts, as the library writes them ---
def describe_ends(count, ends=tg.ENDS):
    return ", ".join(f"{count[end]} {end}" for end in ends if count[end] > 0)


def describe_running(count, tasks):
    named = list(tasks[:MOST_NAMED])
    if len(tasks) > MOST_NAMED:
        named.append(f"and {len(tasks) - MOST_NAMED} more")
    return f"{count} running" + (f" ({', '.join(named)})" if named else "")


def describe_counts(count, tasks):
    text = f"{count['pending']} pending, {describe_running(count['running'], tasks)}, {sum(count[end] for end in tg.ENDS)} done"
    ends = describe_ends(count, tg.ENDS[1:])
    return text + (f": {ends}" if ends else "")


def describe_core(core, threads, waits):
    """What the group does, for a line of the tree."""
    tasks = []
    for name, number, address in tg.running_tasks(core):
        thread = threads.owner(address)
        waiting = waits.get((int(core.address), number))
        tasks.append(shown(name) + (f" in thread {thread}" if thread is not None else "") +
                     (f" waits for {waiting}" if waiting else ""))
    bound = tg.bound_of(core)
    return describe_counts(tg.counts_of(core), tasks) + (f"; bound {bound}" if bound != NO_BOUND else "")


def describe_node(node, threads, waits, notes):
    """A line of the tree. What cannot be read is a question mark there, and a note."""
    def tried(read):
        try:
            return read()
        except Exception as error:  # pylint: disable=broad-except
            notes.setdefault(why(error))
            return "  ?"

    def inside():
        core = tg.core_of_node(node)
        return f"  [{describe_core(core, threads, waits)}]" if core is not None else ""

    def event():
        reason = tg.reason_of_node(node)
        return f"  event: {tg.reason_text(reason)}" if reason is not None else ""

    kind = tried(lambda: tg.label_of_node(node))
    return tried(lambda: tg.name_of_node(node)) + kind + tried(inside) + tried(event)


def drawn(rows):
    """Lines of a forest from (depth, text) of its nodes, each parent before its children."""
    later, has_later = set(), []  # depths at which a sibling comes below
    for depth, _ in reversed(rows):
        has_later.append(depth in later)
        later = {d for d in later if d < depth} | {depth}
    lines, is_open = [], {}
    for (depth, text), more in zip(rows, reversed(has_later)):
        is_open[depth] = more
        branches = "".join("|   " if is_open[d] else "    " for d in range(1, depth))
        lines.append(branches + (("|-- " if more else "`-- ") if depth > 0 else "") + text)
    return lines


class Tree(gdb.Command):
    """tg-tree: show the forest of thread groups, of a process that is stopped or of a core file.

Of each group: how many tasks are pending, running and done, the tasks that run, in which of gdb's threads, and for which
task or group each of them waits; how many may run at a time; and why its event was set, if it was."""

    def __init__(self):
        super().__init__("tg-tree", gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        if argument.strip():
            raise gdb.GdbError("tg-tree takes no argument")
        try:
            notes, threads = {}, Threads().look()
            try:
                waits = tg.waits()
            except Exception as error:  # pylint: disable=broad-except
                waits = {}
                notes.setdefault(why(error))
            rows = [(depth, describe_node(node, threads, waits, notes)) for depth, node in tg.nodes()]
        except Exception as error:
            raise gdb.GdbError(f"tg-tree: {why(error)}") from None
        for line in drawn(rows) or ["(no groups)"]:
            gdb.write(line + "\n")
        for note in notes:
            gdb.write(f"incomplete: {note}\n")


# --- printers: each gives a text and a list of (name, value) ---
def group(value):
    notes = {}
    text = describe_node(tg.node_of_group(value), Threads(), {}, notes)
    return f"tg::ThreadGroup {text}" + "".join(f" (incomplete: {note})" for note in notes), []


def handle(value):
    kind = value.type.strip_typedefs().unqualified()
    slot = tg.slot_of_handle(value)
    if slot is None:
        return f"{type_text(kind)} of no task", []
    status = enum_name(field(slot, "status_"))
    text = f"{type_text(kind)} '{shown(tg.task_name(slot))}', {status}"
    if status == "succeeded":
        if tg.is_taken(slot):
            return text + " (result taken)", []
        result = tg.result_of(slot, kind.template_argument(0))
        return text, [("result", result)] if result is not None else []
    if status == "failed":
        return text, [("exception", tg.exception_of_slot(slot))]
    if status in ("stopped", "skipped"):
        return text, [("reason", tg.reason_text(tg.reason_of_slot(slot, status)))]
    where = tg.call_site_text(slot)
    return text + (f" (added at {where})" if where else ""), []


def reason_pointer(value):
    reason = tg.shared_reason(field(value, "reason_"))
    return "no reason" if reason is None else tg.reason_text(reason), []


def event_state(value):
    reason = tg.reason_of_event(value)
    return "unset" if reason is None else f"set: {tg.reason_text(reason)}", []


def result(value):
    """As `ResultStruct::str`."""
    slot = tg.slot_of_handle(field(value, "handle_"))
    status = enum_name(field(slot, "status_"))
    if status == "succeeded":
        kind = field(value, "handle_").type.strip_typedefs().unqualified().template_argument(0)
        how = "result=" + value_text(tg.result_of(slot, kind))
    elif status == "failed":
        how = f"failed={tg.exception_of_slot(slot)}"
    elif status in ("stopped", "skipped"):
        how = f"{status}={tg.reason_text(tg.reason_of_slot(slot, status))}"
    else:
        how = status
    return f"(function={shown(tg.task_name(slot))}; {how})", []


def value_text(value):
    """Of a `tg::Value`."""
    held = first_word(field(value, "held_")) if value is not None else None
    return "void" if held is None else field(final(held, "type"), "value").format_string()


def results(value):
    entries = first_word(field(value, "results_"))
    entries = vector(entries) if entries is not None else []
    return f"tg::ResultList of {len(entries)}", [(f"[{i}]", entry) for i, entry in enumerate(entries)]


def join_result(value):
    """As `JoinResult::str`, without the names of running tasks."""
    timed_out, reason = bool(field(value, "timed_out")), optional(field(value, "reason"))
    counts = {end: int(field(field(value, "counts"), end)) for end in tg.ENDS}
    between = ": "
    if timed_out or bool(field(value, "event_set")):
        text = f"{'timed out' if timed_out else 'stopped while waiting'}: {int(field(value, 'pending'))} pending, "
        text += describe_running(len(vector(field(value, "running"))), [])
        between = ", "
    else:
        text = "done" if reason is None else f"stopped ({tg.reason_text(reason)})"
    ends = describe_ends(counts)
    failures = [(f"failure of {shown(string(field(f, 'task')))}", tg.failure_text(f)) for f in vector(field(value, "failures"))]
    return text + (between + ends if ends else ""), failures


def snapshot(value):
    rows = []
    for node in vector(field(value, "nodes")):
        text = shown(string(field(node, "name"))) + tg.label_of_kind(field(node, "kind"))
        count = {name: int(field(field(node, "counts"), name)) for name in (*tg.ENDS, "pending", "running")}
        if any(count.values()):
            text += f"  [{describe_counts(count, [shown(string(field(t, 'name'))) for t in vector(field(node, 'running'))])}]"
        reason = optional(field(node, "reason"))
        rows.append((int(field(node, "depth")), text + (f"  event: {tg.reason_text(reason)}" if reason is not None else "")))
    return "\n".join([f"tg::ForestSnapshot of {len(rows)} nodes", *drawn(rows)]), []


def scope(value):
    notes = {}
    text = describe_node(target(field(value, "node_")), Threads(), {}, notes)
    return f"{type_text(value.type.strip_typedefs().unqualified())} {text}" + "".join(f" (incomplete: {note})" for note in notes), []


def mutex(value):
    return f"tg::Mutex, {tg.mutex_state(value)}", []


def semaphore(value):
    permits, is_waited_for = tg.permits_of(value)
    return f"tg::Semaphore of {permits}{', waited for' if is_waited_for else ''}", []


def channel(value):
    kind = value.type.strip_typedefs().unqualified()
    core = field(value, "core_")
    items = tg.items_of_channel(core, kind.template_argument(0))
    text = f"{type_text(kind)}, {len(items)} of {int(field(core, 'capacity_'))}"
    return text + "".join(f", {said}" for said in tg.states_of_channel(core)), [(f"[{i}]", item) for i, item in enumerate(items)]


def key(value):
    kind = value.type.strip_typedefs().unqualified()
    return f"{type_text(kind)} '{shown(string(field(first_word(field(value, 'info_')), 'name')))}'", []


def vault(value):
    name, entries = tg.entries_of_vault(value)
    return f"tg::Vault '{shown(name)}'", entries


PRINTERS = {
    r"ThreadGroup": group,
    r"TaskHandle<.*>": handle,
    r"Reason": lambda value: (tg.reason_text(value), []),
    r"detail::ReasonPointer": reason_pointer,
    r"detail::Event": event_state,
    r"Value": lambda value: (value_text(value), []),
    r"ResultStruct": result,
    r"ResultList": results,
    r"JoinResult": join_result,
    r"ForestSnapshot": snapshot,
    r"StopScope": scope,
    r"Shield": scope,
    r"Mutex": mutex,
    r"Semaphore": semaphore,
    r"Channel<.*>": channel,
    r"Key<.*>": key,
    r"AnyKey": key,
    r"Vault": vault,
}


class Printer:
    """Never throws: what cannot be read is printed as the reason why."""

    def __init__(self, describe, value):
        try:
            if value.type.strip_typedefs().code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
                value = target(value)
            self.text, self.parts = describe(value)
        except Exception as error:  # pylint: disable=broad-except
            self.text, self.parts = f"<{why(error)}>", []

    def to_string(self):
        return self.text

    def children(self):
        return iter(self.parts)


def register():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("threadgroup")
    for name, describe in PRINTERS.items():
        # The ABI's inline namespace, if there is one, is part of the name.
        collection.add_printer(name, rf"^tg::(v\d+::)?{name}$", lambda value, describe=describe: Printer(describe, value))
    gdb.printing.register_pretty_printer(None, collection, replace=True)


def pass_stop_signal():
    """Do not stop the program at the signal that takes threads out of system calls (docs/system_calls.md)."""
    gdb.execute("handle SIG61 nostop noprint pass", to_string=True)


register()
Tree()
pass_stop_signal()
