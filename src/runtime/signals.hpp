// SPDX-License-Identifier: Apache-2.0
// Catching signals of the process for a flow that waits for them.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "runtime/flow.hpp"

namespace tg::inline v0::runtime {

/// Signals that are caught, counted and reported to one flow, from the constructor to the destructor.
///
///     SignalCatch caught({SIGINT, SIGTERM});
///     const SignalCatch::Receiving receiving(caught);      // in the flow that waits
///     wait(nothing, [&] { return caught.count() > 0; }, {}, TimePoint::never());
///
/// The handler calls the one that it has replaced, too. The third signal restores the signal's default action
/// and raises it again, without a word from the flow.
///
/// Each object has handlers of its own, because another part of the program may keep the address of one: it
/// then goes on to what was there before the object, after the object's end and in a forked child.
///
/// Thread safety: `count` and `first` from any thread.
/// Memory ordering: what a handler wrote before it counted is seen by a flow that sees the count.
class SignalCatch {
 public:
  /// Throws `std::logic_error` if there is another one in this process, or too many have left handlers behind;
  /// `std::invalid_argument` for a signal that cannot be caught.
  explicit SignalCatch(std::vector<int> signals);
  /// Restores the actions that were found, where no other handler has been installed meanwhile.
  ~SignalCatch();
  SignalCatch(const SignalCatch&) = delete;
  SignalCatch& operator=(const SignalCatch&) = delete;

  /// How many signals have come.
  int count() const noexcept;
  /// The number of the first one; 0 before.
  int first() const noexcept;
  /// Nothing was done about the signals that came: one that would have ended the process does so when this
  /// object is destroyed.
  void ignore_what_came() noexcept { ignored_ = true; }

  /// The calling flow is unparked by each signal, and its thread receives them even if all others block them.
  class Receiving {
   public:
    explicit Receiving(const SignalCatch& caught) noexcept;
    ~Receiving();
    Receiving(const Receiving&) = delete;
    Receiving& operator=(const Receiving&) = delete;

   private:
    const SignalCatch& caught_;
    sigset_t mask_;
  };

 private:
  const std::vector<int> signals_;
  int slot_ = -1;
  bool ignored_ = false;
};

/// "SIGTERM", "SIGINT (Ctrl-C)".
std::string name_of_signal(int number);

}  // namespace tg::inline v0::runtime
