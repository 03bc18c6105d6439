// SPDX-License-Identifier: Apache-2.0
// What others may ask of a worker.
#pragma once

#include <cstdint>

#include <threadgroup/pool/pool.hpp>
#include <threadgroup/runtime/fork.hpp>

namespace tg::detail {

// A worker while it runs a task. It stands on the worker's stack; the pool's lock guards it.
struct Pool::Worker {
  Worker* previous = nullptr;
  Worker* next = nullptr;
  bool busy = false;
  Task* named = nullptr;     // the task, if it has a name; valid until `forget_name`
  std::uint64_t number = 0;  // the task's number, until it is counted as done; else 0
  TimePoint since;
  const std::uint32_t fork_generation = runtime::fork_generation();
};

}  // namespace tg::detail
