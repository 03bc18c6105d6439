// SPDX-License-Identifier: Apache-2.0
// Each is the call of tg::posix where a stop can end it, else the plain one.
#include "interpose/waits.hpp"

#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): POSIX's, with sigset_t
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <ctime>

#include <threadgroup/posix.hpp>

#include "interpose/next_function.hpp"
#include "interpose/stoppable.hpp"
#include "posix/foreign_call.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): the C library's names
extern "C" {
// What <poll.h> makes of the calls under _FORTIFY_SOURCE. `room` is how many bytes of memory there are.
int __poll_chk(pollfd* fds, nfds_t count, int milliseconds, std::size_t room);
int __ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* blocked,
                std::size_t room);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace tg::inline v0::interpose {

namespace {
using detail::ForeignCall;

constinit NextFunction next_poll("poll", ::poll);
constinit NextFunction next_poll_chk("__poll_chk", ::__poll_chk);
constinit NextFunction next_ppoll("ppoll", ::ppoll);
constinit NextFunction next_ppoll_chk("__ppoll_chk", ::__ppoll_chk);
constinit NextFunction next_select("select", ::select);
constinit NextFunction next_pselect("pselect", ::pselect);
constinit NextFunction next_epoll_wait("epoll_wait", ::epoll_wait);
constinit NextFunction next_epoll_pwait("epoll_pwait", ::epoll_pwait);
constinit NextFunction next_wait("wait", ::wait);
constinit NextFunction<pid_t(int*, int, struct rusage*)> next_wait3("wait3", ::wait3);
constinit NextFunction<pid_t(pid_t, int*, int, struct rusage*)> next_wait4("wait4", ::wait4);
constinit NextFunction next_waitpid("waitpid", ::waitpid);
constinit NextFunction next_waitid("waitid", ::waitid);
constinit NextFunction next_pause("pause", ::pause);

bool fits(nfds_t count, std::size_t room) noexcept { return count <= room / sizeof(pollfd); }
}  // namespace

void find_functions_of_waits() noexcept {
  find_all(next_poll, next_poll_chk, next_ppoll, next_ppoll_chk, next_select, next_pselect, next_epoll_wait,
           next_epoll_pwait, next_wait, next_wait3, next_wait4, next_waitpid, next_waitid, next_pause);
}

// --- Descriptors ---

TG_INTERPOSED int poll(pollfd* fds, nfds_t count, int milliseconds) {
  return stoppable(posix::poll, next_poll, fds, count, milliseconds);
}

TG_INTERPOSED int __poll_chk(pollfd* fds, nfds_t count, int milliseconds, std::size_t room) {
  return fits(count, room) && ForeignCall::can_be_stopped() ? posix::poll(fds, count, milliseconds)
                                                            : next_poll_chk(fds, count, milliseconds, room);
}

TG_INTERPOSED int ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* blocked) {
  return stoppable(posix::ppoll, next_ppoll, fds, count, timeout, blocked);
}

TG_INTERPOSED int __ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* blocked,
                              std::size_t room) {
  return fits(count, room) && ForeignCall::can_be_stopped()
             ? posix::ppoll(fds, count, timeout, blocked)
             : next_ppoll_chk(fds, count, timeout, blocked, room);
}

TG_INTERPOSED int select(int count, fd_set* readable, fd_set* writable, fd_set* others, timeval* timeout) {
  return stoppable(posix::select, next_select, count, readable, writable, others, timeout);
}

TG_INTERPOSED int pselect(int count, fd_set* readable, fd_set* writable, fd_set* others,
                          const timespec* timeout, const sigset_t* blocked) {
  return stoppable(posix::pselect, next_pselect, count, readable, writable, others, timeout, blocked);
}

TG_INTERPOSED int epoll_wait(int epoll, epoll_event* events, int most, int milliseconds) {
  return stoppable(posix::epoll_wait, next_epoll_wait, epoll, events, most, milliseconds);
}

TG_INTERPOSED int epoll_pwait(int epoll, epoll_event* events, int most, int milliseconds,
                              const sigset_t* blocked) {
  return stoppable(posix::epoll_pwait, next_epoll_pwait, epoll, events, most, milliseconds, blocked);
}

// --- Processes ---

// <sys/wait.h> declares `wait3` and `wait4` as `noexcept`, but pthread_cancel unwinds through them. So they have other names here,
// and that of the C library for the linker.
TG_INTERPOSED pid_t cancellable_wait3(int*, int, struct rusage*) __asm__("wait3");
TG_INTERPOSED pid_t cancellable_wait4(pid_t, int*, int, struct rusage*) __asm__("wait4");

TG_INTERPOSED pid_t wait(int* status) {
  return ForeignCall::can_be_stopped() ? posix::waitpid(-1, status, 0) : next_wait(status);
}

TG_INTERPOSED pid_t cancellable_wait3(int* status, int options, struct rusage* usage) {
  return ForeignCall::can_be_stopped() ? posix::wait4(-1, status, options, usage)
                                       : next_wait3(status, options, usage);
}

TG_INTERPOSED pid_t cancellable_wait4(pid_t process, int* status, int options, struct rusage* usage) {
  return stoppable(posix::wait4, next_wait4, process, status, options, usage);
}

TG_INTERPOSED pid_t waitpid(pid_t process, int* status, int options) {
  return stoppable(posix::waitpid, next_waitpid, process, status, options);
}

TG_INTERPOSED int waitid(idtype_t kind, id_t id, siginfo_t* info, int options) {
  return stoppable(posix::waitid, next_waitid, kind, id, info, options);
}

// --- Signals ---

TG_INTERPOSED int pause() { return stoppable(posix::pause, next_pause); }

}  // namespace tg::inline v0::interpose
