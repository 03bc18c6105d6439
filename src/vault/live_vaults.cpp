// SPDX-License-Identifier: Apache-2.0
// The list of all vaults, and what happens to them in a fork.
#include "vault/live_vaults.hpp"

#include <threadgroup/detail/mutex.hpp>

#include "runtime/fork.hpp"

namespace tg::inline v0::detail {

namespace {

constinit Mutex list_mutex;
constinit VaultCore* first TG_GUARDED_BY(list_mutex) = nullptr;

[[gnu::constructor(runtime::at_load::kLeaves)]] void vaults_at_load() { LiveVaults::hold_across_forks(); }

}  // namespace

void LiveVaults::add(VaultCore& vault) noexcept {
  MutexLock lock(list_mutex);
  vault.next_live_ = first;
  if (first != nullptr) first->previous_live_ = &vault;
  first = &vault;
}

void LiveVaults::remove(VaultCore& vault) noexcept {
  MutexLock lock(list_mutex);
  if (vault.next_live_ != nullptr) vault.next_live_->previous_live_ = vault.previous_live_;
  (vault.previous_live_ != nullptr ? vault.previous_live_->next_live_ : first) = vault.next_live_;
}

template <class Visit>
void LiveVaults::visit_all(Visit visit) noexcept TG_NO_THREAD_SAFETY_ANALYSIS {
  for (VaultCore* vault = first; vault != nullptr; vault = vault->next_live_) visit(*vault);
}

// The locks are taken in one function and given back in another, which no analysis follows.
void LiveVaults::hold_across_forks() {
  runtime::at_fork(
      []() TG_NO_THREAD_SAFETY_ANALYSIS {
        list_mutex.lock();
        visit_all([](VaultCore& vault) TG_NO_THREAD_SAFETY_ANALYSIS { vault.store_.mutex().lock(); });
      },
      []() TG_NO_THREAD_SAFETY_ANALYSIS {
        visit_all([](VaultCore& vault) TG_NO_THREAD_SAFETY_ANALYSIS { vault.store_.mutex().unlock(); });
        list_mutex.unlock();
      },
      []() TG_NO_THREAD_SAFETY_ANALYSIS {
        visit_all([](VaultCore& vault) TG_NO_THREAD_SAFETY_ANALYSIS {
          vault.forget_parent_locked();
          vault.store_.mutex().unlock();
        });
        list_mutex.unlock();
      });
}

}  // namespace tg::inline v0::detail
