// SPDX-License-Identifier: Apache-2.0
// Linking functions and calling them.
#include "tree/stop_source.hpp"

#include <exception>
#include <utility>

#include "base/planted.hpp"
#include "runtime/threads.hpp"
#include "tree/node.hpp"
#include "tree/time_limits.hpp"

namespace tg::inline v0::detail {

StopSource::~StopSource() TG_NO_THREAD_SAFETY_ANALYSIS { delete followers_; }

StopSource::Followers& StopSource::followers_locked() {
  if (followers_ == nullptr) followers_ = new Followers;
  is_followed_.store(true, std::memory_order_release);
  return *followers_;
}

std::stop_token StopSource::token(Event& event) {
  std::stop_source source(std::nostopstate);
  {
    MutexLock lock(mutex_);
    Followers& followers = followers_locked();
    if (!followers.source.stop_possible()) followers.source = std::stop_source();
    source = followers.source;
  }
  event.watch();  // before the look at the event: one of the two sides asks for the stop
  if (event.is_set()) source.request_stop();
  return source.get_token();
}

int StopSource::descriptor(Event& event) {
  const runtime::EventDescriptor* descriptor = nullptr;
  {
    MutexLock lock(mutex_);
    Followers& followers = followers_locked();
    if (!followers.descriptor) followers.descriptor.emplace();
    descriptor = &*followers.descriptor;
  }
  event.watch();  // as in `token`
  if (event.is_set()) descriptor->make_readable();
  return descriptor->number();
}

bool StopSource::add(OnStop& function, Event& event) {
  if (TG_PLANTED(on_stop_looks_only_before_it_links) && event.is_set()) return false;
  event.watch();
  {
    MutexLock lock(mutex_);
    OnStop*& first = followers_locked().first;
    function.next_ = first;
    if (first != nullptr) first->link_ = &function.next_;
    function.link_ = &first;
    first = &function;
  }
  // Q1: it is linked before the look at the event. The flow that unlinks it calls it.
  if (TG_PLANTED(on_stop_looks_only_before_it_links) || !event.is_set()) return true;
  return !remove(function);
}

void StopSource::unlink(OnStop& function) noexcept {
  if (function.next_ != nullptr) function.next_->link_ = function.link_;
  *std::exchange(function.link_, nullptr) = function.next_;
}

bool StopSource::remove(OnStop& function) noexcept {
  MutexLock lock(mutex_);
  if (function.link_ == nullptr) return false;
  unlink(function);
  return true;
}

void StopSource::request_stop(Node& node) noexcept {
  {
    // Under the lock, which orders this look and one at the event by a flow that has just linked a function.
    MutexLock lock(mutex_);
    if (followers_ == nullptr) return;
    if (followers_->descriptor) followers_->descriptor->make_readable();
  }
  if (!TG_PLANTED(on_stop_holds_up_the_deadlines) && TimeLimits::instance().are_served_by_caller()) {
    node.add_reference();
    try {
      return runtime::ThreadCache::instance().start({&StopSource::call_followers_of, &node});
    } catch (const std::exception&) {  // no thread: the other deadlines have to wait
      node.release();
    }
  }
  call_followers();
}

void StopSource::call_followers_of(void* node) noexcept {
  auto& of = *static_cast<Node*>(node);
  of.stop_source()->call_followers();
  of.release();
}

void StopSource::call_followers() noexcept {
  std::stop_source source(std::nostopstate);
  for (;;) {
    OnStop* function = nullptr;
    {
      MutexLock lock(mutex_);
      if (followers_ == nullptr) return;
      function = followers_->first;
      if (function != nullptr) {
        unlink(*function);
      } else {
        source = followers_->source;
      }
    }
    if (function == nullptr) break;
    function->call();
  }
  source.request_stop();
}

}  // namespace tg::inline v0::detail
