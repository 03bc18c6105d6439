// SPDX-License-Identifier: Apache-2.0
// The errors that say "this call cannot make sense here"; failures of tasks have types of their own.
#pragma once

#include <stdexcept>

namespace tg {

/// A call that needs a group was made where there is none: on the main thread or on a thread that the library
/// did not start.
class NoGroupError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// A group, or the handle of an unfinished task, was used in a process forked from the one that made it. The
/// threads that would do the work do not exist there.
class ForkedError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

}  // namespace tg
