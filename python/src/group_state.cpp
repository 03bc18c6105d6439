// SPDX-License-Identifier: Apache-2.0
// The numbers under which workers are listed.
#include "group_state.hpp"

#include "worker.hpp"

namespace tg::python {

std::size_t GroupState::take_seat(Worker& worker) noexcept {
  std::size_t seat = 0;
  while (seat < seats_.size() && seats_[seat].worker != nullptr) ++seat;
  if (seat == seats_.size()) {
    for (seat = 0; seat < seats_.size() && seats_[seat].busy; ++seat) {
    }
    if (seat == seats_.size()) seats_.emplace_back();
  }
  Worker* const idle = seats_[seat].worker;
  seats_[seat] = {&worker, true};
  if (idle != nullptr) idle->lose_seat();
  return seat;
}

void GroupState::object_goes() noexcept {
  object = nullptr;
  if (!is_of_this_process() || !interpreter_is_open()) return;
  // Destructors of what is dropped may run anything, but nothing that adds a seat: the group takes no tasks.
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
    if (seats_[seat].worker == nullptr || seats_[seat].busy) continue;
    std::exchange(seats_[seat].worker, nullptr)->lose_seat();
  }
}

}  // namespace tg::python
