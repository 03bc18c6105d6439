// SPDX-License-Identifier: Apache-2.0
// Finding the descendants of the supervisor in /proc, and signalling them. For the supervisor: one thread, and all memory is static.
#pragma once

#include "process/bare_calls.hpp"

namespace tg::inline v0::process {
namespace {  // the supervisor is one source

int self = 0;

constexpr int kMostPids = 32'768;
int pids[kMostPids];  // of a walk
int parents[kMostPids];
int pid_count = 0;

void add(long pid, int parent) {
  if (pid_count == kMostPids || pid <= 0) return;
  pids[pid_count] = static_cast<int>(pid);
  parents[pid_count++] = parent;
}

// Calls `f(number)` for each number that a file of numbers holds. False if there is none.
template <class F>
bool for_each_number_in(const Path& path, F f) {
  const long fd = open_to_read(path);
  if (fd < 0) return false;
  char buffer[4'096];
  long value = 0;
  bool in_number = false;
  long got = 0;
  while ((got = call(__NR_read, fd, address(buffer), sizeof buffer)) > 0) {
    for (long i = 0; i < got; ++i) {
      const char c = buffer[i];
      if (c >= '0' && c <= '9') {
        value = value * 10 + (c - '0');
        in_number = true;
      } else {
        if (in_number) f(value);
        value = 0;
        in_number = false;
      }
    }
  }
  if (in_number) f(value);
  call(__NR_close, fd);
  return true;
}

// Calls `f(number)` for each entry of a directory whose name is a number.
template <class F>
void for_each_number_named(const Path& path, F f) {
  const long fd = open_to_read(path);
  if (fd < 0) return;
  alignas(8) char buffer[4'096];
  long got = 0;
  while ((got = call(__NR_getdents64, fd, address(buffer), sizeof buffer)) > 0) {
    for (long at = 0; at < got;) {
      // The kernel's linux_dirent64: inode, offset, length, type, name.
      const unsigned length = *reinterpret_cast<const unsigned short*>(buffer + at + 16);
      const char* const name = buffer + at + 19;
      if (name[0] >= '1' && name[0] <= '9') f(number_of(name));
      at += length;
    }
  }
  call(__NR_close, fd);
}

// The fourth field of the status, behind the name in parentheses, which may contain any character. 0: no such process.
long parent_of(long pid) {
  const long fd = open_to_read(Path() << "/proc/" << pid << "/stat");
  if (fd < 0) return 0;
  char buffer[512];
  const long got = call(__NR_read, fd, address(buffer), sizeof buffer);
  call(__NR_close, fd);
  long at = got - 1;
  while (at > 0 && buffer[at] != ')') --at;
  if (at <= 0 || at + 4 >= got) return 0;
  return number_of(buffer + at + 4);
}

bool add_children_of_thread(int pid, long thread) {
  return for_each_number_in(Path() << "/proc/" << pid << "/task/" << thread << "/children",
                            [&](long child) { add(child, pid); });
}

// Some kernels have no lists of children. There, every process is checked.
bool has_lists = true;

// Adds the children of a process.
void add_children_of(int pid) {
  if (pid == self) {
    has_lists = has_lists && add_children_of_thread(pid, pid);  // it has one thread
  } else if (has_lists) {
    for_each_number_named(Path() << "/proc/" << pid << "/task",
                          [&](long thread) { add_children_of_thread(pid, thread); });
  }
  if (has_lists) return;
  for_each_number_named(Path() << "/proc", [&](long other) {
    if (parent_of(other) == pid) add(other, pid);
  });
}

// The parent of a deeper descendant reaps it, so its pid may have passed to another process. So the pidfd is opened first, then
// the parent is read: if that is still the expected parent, the pidfd is a descendant's.
void signal_descendant(int pid, int parent, int number) {
  const long fd = call(__NR_pidfd_open, pid, 0);
  if (fd < 0) return;
  const long parent_now = parent_of(pid);  // `self`, if its parent has ended meanwhile
  if (parent_now == parent || parent_now == self) call(__NR_pidfd_send_signal, fd, number, 0, 0);
  call(__NR_close, fd);
}

int termed_pids[kMostPids];
int term_count = 0;

bool has_term(int pid) {
  for (int i = 0; i < term_count; ++i)
    if (termed_pids[i] == pid) return true;
  return false;
}

// TERM to each descendant that has not got it yet.
void term_descendants() {
  pid_count = 0;
  add_children_of(self);
  for (int i = 0; i < pid_count; ++i) add_children_of(pids[i]);
  // From the leaves up, so that a shell has less time to start the next command of its script.
  for (int i = pid_count - 1; i >= 0; --i) {
    if (has_term(pids[i]) || term_count == kMostPids) continue;
    termed_pids[term_count++] = pids[i];
    signal_descendant(pids[i], parents[i], kSigTerm);
    signal_descendant(pids[i], parents[i], kSigCont);  // one that is stopped could not react
  }
}

}  // namespace
}  // namespace tg::inline v0::process
