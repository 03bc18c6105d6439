// SPDX-License-Identifier: Apache-2.0
// Runs work that may block on a disk without holding up a stopped caller.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <threadgroup/detail/mutex.hpp>
#include <threadgroup/detail/unique_function.hpp>
#include <threadgroup/detail/wait_queue.hpp>
#include <threadgroup/duration.hpp>

namespace tg::inline v0::detail {

/// Waits until `ready()`, or until the caller has been stopped for as long as `grace`: then false.
bool wait_with_grace(WaitQueue& source, FunctionRef<bool()> ready, Duration grace);

/// Throws `ResourceInterrupted`.
/// Requires: the caller is stopped. `doing`: "writing".
[[noreturn]] void throw_interrupted(const std::string& doing, const std::string& path);

/// One piece of work that may be left behind.
class Errand {
 public:
  Errand() = default;
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;
  virtual ~Errand() = default;

  /// Runs it: on another flow if the caller can be stopped and a thread can be started, else on the caller's.
  /// False if the caller gave up; then the work continues without it.
  static bool run(const std::shared_ptr<Errand>& errand, Duration grace);

 private:
  virtual void work() noexcept = 0;
  static void serve(void* shared_errand) noexcept;

  Mutex mutex_;
  bool done_ TG_GUARDED_BY(mutex_) = false;
  WaitQueue waiters_;
};

/// What `work` returns or throws; nothing if the caller was stopped and the work was not done `grace` later.
/// The work continues without the caller then, so it owns all that it uses.
template <class F>
std::optional<std::invoke_result_t<F&>> run_aside(F work, Duration grace) {
  struct OneErrand final : Errand {
    explicit OneErrand(F&& given) : task(std::move(given)) {}
    void work() noexcept override {
      try {
        result.emplace(task());
      } catch (...) {
        error = std::current_exception();
      }
    }
    F task;
    std::optional<std::invoke_result_t<F&>> result;
    std::exception_ptr error;
  };
  const auto errand = std::make_shared<OneErrand>(std::move(work));
  if (!Errand::run(errand, grace)) return std::nullopt;
  if (errand->error) std::rethrow_exception(std::move(errand->error));
  return std::move(errand->result);
}

}  // namespace tg::inline v0::detail
