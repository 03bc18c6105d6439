// SPDX-License-Identifier: Apache-2.0
// Copies of short values, whose readers write nothing to shared memory.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <type_traits>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/config.hpp>

namespace tg::inline v0::detail {

/// A copy of a number or another short value, kept beside the value itself. Readers of long values count
/// themselves on the value, which writes to memory that all readers share. Readers of a short copy only read.
///
/// It is a sequence lock: H.-J. Boehm, "Can seqlocks get along with programming language memory models?"
/// (2012).
///
/// Requires: writers exclude each other; a change is `begin`, optionally `write`, and `end`; `read` requests
/// the type that was written.
/// Guarantees: `read` returns a value that was stored as a whole and was present. A reader that knows of a
/// change, by any synchronisation, does not get an older value.
/// Thread safety: `read` from any thread.
class ShortCopy {
 public:
  static constexpr std::size_t kBytes = 16;
  template <class T>
  static constexpr bool kFits = std::is_trivially_copyable_v<T> && sizeof(T) <= kBytes;

  void begin() noexcept {
    state_.store(state_.load(std::memory_order_relaxed) | kBusy, std::memory_order_relaxed);
  }
  // Each release store keeps `begin` before it: a reader that sees a new word sees a new state, too.
  template <class T>
  void write(const T& value) noexcept {
    std::array<std::uint64_t, kWords<T>> words{};
    std::memcpy(words.data(), std::addressof(value), sizeof(T));
    for (std::size_t i = 0; i < words.size(); ++i) words_[i].store(words[i], std::memory_order_release);
  }
  void end(bool present) noexcept {
    const std::uint64_t state = state_.load(std::memory_order_relaxed) & ~(kBusy | kPresent);
    state_.store((state + kOneChange) | (present ? kPresent : 0), std::memory_order_release);
  }

  /// The value; nothing if there is none, or while it is being changed.
  template <class T>
  std::optional<T> read() const noexcept {
    const std::uint64_t before = state_.load(std::memory_order_acquire);
    if ((before & (kBusy | kPresent)) != kPresent) return std::nullopt;
    std::array<std::uint64_t, kWords<T>> words;
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = words_[i].load(std::memory_order_acquire);
    if (state_.load(std::memory_order_relaxed) != before) return std::nullopt;
    std::array<std::byte, sizeof(T)> bytes;
    std::memcpy(bytes.data(), words.data(), sizeof(T));
    return std::bit_cast<T>(bytes);
  }

 private:
  template <class T>
  static constexpr std::size_t kWords = (sizeof(T) + 7) / 8;
  static constexpr std::uint64_t kBusy = 1;
  static constexpr std::uint64_t kPresent = 2;
  static constexpr std::uint64_t kOneChange = 4;

  Atomic<std::uint64_t> state_{0};  // atomic: read while it is written, like the words
  std::array<Atomic<std::uint64_t>, kBytes / 8> words_{};
};

}  // namespace tg::inline v0::detail
