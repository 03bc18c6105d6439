// SPDX-License-Identifier: Apache-2.0
// The call of the system, and the first steps of the thread.
#include "runtime/make_thread.hpp"

#include <pthread.h>
#include <sys/prctl.h>

#include <cerrno>
#include <memory>
#include <new>
#include <utility>

#include "runtime/faults.hpp"
#include "runtime/flow.hpp"

namespace tg::inline v0::runtime {

namespace {

// What the new thread needs. Made by the caller, to whom a lack of memory can be reported.
struct ThreadStart {
  void (*const main)(Job first) noexcept;
  const Job first;
  Flow* flow;

  ThreadStart(void (*runs)(Job) noexcept, Job job) : main(runs), first(job), flow(&Flow::reserve()) {}
  ThreadStart(const ThreadStart&) = delete;
  ThreadStart& operator=(const ThreadStart&) = delete;
  ~ThreadStart() {
    if (flow != nullptr) Flow::give_back(*flow);
  }
};

void* begin_thread(void* raw) {
  const std::unique_ptr<ThreadStart> start(static_cast<ThreadStart*>(raw));
  Flow::become(*std::exchange(start->flow, nullptr));
  // The kernel may round a timer by 50 us, which is a twentieth of a sleep of 1 ms; these threads ask for
  // none of it.
  if (Engine::of_caller() == nullptr) ::prctl(PR_SET_TIMERSLACK, 1UL);
  start->main(start->first);
  return nullptr;
}

// Returns 0 or the system's error.
int launch(void* argument) noexcept {
  if (faults::is_thread_refused()) return EAGAIN;
  if (Engine* const engine = Engine::of_caller()) return engine->start(&begin_thread, argument);
  if constexpr (kIsExplored) return EAGAIN;
  pthread_attr_t attributes;
  int error = ::pthread_attr_init(&attributes);
  if (error != 0) return error;
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  error = ::pthread_create(&thread, &attributes, &begin_thread, argument);
  ::pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace

int make_thread(void (*main)(Job first) noexcept, Job first) noexcept try {
  auto start = std::make_unique<ThreadStart>(main, first);
  const int error = launch(start.get());
  if (error == 0) static_cast<void>(start.release());  // the thread has it now
  return error;
} catch (const std::bad_alloc&) {
  return ENOMEM;
}

}  // namespace tg::inline v0::runtime
