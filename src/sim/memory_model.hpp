// SPDX-License-Identifier: Apache-2.0
// Weak memory: what a flow may read depends on what it knows, and that on the orders of all accesses.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <threadgroup/detail/atomic.hpp>

namespace tg::inline v0::sim {

class Explorer;

/// For each flow, up to which of its accesses something is known. Flows count their accesses from 1, and have
/// numbers from 1 on.
class Clock {
 public:
  static constexpr std::size_t kFlows = 16;

  std::int32_t& operator[](std::size_t flow) noexcept { return times_[flow - 1]; }
  std::int32_t operator[](std::size_t flow) const noexcept { return times_[flow - 1]; }
  void join(const Clock& other) noexcept {
    for (std::size_t i = 0; i < kFlows; i += kAtOnce) {
      const Times mine = load(i);
      const Times others = other.load(i);
      const Times is_later = mine > others;  // all bits, or none
      store(i, (mine & is_later) | (others & ~is_later));
    }
  }
  /// Whether `known` has any of these accesses: one, or none (0), of each flow.
  bool any_in(const Clock& known) const noexcept {
    Times any{};
    for (std::size_t i = 0; i < kFlows; i += kAtOnce) {
      const Times accesses = load(i);
      any |= (accesses != 0) & (accesses <= known.load(i));
    }
    return !is_zero(any);
  }
  /// Whether `known` has all of them.
  bool all_in(const Clock& known) const noexcept {
    Times missing{};
    for (std::size_t i = 0; i < kFlows; i += kAtOnce) missing |= load(i) > known.load(i);
    return is_zero(missing);
  }
  bool empty() const noexcept { return all_in({}); }

 private:
  // In vectors, because clocks take most of the time of a schedule.
  using Times [[gnu::vector_size(16)]] = std::int32_t;
  static constexpr std::size_t kAtOnce = 4;

  Times load(std::size_t first) const noexcept {
    Times times;
    std::memcpy(&times, &times_[first], sizeof times);
    return times;
  }
  void store(std::size_t first, Times times) noexcept { std::memcpy(&times_[first], &times, sizeof times); }
  static bool is_zero(Times times) noexcept {
    std::array<std::uint64_t, 2> halves;
    std::memcpy(&halves, &times, sizeof times);
    return (halves[0] | halves[1]) == 0;
  }

  std::array<std::int32_t, kFlows> times_{};
};

/// What a flow knows, and what it hands over when it releases.
struct Knowledge {
  bool is_empty = true;
  bool any_fenced = false;
  Clock happened;  // what happens before; undefined if it is empty
  // Of the order S, undefined unless `any_fenced`: what happens before a fence that precedes a fence that
  // happens before, and the sequentially consistent accesses that do so.
  Clock fenced;
  Clock fenced_seq_cst;

  void become(const Knowledge& other) noexcept {
    is_empty = other.is_empty;
    any_fenced = other.any_fenced;
    if (!is_empty) happened = other.happened;
    if (!any_fenced) return;
    fenced = other.fenced;
    fenced_seq_cst = other.fenced_seq_cst;
  }
  void join(const Knowledge& other) noexcept {
    if (other.is_empty) return;
    if (is_empty) return become(other);
    happened.join(other.happened);
    if (!other.any_fenced) return;
    begin_fences();
    fenced.join(other.fenced);
    fenced_seq_cst.join(other.fenced_seq_cst);
  }
  void begin_fences() noexcept {
    if (std::exchange(any_fenced, true)) return;
    fenced = {};
    fenced_seq_cst = {};
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
  explicit WeakMemory(Explorer& scheduler);
  ~WeakMemory();
  WeakMemory(const WeakMemory&) = delete;
  WeakMemory& operator=(const WeakMemory&) = delete;

  /// Of the running schedule; null if its memory is sequentially consistent.
  static WeakMemory* running() noexcept { return running_; }

  /// A new schedule, with this flow.
  void begin(std::size_t flow);
  void end() noexcept;
  void start(std::size_t parent, std::size_t child);
  /// The running flow has ended its part. The flow that waits for all parts then calls `join`.
  void part_ends() noexcept;
  void join() noexcept;
  /// From now on, accesses to words in this memory that ask for an order are made with another one.
  void weaken(const void* object, std::size_t bytes, std::memory_order from, std::memory_order to);

  /// The running flow uses this memory for something else: all accesses to words in it happen before.
  void reuse(const void* memory, std::size_t bytes);

  /// Plain data: a cell has the last accesses to it.
  struct PlainAccess {
    std::int32_t time = 0;  // 0: none
    std::uint32_t flow = 0;
    const void* place = nullptr;
  };
  struct PlainAccesses {
    PlainAccess write;
    // Of each flow, since the last write.
    Clock reads;
    std::array<const void*, Clock::kFlows> places_of_reads{};
  };
  void read_plain(PlainAccesses& before, const void* place);
  void write_plain(PlainAccesses& before, const void* place);
  /// For code that watches all accesses: the number of the schedule, whether there is a word at this address,
  /// and that the words in this memory are gone.
  std::uint64_t schedule() const noexcept { return schedule_; }
  bool is_word(const void* address) noexcept;
  void forget_words(const void* memory, std::size_t bytes) noexcept;

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
    bool any_seq_cst = false;

    // A new store.
    void become(std::uint64_t new_value) noexcept {
      value = new_value;
      accessed = {};
      seq_cst_accessed = {};
      any_seq_cst = false;
    }
  };
  struct Word {
    static constexpr std::size_t kStores = 8;
    std::array<Store, kStores> stores;
    const void* address = nullptr;
    bool is_gone = false;
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
    std::int32_t time;
    Word& word;
    std::memory_order order;
  };
  Access access(const void* word, std::uint64_t newest, std::memory_order order);
  std::size_t running_flow() const;
  Flow& flow_at(std::size_t number) noexcept { return flows_[number - 1]; }
  std::int32_t tick(std::size_t flow) noexcept { return ++flow_at(flow).known.happened[flow]; }
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

  Explorer& scheduler_;
  std::array<Flow, Clock::kFlows> flows_;
  // The words by their addresses: an entry is free unless it is of this schedule.
  struct Entry {
    const void* address = nullptr;
    Word* word = nullptr;
    std::uint64_t schedule = 0;
  };
  Entry& entry_of(const void* word) noexcept;
  Word* find(const void* word) noexcept;
  std::vector<Entry> words_;                 // at least twice as many as words; a power of two
  std::vector<std::unique_ptr<Word>> pool_;  // kept for the next schedule; the first `used_` are of this one
  std::size_t used_ = 0;
  std::uint64_t schedule_ = 0;
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
