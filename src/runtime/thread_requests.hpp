// SPDX-License-Identifier: Apache-2.0
// Jobs that want threads, in the order in which threads serve them.
#pragma once

#include <cstdint>

namespace tg::inline v0::runtime {

/// What a started flow does: one call. It must not throw.
struct Job {
  void (*run)(void* argument) noexcept = nullptr;
  void* argument = nullptr;
};

/// A job that wants threads: each runs the job once. It stays in place while it is in the cache's list.
class ThreadRequest {
 public:
  explicit constexpr ThreadRequest(Job job) noexcept : job_(job) {}
  ThreadRequest(const ThreadRequest&) = delete;
  ThreadRequest& operator=(const ThreadRequest&) = delete;

 private:
  friend class ThreadCache;
  friend class RequestList;
  const Job job_;
  // Guarded by the cache's lock.
  ThreadRequest* previous_ = nullptr;
  ThreadRequest* next_ = nullptr;
  std::uint32_t wanted_ = 0;  // threads; while it is not zero, the request is in the list
};

/// Requests in the order in which threads serve them. One that wants several threads goes to the end of the
/// list after each.
class RequestList {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  static bool holds(const ThreadRequest& request) noexcept { return request.wanted_ != 0; }
  static std::uint32_t wanted_by(const ThreadRequest& request) noexcept { return request.wanted_; }
  /// Threads, by all requests.
  std::uint32_t wanted() const noexcept { return wanted_; }
  void add(ThreadRequest& request) noexcept {
    ++wanted_;
    if (request.wanted_++ == 0) append(request);
  }
  /// The job of the first request; requires that there is one.
  Job take() noexcept {
    ThreadRequest& first = *first_;
    remove(first);
    if (first.wanted_ != 0) append(first);
    return first.job_;
  }
  /// Takes back the request for one thread; false if it wants none.
  bool withdraw(ThreadRequest& request) noexcept {
    if (request.wanted_ == 0) return false;
    if (request.wanted_ == 1) {
      remove(request);
    } else {
      --request.wanted_;
      --wanted_;
    }
    return true;
  }

 private:
  void append(ThreadRequest& request) noexcept {
    request.previous_ = last_;
    request.next_ = nullptr;
    (first_ != nullptr ? last_->next_ : first_) = &request;
    last_ = &request;
  }
  // The request wants one thread less.
  void remove(ThreadRequest& request) noexcept {
    (request.previous_ != nullptr ? request.previous_->next_ : first_) = request.next_;
    (request.next_ != nullptr ? request.next_->previous_ : last_) = request.previous_;
    --request.wanted_;
    --wanted_;
  }

  ThreadRequest* first_ = nullptr;
  ThreadRequest* last_ = nullptr;
  std::uint32_t wanted_ = 0;
};

}  // namespace tg::inline v0::runtime
