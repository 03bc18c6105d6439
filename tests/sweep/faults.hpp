// SPDX-License-Identifier: Apache-2.0
// Makes one allocation, or one creation of a thread, of the whole process fail.
#pragma once

#include <cstdint>

namespace tg::test {

/// What can be made to fail.
enum class Fault {
  allocation,  ///< `operator new` throws `std::bad_alloc`
  thread,      ///< `pthread_create` returns `EAGAIN`
};
const char* to_string(Fault fault) noexcept;

/// For its life, counts the attempts of this kind on all threads, and makes `failing` of them fail, from the
/// `first` on (from 1). Only one at a time.
class Faults {
 public:
  Faults(Fault fault, std::uint64_t first, std::uint64_t failing) noexcept;
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  /// Whether one has failed.
  static bool has_struck() noexcept;
};

/// For its life, the calling thread is left alone: for what the test itself needs.
class Spared {
 public:
  Spared() noexcept;
  ~Spared();
  Spared(const Spared&) = delete;
  Spared& operator=(const Spared&) = delete;
};

}  // namespace tg::test
