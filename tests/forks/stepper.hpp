// SPDX-License-Identifier: Apache-2.0
// Forks the process while another thread is inside the library: after each atomic instruction of that thread.
#pragma once

#include <array>

namespace tg::forks {

/// Whether the machine can step a thread through its instructions. The stepper knows x86-64 only.
bool can_step() noexcept;

/// Has the calling thread stepped from here on, for so many instructions at most: after each atomic one it
/// stops there, and the process is forked. Each place is used once, told apart by the operation,
/// the address of the instruction and the depth of the stack. A lock is taken and given up, and a guard of a
/// static passed, by such instructions. Calls do not nest, and `operation` stays where it is.
void step(const char* operation, long instructions = 2'000'000) noexcept;
void stop_stepping() noexcept;

/// Has each place used once more from here on.
void use_places_again() noexcept;

/// An operation that the calling thread is stepped through.
class Stepped {
 public:
  explicit Stepped(const char* operation) noexcept { step(operation); }
  ~Stepped() { stop_stepping(); }
  Stepped(const Stepped&) = delete;
  Stepped& operator=(const Stepped&) = delete;
};

/// Called by the child before each thing that it does: a child that hangs is known by the last one.
void now_touching(const char* what) noexcept;

struct Figures {
  int points = 0;                     ///< places at which a stepped thread stopped, each with a fork
  int waited_for = 0;                 ///< of them, those where the fork waited until that thread had gone on
  std::array<char, 5000> wrong = {};  ///< where the fork was, and what the child touched when it went wrong
};

/// Runs the script on a thread of its own, and `child` in each child; a child's exit status is what it
/// returns. The calling thread forks. It ends at the first child that went wrong, and leaves the script's
/// thread where it is: the process ends then.
Figures fork_everywhere(void (*script)(), int (*child)());

}  // namespace tg::forks
