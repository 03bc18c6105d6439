// SPDX-License-Identifier: Apache-2.0
// Where failures go that no caller has seen.
#include <memory>
#include <utility>

#include <threadgroup/base/immortal.hpp>
#include <threadgroup/base/mutex.hpp>
#include <threadgroup/base/report.hpp>
#include <threadgroup/group/unseen_failures.hpp>
#include <threadgroup/runtime/fork.hpp>

namespace tg {

namespace {

// Shared, so that a handler that is replaced while it runs lives until it returns.
using SharedHandler = std::shared_ptr<const UnseenFailureHandler>;

struct HandlerHolder {
  detail::Mutex mutex;
  SharedHandler handler TG_GUARDED_BY(mutex);
};
constinit detail::Immortal<HandlerHolder> only;  // groups may be destroyed later than static objects

[[gnu::constructor(runtime::at_load::kLeaves)]] void at_load() {
  runtime::hold_across_forks([]() -> detail::Mutex& { return only.value.mutex; });
}

void write_to_stderr(const std::string& group_path, const Failure& failure) {
  detail::report_line({"unseen failure: task '", failure.task, "' of group '", group_path,
                       "' failed: ", describe_failure(failure)});
}

}  // namespace

UnseenFailureHandler set_unseen_failure_handler(UnseenFailureHandler handler) {
  SharedHandler next = handler ? std::make_shared<const UnseenFailureHandler>(std::move(handler)) : nullptr;
  HandlerHolder& holder = only.value;
  {
    detail::MutexLock lock(holder.mutex);
    std::swap(holder.handler, next);
  }
  return next ? *next : UnseenFailureHandler();
}

namespace detail {

void report_unseen(const std::string& group_path, const std::vector<Failure>& failures) noexcept {
  SharedHandler handler;
  {
    HandlerHolder& holder = only.value;
    MutexLock lock(holder.mutex);
    handler = holder.handler;
  }
  for (const Failure& failure : failures) {
    try {
      if (handler) {
        (*handler)(group_path, failure);
      } else {
        write_to_stderr(group_path, failure);
      }
    } catch (...) {  // the handler failed: then this is the last place to say it
      report_line({"the handler for unseen failures threw for task '", failure.task, "' of group '",
                   group_path, "'"});
    }
  }
}

}  // namespace detail
}  // namespace tg
