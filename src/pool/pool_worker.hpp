// SPDX-License-Identifier: Apache-2.0
// What others may ask of a worker.
#pragma once

#include <threadgroup/pool/pool.hpp>

#include "pool/local_queue.hpp"

namespace tg::detail {

// A worker of the pool's list, and the task from the pool's queue that it runs. It stands on the worker's
// stack; the pool's lock guards it.
struct Pool::Worker : RunningHere {
  Worker* previous = nullptr;
  Worker* next = nullptr;
  bool busy = false;
};

}  // namespace tg::detail
