// SPDX-License-Identifier: Apache-2.0
// Waits for the turn, and passes it on.
#include "vault_json/turns.hpp"

#include <system_error>

#include <threadgroup/duration.hpp>

#include "event/wait.hpp"

namespace tg::inline v0::detail {

void Turns::take() {
  runtime::Flow* const me = &runtime::Flow::current();
  {
    MutexLock lock(mutex_);
    if (owner_ == me) {
      throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                              "threadgroup vault: code that runs while a file is loaded uses the same file");
    }
  }
  const auto mine = [this, me] {
    MutexLock lock(mutex_);
    if (owner_ != nullptr) return false;
    owner_ = me;
    return true;
  };
  static_cast<void>(wait(waiters_, mine, {}, TimePoint::never()));
}

void Turns::give() noexcept {
  {
    MutexLock lock(mutex_);
    owner_ = nullptr;
  }
  waiters_.release_all();
}

}  // namespace tg::inline v0::detail
