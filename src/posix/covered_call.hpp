// SPDX-License-Identifier: Apache-2.0
// One system call of a flow that can be stopped.
#pragma once

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "posix/polled_call.hpp"
#include "runtime/engine.hpp"
#include "runtime/flow.hpp"
#include "runtime/stoppable_call.hpp"
#include "runtime/wait_word.hpp"
#include "tree/call_registration.hpp"
#include "tree/scope_entry.hpp"
#include "tree/stop_source.hpp"

namespace tg::inline v0::detail {

/// A call of `tg::posix`: the plain one where nothing can stop the caller, else one that can be stopped.
///
///     const CoveredCall call("read");
///     return call ? call.make_on(SYS_read, fd, buffer, bytes) : ::read(fd, buffer, bytes);
class CoveredCall {
 public:
  /// `name` is that of the call, or the best known one of its family: "read". Throws `std::logic_error` in a simulated program.
  explicit CoveredCall(const char* name) : name_(name) {
    if (runtime::Engine::of_caller() != nullptr) [[unlikely]]
      refuse_in_simulation(name);
    runtime::Flow* const flow = runtime::Flow::current_if_any();
    if (flow == nullptr || flow->event == nullptr) return;
    flow_ = flow;
  }
  /// Whether something can stop the caller, and the library can make the call itself.
  explicit operator bool() const noexcept {
    return flow_ != nullptr && (runtime::kHasStoppableCalls || kPolls);
  }

  /// Whether the caller is stopped.
  bool is_stopped() const noexcept { return flow_->event->is_set(); }

  /// Throws what the first call would throw, for what must not have begun by then.
  void prepare() const {
    if constexpr (runtime::kHasStoppableCalls) CallRegistration::of(*flow_);
    else if (Node* const node = innermost_node(*flow_)) node->stop_source()->descriptor(node->event());
  }
  /// Makes the call. Returns its result, or -1 with `errno` set.
  template <class... A>
  long make(long number, A... arguments) const {
    return make_or_set_errno<On::nothing>(*this, number, arguments...);
  }
  /// The same for a call on a descriptor, which snapshots show.
  template <class... A>
  long make_on(long number, int descriptor, A... arguments) const {
    return make_or_set_errno<On::descriptor>(*this, number, descriptor, arguments...);
  }
  /// The same without `errno`: returns a negative error number.
  template <class... A>
  long make_raw(long number, A... arguments) const {
    return make_call(-1, number, arguments...);
  }

 private:
  // Where a `long` has 32 bits, some arguments take two of them.
  static constexpr bool kPolls = sizeof(long) == 8;
  enum class On : bool { nothing, descriptor };

  template <class... A>
  [[gnu::always_inline]] long make_call(int descriptor, long number, A... arguments) const {
    Node* const node = innermost_node(*flow_);
    if constexpr (!runtime::kHasStoppableCalls)
      return node != nullptr && node->event().is_set()
                 ? -ECANCELED
                 : poll_first(descriptor, node, number, {runtime::to_argument(arguments)...});
    // If the caller is a signal handler that has interrupted a change of scope or of the registration: a call that nothing stops.
    static constinit const void* const never = nullptr;
    if (node == nullptr) [[unlikely]]
      return runtime::stoppable_call(&never, number, arguments...);
    const Event& event = node->event();
    if (event.is_set()) [[unlikely]]
      return -ECANCELED;
    const Waiting waiting(flow_->wait_word, name_, descriptor);
    CallRegistration* const mine = CallRegistration::of(*flow_);
    if (mine == nullptr || !mine->cover(*node)) [[unlikely]]
      return runtime::stoppable_call(&never, number, arguments...);
    mine->name_call(name_);
    const void* const outer = mine->calls().enter(event.word());
    const long result = runtime::stoppable_call(event.word(), number, arguments...);
    mine->calls().leave(outer);
    if (event.is_set()) [[unlikely]]
      return mine->end_of_stopped(result, outer);
    return result;
  }

  long poll_first(int descriptor, Node* node, long number, const std::array<long, 6>& arguments) const {
    const Waiting waiting(flow_->wait_word, name_, descriptor);
    return polled_call(node, number, arguments);
  }
  // Out of line, and takes the object in registers, so that a caller outside groups saves no registers.
  template <On kOn, class First, class... A>
  [[gnu::noinline]] static long make_or_set_errno(CoveredCall call, long number, First first, A... others) {
    int descriptor = -1;
    if constexpr (kOn == On::descriptor) descriptor = first;
    const long result = call.make_call(descriptor, number, first, others...);
    if (result >= 0 || result < -4095) [[likely]]
      return result;
    errno = static_cast<int>(-result);
    return -1;
  }
  // What snapshots show: a `WaitNote` without its part for simulations, which never get here.
  class Waiting {
   public:
    [[gnu::always_inline]] Waiting(runtime::WaitWord* word, const char* name, int descriptor) noexcept
        : word_(word) {
      if (word_ == nullptr) [[unlikely]]
        return;
      outer_ = word_->state();
      word_->begin_call(name, descriptor);
    }
    [[gnu::always_inline]] ~Waiting() {
      if (word_ != nullptr) [[likely]]
        word_->restore(outer_);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    runtime::WaitWord* const word_;
    runtime::WaitWord::State outer_;
  };
  [[noreturn, gnu::cold, gnu::noinline]] static void refuse_in_simulation(const char* name) {
    runtime::refuse_real_io(std::string("tg::posix::") + name);
    std::abort();  // it throws for every caller with an engine
  }

  const char* name_;
  runtime::Flow* flow_ = nullptr;
};

}  // namespace tg::inline v0::detail
