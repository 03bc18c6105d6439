// SPDX-License-Identifier: Apache-2.0
// Reading, keeping and cutting into lines.
#include "process/output_reader.hpp"

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "runtime/own_calls.hpp"

namespace tg::inline v0::process {

namespace {
constexpr std::size_t kLongestLine = 1 << 20;
constexpr std::size_t kAtATime = 16'384;
}

void OutputReader::read() {
  if (pipe_) read_at_most(kAtATime);
}

void OutputReader::finish() {
  int left = 0;
  if (pipe_) ::ioctl(pipe_.get(), FIONREAD, &left);
  while (pipe_ && left > 0) {
    const std::size_t got = read_at_most(std::min(kAtATime, static_cast<std::size_t>(left)));
    if (got == 0) break;
    left -= static_cast<int>(got);
  }
  if (pipe_) end();
}

// Returns how many bytes were read.
std::size_t OutputReader::read_at_most(std::size_t bytes) {
  std::array<char, kAtATime> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): the system writes it
  ssize_t got = 0;
  do got = runtime::own::read(pipe_.get(), buffer.data(), bytes);
  while (got < 0 && errno == EINTR);
  if (got > 0) take(buffer.data(), static_cast<std::size_t>(got));
  else if (got == 0 || errno != EAGAIN) end();
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

void OutputReader::take(const char* bytes, std::size_t count) {
  if (discards_) {
    lost_ += count;
  } else if (output_.kind() == Output::Kind::lines) {
    hand_out_lines(bytes, count);
  } else {
    const std::size_t kept = std::min(count, output_.limit() - text_.size());
    text_.append(bytes, kept);
    lost_ += count - kept;
  }
}

void OutputReader::hand_out_lines(const char* bytes, std::size_t count) {
  std::string_view rest(bytes, count);
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const bool has_end = end != std::string_view::npos;
    text_.append(rest.substr(0, end));
    rest.remove_prefix(has_end ? end + 1 : rest.size());
    if (!has_end && text_.size() < kLongestLine) return;
    const std::string line = std::move(text_);  // the function may throw
    text_.clear();
    output_.function()(line);
  }
}

void OutputReader::end() {
  pipe_.close();
  if (output_.kind() != Output::Kind::lines || text_.empty()) return;
  const std::string line = std::move(text_);  // one without an end
  text_.clear();
  if (!discards_) output_.function()(line);
}

}  // namespace tg::inline v0::process
