// SPDX-License-Identifier: Apache-2.0
// Lets memory run out at a chosen allocation. A program that links scarce_memory.cpp allocates through it.
#pragma once

#include <new>
#include <utility>

namespace tg::test {

enum class Shortage {
  passing,  ///< one allocation fails
  lasting,  ///< and so do all after it
};

/// The calling thread has that many allocations before the shortage begins; the other threads have all they
/// want.
void allow(int allocations, Shortage shortage) noexcept;
/// Ends the shortage of the calling thread, and says whether an allocation failed.
bool allow_all() noexcept;
/// Threads made from here on get no memory, from their first allocation on, until this is switched off.
void give_new_threads_none(bool none) noexcept;

/// How a call under a shortage went.
struct Try {
  bool threw;    ///< `std::bad_alloc`
  bool refused;  ///< an allocation failed, whether the caller noticed or not
};

/// Calls `f` with that many allocations, and then too little memory.
template <class F>
Try try_with(int allocations, Shortage shortage, F&& f) {
  allow(allocations, shortage);
  bool threw = false;
  try {
    std::forward<F>(f)();
  } catch (const std::bad_alloc&) {
    threw = true;
  }
  return {threw, allow_all()};
}

}  // namespace tg::test
