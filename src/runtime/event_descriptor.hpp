// SPDX-License-Identifier: Apache-2.0
// Descriptors that one thread makes readable for another.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "runtime/own_calls.hpp"

namespace tg::inline v0::runtime {

/// A new one, which does not block and is not readable yet; or -1.
inline int make_event_descriptor() noexcept {
  return own::above_standard(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

/// A descriptor that becomes and stays readable. It is closed with the object.
class EventDescriptor {
 public:
  /// Throws `std::system_error` if the process has no descriptor left.
  EventDescriptor() : number_(make_event_descriptor()) {
    if (number_ < 0) {
      throw std::system_error(errno, std::generic_category(), "tg::stop_fd: cannot create an eventfd");
    }
  }
  ~EventDescriptor() { ::close(number_); }
  EventDescriptor(const EventDescriptor&) = delete;
  EventDescriptor& operator=(const EventDescriptor&) = delete;

  int number() const noexcept { return number_; }
  void make_readable() const noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(own::write(number_, &one, sizeof one));
  }

 private:
  const int number_;
};

}  // namespace tg::inline v0::runtime
