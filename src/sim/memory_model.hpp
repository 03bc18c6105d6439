// SPDX-License-Identifier: Apache-2.0
// Weak memory: what a flow may read depends on what it knows, and that on the orders of all accesses.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <threadgroup/detail/atomic.hpp>

namespace tg::inline v0::sim {

class Scheduler;

/// For each flow, up to which of its accesses something is known. Flows count their accesses from 1.
struct Clock {
  static constexpr std::size_t kFlows = 20;  // and one for the numbers from 1 on

  std::array<std::uint32_t, kFlows + 1> times{};

  std::uint32_t& operator[](std::size_t flow) noexcept { return times[flow]; }
  std::uint32_t operator[](std::size_t flow) const noexcept { return times[flow]; }
  void join(const Clock& other) noexcept {
    for (std::size_t i = 0; i < times.size(); ++i) {
      if (times[i] < other.times[i]) times[i] = other.times[i];
    }
  }
};

/// What a flow knows, and what it hands over when it releases.
struct Knowledge {
  Clock happened;  // what happens before
  Clock fenced;    // what happens before a fence that precedes, in the order S, a fence that happens before
  Clock
      fenced_seq_cst;  // the sequentially consistent accesses that precede, in S, a fence that happens before

  void join(const Knowledge& other) noexcept {
    happened.join(other.happened);
    fenced.join(other.fenced);
    fenced_seq_cst.join(other.fenced_seq_cst);
  }
};

/// The memory of one schedule, by the rules of C++20 ([intro.races], [atomics.order]). README.md says what is
/// modelled.
///
/// Each word has its last few stores, in the order in which they were executed, which is their modification
/// order; the order S of the sequentially consistent operations is that of their execution as well. A load may
/// read any store but those that are older than one that its flow knows of. Which one, the schedule's plan
/// says.
///
/// A store is known by who has accessed it: the flow that stored it, and each that has read it. So there are
/// the four kinds of coherence, and the four conditions on S, in one comparison of clocks.
class WeakMemory final : public detail::MemoryModel {
 public:
  explicit WeakMemory(Scheduler& scheduler);
  ~WeakMemory();
  WeakMemory(const WeakMemory&) = delete;
  WeakMemory& operator=(const WeakMemory&) = delete;

  /// Of the running schedule; null if its memory is sequentially consistent.
  static WeakMemory* running() noexcept { return running_; }

  /// A new schedule, with this flow.
  void begin(std::size_t flow);
  void end() noexcept;
  void start(std::size_t parent, std::size_t child);
  /// The running flow has ended what it does for another one that will call `join`.
  void part_ends() noexcept;
  void join() noexcept;
  /// From now on, accesses to words in this memory that ask for an order are made with another one.
  void weaken(const void* object, std::size_t bytes, std::memory_order from, std::memory_order to);

  /// The running flow uses this memory for something else: all accesses to words in it happen before.
  void reuse(const void* memory, std::size_t bytes);

  /// An access to plain data, of which the cell remembers the last ones.
  struct PlainAccess {
    std::uint32_t time = 0;  // 0: none
    std::uint32_t flow = 0;
    const void* place = nullptr;
  };
  struct PlainAccesses {
    PlainAccess write;
    std::array<PlainAccess, Clock::kFlows + 1> reads;  // of each flow, since the last write
  };
  void read_plain(PlainAccesses& before, const void* place);
  void write_plain(PlainAccesses& before, const void* place);

  void construct(const void* word, std::uint64_t value) noexcept override;
  std::uint64_t load(const void* word, std::uint64_t newest, std::memory_order order) noexcept override;
  void store(const void* word, std::uint64_t newest, std::uint64_t value,
             std::memory_order order) noexcept override;
  void change(const void* word, std::uint64_t newest, std::uint64_t value,
              std::memory_order order) noexcept override;
  std::uint64_t compare(const void* word, std::uint64_t newest, std::uint64_t expected,
                        std::memory_order failure) noexcept override;
  void fence(detail::Access kind) noexcept override;

 private:
  struct Store {
    std::uint64_t value;
    Knowledge released;      // what a flow knows that acquires from it
    Clock accessed;          // when each flow has accessed it first
    Clock seq_cst_accessed;  // and when by a sequentially consistent access
  };
  struct Word {
    static constexpr std::size_t kStores = 8;
    std::array<Store, kStores> stores;
    std::size_t count = 0;  // of all stores, of which the last few are kept
    PlainAccess constructed;
    Clock used;  // when each flow has accessed it last

    std::size_t oldest() const noexcept { return count > kStores ? count - kStores : 0; }
    Store& operator[](std::size_t number) noexcept { return stores[number % kStores]; }
    Store& newest() noexcept { return (*this)[count - 1]; }
  };
  struct Flow {
    Knowledge known;
    Knowledge acquired_by_fence;  // what relaxed loads have read, for the next fence
    Knowledge released_by_fence;  // what relaxed stores hand over: what was known at the last fence
  };

  // The running flow makes an access to the word.
  struct Access {
    std::size_t number;  // of the flow
    Flow& flow;
    std::uint32_t time;
    Word& word;
    std::memory_order order;
  };
  Access access(const void* word, std::uint64_t newest, std::memory_order order);
  std::size_t running_flow() const;
  std::uint32_t tick(std::size_t flow) noexcept { return ++flows_[flow].known.happened[flow]; }
  Word& make_word(const void* word, std::uint64_t value);
  std::memory_order weakened(const void* word, std::memory_order order) const noexcept;
  bool knows(const Access& access, const Store& store) const noexcept;
  std::size_t oldest_for(const Access& access) const noexcept;
  void see(const Access& access, Store& store) noexcept;
  void read(const Access& access, Store& store) noexcept;
  void append(const Access& access, std::uint64_t value, bool continues) noexcept;
  void fail_for(const char* what, const PlainAccess& one, const char* first, const PlainAccess& other,
                const char* second);

  static constinit WeakMemory* running_;

  Scheduler& scheduler_;
  std::array<Flow, Clock::kFlows + 1> flows_;
  std::unordered_map<const void*, Word*> words_;
  std::vector<std::unique_ptr<Word>> pool_;  // kept for the next schedule; the first `used_` are in `words_`
  std::size_t used_ = 0;
  Knowledge of_parts_;
  // Of S: what happens before a full, light or heavy fence, and when each flow made a sequentially consistent
  // access last.
  Clock before_full_fences_;
  Clock before_light_fences_;
  Clock before_heavy_fences_;
  Clock seq_cst_accesses_;
  struct Weakened {
    std::uintptr_t begin;
    std::uintptr_t end;
    std::memory_order from;
    std::memory_order to;
  };
  std::vector<Weakened> weakened_;
};

}  // namespace tg::inline v0::sim
