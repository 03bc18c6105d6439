// SPDX-License-Identifier: Apache-2.0
// What the library and the supervisor of a command say to each other: one struct for each datagram.
//
// The supervisor is built without a standard library, so this header needs none.
#pragma once

namespace tg::inline v0::process {

/// The control socket of the supervisor. 0, 1 and 2 are the command's.
constexpr int kControl = 3;

/// From the supervisor.
struct Report {
  enum class Kind : int {
    started,  // `value`: the pid of the command
    refused,  // `value`: the system's error; `detail`: the `Step` that it has refused. The supervisor ends.
    exited,   // `value`: as `wait4` says it; `detail`: 1 if an end was ordered before
    over,  // `value`: how many were killed; `detail`: how many are left, as another user's. The supervisor ends.
  };
  Kind kind;
  int value;
  int detail;
  int unused;
  long long user_micros;
  long long system_micros;
  long long max_rss_kib;
};

/// What could not be done to start the command.
enum class Step : int { supervise, proc, directory, limit, execute };

/// To the supervisor.
struct Order {
  enum class Kind : int {
    signal,  // `value`: the signal, for the command alone
    end,     // TERM to the command and all its descendants; KILL after `value` milliseconds
    leave,   // the descendants may stay when the command has ended
  };
  Kind kind;
  int value;
};

/// The supervisor's arguments: "supervisor", the pid of the program, `kKeeps...` flags as a number, the grace in milliseconds, the
/// directory or "", limits as "number:soft:hard,..." or "", the path of the command; and then the command's own, from its name on.
constexpr int kFixedArguments = 7;
constexpr int kKeepsRunning = 1;  // the command goes on when the program has been killed
constexpr int kOwnSession = 2;    // the command has a session of its own, and no terminal
constexpr int kLeaves = 4;        // descendants may stay when the command has ended

}  // namespace tg::inline v0::process
