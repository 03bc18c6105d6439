// SPDX-License-Identifier: Apache-2.0
// Each is the call of tg::posix where a stop can end it, else the plain one.
#include "interpose/messages.hpp"

#include <mqueue.h>
#include <semaphore.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <ctime>

#include <threadgroup/posix.hpp>

#include "interpose/next_function.hpp"
#include "interpose/stoppable.hpp"
#include "posix/foreign_call.hpp"

namespace tg::inline v0::interpose {

namespace {
using detail::ForeignCall;

constinit NextFunction next_mq_send("mq_send", ::mq_send);
constinit NextFunction next_mq_timedsend("mq_timedsend", ::mq_timedsend);
constinit NextFunction next_mq_receive("mq_receive", ::mq_receive);
constinit NextFunction next_mq_timedreceive("mq_timedreceive", ::mq_timedreceive);
constinit NextFunction next_msgsnd("msgsnd", ::msgsnd);
constinit NextFunction next_msgrcv("msgrcv", ::msgrcv);
constinit NextFunction next_semop("semop", ::semop);
constinit NextFunction next_semtimedop("semtimedop", ::semtimedop);
constinit NextFunction next_sem_wait("sem_wait", ::sem_wait);
}  // namespace

void find_functions_of_messages() noexcept {
  find_all(next_mq_send, next_mq_timedsend, next_mq_receive, next_mq_timedreceive, next_msgsnd, next_msgrcv,
           next_semop, next_semtimedop, next_sem_wait);
}

// --- Messages ---

TG_INTERPOSED int mq_timedsend(mqd_t queue, const char* message, std::size_t bytes, unsigned priority,
                               const timespec* deadline) {
  return stoppable(posix::mq_timedsend, next_mq_timedsend, queue, message, bytes, priority, deadline);
}

TG_INTERPOSED int mq_send(mqd_t queue, const char* message, std::size_t bytes, unsigned priority) {
  return ForeignCall::can_be_stopped() ? posix::mq_timedsend(queue, message, bytes, priority, nullptr)
                                       : next_mq_send(queue, message, bytes, priority);
}

TG_INTERPOSED ssize_t mq_timedreceive(mqd_t queue, char* message, std::size_t bytes, unsigned* priority,
                                      const timespec* deadline) {
  return stoppable(posix::mq_timedreceive, next_mq_timedreceive, queue, message, bytes, priority, deadline);
}

TG_INTERPOSED ssize_t mq_receive(mqd_t queue, char* message, std::size_t bytes, unsigned* priority) {
  return ForeignCall::can_be_stopped() ? posix::mq_timedreceive(queue, message, bytes, priority, nullptr)
                                       : next_mq_receive(queue, message, bytes, priority);
}

TG_INTERPOSED int msgsnd(int queue, const void* message, std::size_t bytes, int flags) {
  return stoppable(posix::msgsnd, next_msgsnd, queue, message, bytes, flags);
}

TG_INTERPOSED ssize_t msgrcv(int queue, void* message, std::size_t bytes, long type, int flags) {
  return stoppable(posix::msgrcv, next_msgrcv, queue, message, bytes, type, flags);
}

// --- Semaphores ---

TG_INTERPOSED int semop(int set, sembuf* operations, std::size_t count) noexcept {
  return stoppable(posix::semop, next_semop, set, operations, count);
}

TG_INTERPOSED int semtimedop(int set, sembuf* operations, std::size_t count,
                             const timespec* timeout) noexcept {
  return stoppable(posix::semtimedop, next_semtimedop, set, operations, count, timeout);
}

TG_INTERPOSED int sem_wait(sem_t* semaphore) { return stoppable(posix::sem_wait, next_sem_wait, semaphore); }

}  // namespace tg::inline v0::interpose
