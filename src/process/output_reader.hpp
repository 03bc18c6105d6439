// SPDX-License-Identifier: Apache-2.0
// The program's end of a command's output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <threadgroup/process.hpp>

#include "process/descriptor.hpp"

namespace tg::inline v0::process {

/// Reads what a command writes: keeps the beginning and counts the rest, or hands out lines. Belongs to one thread.
///
///     OutputReader reader(std::move(output), std::move(pipe));
///     while (reader.fd() >= 0) { /* poll */ reader.read(); }
class OutputReader {
 public:
  /// There is nothing to read.
  OutputReader() = default;
  /// `pipe` does not block. `output` is `captured` or `lines`.
  OutputReader(Output output, Descriptor pipe) : output_(std::move(output)), pipe_(std::move(pipe)) {}

  /// To be polled; -1 once the output has ended.
  int fd() const noexcept { return pipe_.get(); }
  /// Reads at most 16 KiB, so that the caller regains control under a fast writer. Throws what the function for lines throws, and `std::bad_alloc`.
  void read();
  /// Reads what is there now, and ends: also where another process still has the pipe open and writes to it.
  void finish();
  /// From now on, output is counted and dropped.
  void discard() noexcept { discards_ = true; }
  void close() noexcept { pipe_.close(); }

  const std::string& text() const noexcept { return text_; }
  std::string take_text() noexcept { return std::move(text_); }
  std::uint64_t lost() const noexcept { return lost_; }

 private:
  std::size_t read_at_most(std::size_t bytes);
  void take(const char* bytes, std::size_t count);
  void hand_out_lines(const char* bytes, std::size_t count);
  void end();

  Output output_;
  Descriptor pipe_;
  std::string text_;  // what is kept, or the line that has not ended yet
  std::uint64_t lost_ = 0;
  bool discards_ = false;
};

}  // namespace tg::inline v0::process
