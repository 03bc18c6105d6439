// SPDX-License-Identifier: Apache-2.0
// Which flow waits for what, in a simulation.
#pragma once

#include <string>

namespace tg::inline v0::sim {

class Simulation;

/// Each flow that runs a task or waits: what it runs, what it waits for, and which flows could end that wait.
/// Cycles come first; idle threads are left out.
std::string picture_of_waits(const Simulation& simulation);

/// "task 'a' of group 'g'", as the rest of a sentence that begins with "waits for".
std::string what_caller_waits_for();

/// "task 'a' of group 'g'"; empty outside a task.
std::string what_caller_runs();

/// The paths of the groups of the caller's simulation, separated by commas; empty if there are none.
std::string groups_left();

}  // namespace tg::inline v0::sim
