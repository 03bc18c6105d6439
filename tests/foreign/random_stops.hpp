// SPDX-License-Identifier: Apache-2.0
// Stops tasks at random moments while they use a third-party library, and measures how fast each task ends.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <set>
#include <string>

namespace tg::test {

/// What a task is doing, for the figures.
using Phase = std::atomic<const char*>;

/// One use of a library from beginning to end: it connects, asks, reads the answer, closes. If it is stopped, it throws
/// `Stopped`; any other exception is a failure. It may choose what it does by the random number.
using Use = std::function<void(unsigned random, Phase& phase)>;

/// Expects that as many descriptors are open at its end as at its beginning.
class NoDescriptorIsLeft {
 public:
  NoDescriptorIsLeft() = default;
  ~NoDescriptorIsLeft();
  NoDescriptorIsLeft(const NoDescriptorIsLeft&) = delete;
  NoDescriptorIsLeft& operator=(const NoDescriptorIsLeft&) = delete;

 private:
  static std::set<std::string> open();
  const std::set<std::string> before_ = open();
};

/// Eight tasks at a time repeat the use until they are stopped, each by itself, after a random time of up to `longest`; for
/// a use that computes, fewer tasks. 200 stops, under AddressSanitizer 1,000, or as many as TG_FOREIGN_STOPS says. Expects that
/// each task ends as `stopped`, and that half of them do so within 100 ms: the others may have waited for a processor. Prints
/// the times from the stop to the end of the task, and how many stops came in each phase.
void stop_at_random(const std::string& library, std::chrono::microseconds longest, const Use& use,
                    std::size_t tasks = 8);

}  // namespace tg::test
