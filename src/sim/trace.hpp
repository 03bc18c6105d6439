// SPDX-License-Identifier: Apache-2.0
// What happened in a schedule, for the reader of a failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <threadgroup/detail/atomic.hpp>

namespace tg::inline v0::sim {

#if defined(TG_SIMULATION)
using detail::kSomeAddress;
using detail::SeenValues;
#else  // no accesses are seen
struct SeenValues {
  std::int64_t before;
  std::int64_t after;
  bool is_old;
};
constexpr std::int64_t kSomeAddress = 0;
#endif

/// One step of a schedule.
struct Step {
  enum class Kind : std::uint8_t {
    load,
    store,
    change,  // read-modify-write
    full_fence,
    light_fence,
    heavy_fence,
    yield,
    sleep,
    wake,  // `count` sleepers
    time_out,
    jump,   // of the clock
    start,  // `count` is the number of the new flow
    end,
    say,  // the text number `count`
  };
  Kind kind = Kind::load;
  std::uint32_t flow = 0;
  std::int64_t count = 0;
  const void* word = nullptr;
  const void* place = nullptr;  // in the code
  // What the word held. Not part of the digest, because it may depend on addresses.
  SeenValues seen{};
};

/// The steps of one schedule.
class Trace {
 public:
  /// Keeps at least this many of the last steps.
  explicit Trace(std::size_t kept = ~std::size_t{0} / 2) noexcept : kept_(kept) {}

  void clear() noexcept {
    steps_.clear();
    room_ = 2 * kept_;
    texts_.clear();
    dropped_ = 0;
    digest_of_dropped_ = kNoDigest;
  }
  void add(const Step& step) {
    if (room_ == 0) [[unlikely]]
      drop();
    --room_;
    steps_.push_back(step);
  }
  Step& last() noexcept { return steps_.back(); }
  void say(std::uint32_t flow, std::string_view text);
  /// With those that were not kept.
  std::size_t size() const noexcept { return dropped_ + steps_.size(); }
  /// Of those that were kept.
  const Step& operator[](std::size_t index) const noexcept { return steps_[index - dropped_]; }

  /// A number that is the same for two schedules that did the same. Addresses do not count, because memory is
  /// reused in another order.
  std::uint64_t digest() const;
  /// The first step that was kept in which the other one differs, as a sentence; empty if they are the same.
  std::string difference(const Trace& other) const;
  /// The last `most` steps, one a line: the flow, what it did, to which word, and where in the code.
  /// `names` are those of the flows, by their numbers.
  std::string text(const std::vector<std::string>& names, std::size_t most) const;
  /// The same without what only developers of the library understand: words, and the steps on them.
  std::string story(const std::vector<std::string>& names, std::size_t most) const;

 private:
  static constexpr std::uint64_t kNoDigest = 0xCBF29CE484222325u;
  static std::uint64_t digest(std::uint64_t sum, const Step& step) noexcept;
  void drop();

  std::size_t kept_;
  std::size_t room_ = 2 * kept_;  // for steps
  std::vector<Step> steps_;
  std::size_t dropped_ = 0;
  std::uint64_t digest_of_dropped_ = kNoDigest;
  std::vector<std::string> texts_;
};

}  // namespace tg::inline v0::sim
