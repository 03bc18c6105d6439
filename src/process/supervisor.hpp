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
    // `value`: how many were killed; `detail`: how many still run because they belong to another user. The supervisor ends.
    over,
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
  };
  Kind kind;
  int value;
};

/// The supervisor's arguments: "tg-supervisor", the pid of the program, the flags below as a number, the grace in
/// milliseconds, the directory or "", limits as "number:soft:hard,..." or "", and the path of the command. The command's own
/// arguments follow, beginning with its name.
constexpr int kFixedArguments = 7;
// The command goes on when the program has ended.
constexpr int kOutlivesProgram = 1;
// The command has a session of its own, and no terminal.
constexpr int kOwnSession = 2;
// Descendants go on when the command has ended by itself.
constexpr int kDescendantsMayStay = 4;

}  // namespace tg::inline v0::process
