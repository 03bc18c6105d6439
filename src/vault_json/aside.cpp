// SPDX-License-Identifier: Apache-2.0
// Starts the work and waits for it.
#include "vault_json/aside.hpp"

#include <threadgroup/outcomes.hpp>
#include <threadgroup/vault_json.hpp>

#include "event/callers_task.hpp"
#include "event/wait.hpp"
#include "runtime/steady_clock.hpp"
#include "runtime/threads.hpp"

namespace tg::inline v0::detail {

bool wait_with_grace(WaitQueue& source, FunctionRef<bool()> ready, Duration grace) {
  Event* const event = event_of_caller();
  if (wait(source, ready, {event, nullptr}, TimePoint::never()) == WaitOutcome::ready) return true;
  // Stopped. A disk that works gets the time to finish, because a stopped task may have results to save.
  return wait(source, ready, {}, runtime::after(grace)) == WaitOutcome::ready;
}

void throw_interrupted(const std::string& doing, const std::string& path) {
  throw ResourceInterrupted("the caller was stopped while " + doing + " " + path +
                                ", and the disk did not answer within JsonOptions::stop_grace",
                            event_of_caller()->reason());
}

bool Errand::run(const std::shared_ptr<Errand>& errand, Duration grace) {
  if (event_of_caller() == nullptr) {
    errand->work();
    return true;
  }
  try {
    auto shared = std::make_unique<std::shared_ptr<Errand>>(errand);
    runtime::ThreadCache::instance().start({&Errand::serve, shared.get()});
    static_cast<void>(shared.release());  // the flow has it now
  } catch (...) {                         // no thread can be started: the caller does it itself
    errand->work();
    return true;
  }
  const auto done = [&errand] {
    MutexLock lock(errand->mutex_);
    return errand->done_;
  };
  return wait_with_grace(errand->waiters_, done, grace);
}

void Errand::serve(void* shared_errand) noexcept {
  const std::unique_ptr<std::shared_ptr<Errand>> owner(static_cast<std::shared_ptr<Errand>*>(shared_errand));
  Errand& errand = **owner;
  errand.work();
  {
    MutexLock lock(errand.mutex_);
    errand.done_ = true;
  }
  errand.waiters_.release_all();
}

}  // namespace tg::inline v0::detail
