// SPDX-License-Identifier: Apache-2.0
// Waiting for signals on a thread, where anything may be called, instead of in a handler, where hardly
// anything may.
#include "interrupt.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace verify_users {

namespace {

sigset_t stop_signals() {
  sigset_t signals{};
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

sigset_t block(const sigset_t& signals) {
  sigset_t before{};
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  return before;
}

}  // namespace

InterruptWatch::InterruptWatch()
    : before_(block(stop_signals())), group_("Signals", {.max_concurrent_threads = 1, .daemon = true}) {
  const sigset_t signals = stop_signals();
  signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  end_ = ::eventfd(0, EFD_CLOEXEC);
  if (signals_ < 0 || end_ < 0)
    throw std::system_error(errno, std::generic_category(), "cannot watch for signals");
  group_.add_task(tg::TaskName{"wait for signals"}, [this] { watch(); });
}

InterruptWatch::~InterruptWatch() {
  ::eventfd_write(end_, 1);
  (void)group_.wait_idle();
  ::close(signals_);
  ::close(end_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void InterruptWatch::watch() {
  std::array<pollfd, 2> sources{pollfd{signals_, POLLIN, 0}, pollfd{end_, POLLIN, 0}};
  for (;;) {
    if (::poll(sources.data(), sources.size(), -1) < 0) continue;  // EINTR
    if (sources[1].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signals_, &info, sizeof info) != sizeof info) continue;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal_.exchange(signal) != 0) std::_Exit(128 + signal);
    tg::ThreadEventsController::instance().set_all_events(tg::ReasonKind::signal,
                                                          signal == SIGINT ? "SIGINT (Ctrl-C)" : "SIGTERM");
  }
}

}  // namespace verify_users
