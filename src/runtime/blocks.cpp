// SPDX-License-Identifier: Apache-2.0
// Blocks: each flow's own, and the depot through which whole batches travel.
//
// Invariants
//   B1. A free block is in exactly one batch, or alone in the depot, or was never used and is part of the
//       rest of a page.
//   B2. A cache has at most two batches of each size, and a batch of blocks that changes hands is full.
//       (Alone are those that come from a thread without a cache, or for which there was no batch.)
#include <threadgroup/detail/blocks.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <utility>

#include <threadgroup/detail/mutex.hpp>

#include "base/cache_line.hpp"
#include "base/sanitizers.hpp"
#include "runtime/engine.hpp"
#include "runtime/flow.hpp"
#include "runtime/fork.hpp"

namespace tg::inline v0::runtime {

namespace {

// A sanitizer is to see each object's life; and in a simulation what an earlier schedule has left must not
// matter.
constexpr bool kKeep = !TG_ADDRESS_SANITIZER && !TG_THREAD_SANITIZER && !TG_MEMORY_SANITIZER && !kIsExplored;

constexpr std::size_t kStep = 8;  // a task's size is a multiple of it, and every step more would be waste
constexpr std::size_t kSmallest = 16;
constexpr std::size_t kSizes = kLargestBlock / kStep + 1;
constexpr std::size_t kBatchBytes = 4096;
// The blocks of a page are of one size. Two pages of the system's, for half as much is lost at the end.
constexpr std::size_t kPageBytes = 8192;
// So far ahead of their use blocks are fetched from the processor that wrote them last.
constexpr std::uint32_t kFetchedAhead = 8;
// Memory comes in chunks of pages, each a part of what there is.
constexpr std::size_t kFewestPages = 8;
constexpr std::size_t kMostPages = 64;
constexpr std::size_t kChunkPart = 8;
constexpr int kSinglesAtOnce = 8;

bool is_kept(std::size_t bytes) noexcept { return kKeep && bytes <= kLargestBlock; }
bool is_kept(std::size_t bytes, std::align_val_t alignment) noexcept {
  return is_kept(bytes) && static_cast<std::size_t>(alignment) <= tg::detail::kCacheLine;
}

std::size_t index_of(std::size_t bytes) noexcept { return (std::max(bytes, kSmallest) + kStep - 1) / kStep; }
std::uint32_t batch_of(std::size_t index) noexcept {
  return static_cast<std::uint32_t>(kBatchBytes / (index * kStep));
}

// A block, or a page, that is in no batch.
struct FreeBlock {
  FreeBlock* next;
};
static_assert(sizeof(FreeBlock) <= kSmallest);

// A stack of free blocks of one size. It holds their addresses, and the blocks are not linked: another
// processor wrote them last, and to fetch one only to learn where the next one is takes longer than to use
// it.
//
// The depot is a stack, too, so blocks are taken in the reverse of the order in which they were given back.
// Neighbours in memory remain neighbours in that order, which the processor foresees, wherever a batch ends.
// If each batch kept the order of its blocks instead, every batch would end within a run of neighbours and
// cut it in two, until none are left.
class Batch {
 public:
  static Batch* make(std::size_t index, void* memory) noexcept {
    return memory != nullptr ? ::new (memory) Batch(batch_of(index)) : nullptr;
  }
  static std::size_t bytes(std::size_t index) noexcept {
    return sizeof(Batch) + batch_of(index) * sizeof(void*);
  }

  bool empty() const noexcept { return count_ == 0; }
  bool full() const noexcept { return count_ == room_; }
  void push(void* block) noexcept { addresses()[count_++] = block; }
  void* pop() noexcept {
    void** const top = addresses() + --count_;
    if (count_ >= kFetchedAhead) tg::detail::prefetch_for_write(*(top - kFetchedAhead));
    return *top;
  }
  // For a flow that takes it over from another one: prefetches all of it.
  void fetch() noexcept {
    const auto* const end = reinterpret_cast<const std::byte*>(addresses() + room_);
    for (const auto* line = reinterpret_cast<const std::byte*>(this); line < end;
         line += tg::detail::kCacheLine) {
      tg::detail::prefetch_for_write(line);
    }
    tg::detail::prefetch_for_write(end - 1);  // a batch need not begin where a line does
  }

  Batch* next = nullptr;  // in the depot

 private:
  explicit Batch(std::uint32_t room) noexcept : room_(room) {}
  void** addresses() noexcept { return reinterpret_cast<void**>(this + 1); }

  std::uint32_t count_ = 0;
  const std::uint32_t room_;
};

}  // namespace

/// The batches that no flow has, and the memory that was in no batch yet.
class BlockDepot {
 public:
  static BlockDepot& instance() noexcept { return only_; }
  static void hold_across_forks() {
    runtime::hold_across_forks([]() -> tg::detail::Mutex& { return only_.mutex_; },
                               []() TG_NO_THREAD_SAFETY_ANALYSIS { only_.makers_ = 0; });
  }

  /// Puts a full batch in the place of this one, which is empty or null; or at least one block into it.
  void fill(std::size_t index, Batch*& batch) {
    {
      tg::detail::MutexLock lock(mutex_);
      if (full_[index] != nullptr) {
        if (batch != nullptr) put(empty_[index], *batch);
        batch = pop(full_[index]);
        return;
      }
      if (batch == nullptr) batch = pop(empty_[index]);
    }
    if (batch == nullptr) batch = Batch::make(index, ::operator new(Batch::bytes(index)));
    for (;;) {
      std::size_t pages_to_make = 0;
      {
        tg::detail::MutexLock lock(mutex_);
        // Each of them is fetched from elsewhere, and others wait for the lock.
        for (int i = 0; i < kSinglesAtOnce && single_[index] != nullptr && !batch->full(); ++i)
          batch->push(pop(single_[index]));
        if (batch->empty()) carve_locked(index, *batch);
        if (!batch->empty()) return;
        pages_to_make = begin_chunk_locked();
      }
      make_pages(pages_to_make);
    }
  }

  /// An empty batch for a full one or none; null if there is no memory, and then the full one is still the
  /// caller's.
  Batch* exchange_for_empty(std::size_t index, Batch* full) noexcept {
    Batch* empty = nullptr;
    {
      tg::detail::MutexLock lock(mutex_);
      empty = pop(empty_[index]);
    }
    if (empty == nullptr) empty = Batch::make(index, ::operator new(Batch::bytes(index), std::nothrow));
    if (empty == nullptr || full == nullptr) return empty;
    tg::detail::MutexLock lock(mutex_);
    put(full_[index], *full);
    return empty;
  }

  void give_one(std::size_t index, void* block) noexcept {
    tg::detail::MutexLock lock(mutex_);
    single_[index] = ::new (block) FreeBlock{single_[index]};
  }

 private:
  constexpr BlockDepot() = default;
  static BlockDepot only_;  // there from the start and never destroyed: blocks outlive static objects

  template <class Entry>
  static void put(Entry*& list, Entry& entry) noexcept {
    entry.next = list;
    list = &entry;
  }
  template <class Entry>
  static Entry* pop(Entry*& list) noexcept {
    Entry* const entry = list;
    if (entry != nullptr) list = entry->next;
    return entry;
  }

  // Blocks that were never used, if there are any, in the order of their addresses: the first is on top.
  void carve_locked(std::size_t index, Batch& batch) noexcept TG_REQUIRES(mutex_) {
    const std::size_t size = index * kStep;
    Rest& rest = rests_[index];
    if (rest.count == 0) {
      rest.begin = reinterpret_cast<std::byte*>(pop(pages_));
      if (rest.begin == nullptr) return;
      rest.count = kPageBytes / size;
    }
    const std::size_t count = std::min<std::size_t>(rest.count, batch_of(index));
    for (std::size_t i = count; i-- > 0;) batch.push(rest.begin + i * size);
    rest.begin += count * size;
    rest.count -= count;
  }

  // Of those who find at the same moment that there is no page, one makes a large chunk.
  std::size_t begin_chunk_locked() noexcept TG_REQUIRES(mutex_) {
    return makers_++ == 0 ? std::clamp(pages_made_ / kChunkPart, kFewestPages, kMostPages) : kFewestPages;
  }

  // Several at once, and all of them touched by the system before we do: to be interrupted at the first touch
  // of each page costs more than the page.
  void make_pages(std::size_t count) {
    std::byte* chunk = map_pages(count);
    if (chunk == nullptr && count > kFewestPages) {
      count = kFewestPages;
      chunk = map_pages(count);
    }
    tg::detail::MutexLock lock(mutex_);
    --makers_;
    if (chunk == nullptr) throw std::bad_alloc();
    pages_made_ += count;
    for (std::size_t i = count; i-- > 0;)
      pages_ = ::new (static_cast<void*>(chunk + i * kPageBytes)) FreeBlock{pages_};
  }
  // From the system and not from the heap, which takes one page more to line a chunk up with pages.
  static std::byte* map_pages(std::size_t count) noexcept {
    void* const chunk = ::mmap(nullptr, count * kPageBytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return chunk != MAP_FAILED ? static_cast<std::byte*>(chunk) : nullptr;
  }

  struct Rest {
    std::byte* begin = nullptr;
    std::size_t count = 0;  // of blocks
  };

  tg::detail::Mutex mutex_;
  std::array<Rest, kSizes> rests_ TG_GUARDED_BY(mutex_) = {};
  std::array<Batch*, kSizes> full_ TG_GUARDED_BY(mutex_) = {};
  std::array<Batch*, kSizes> empty_ TG_GUARDED_BY(mutex_) = {};
  std::array<FreeBlock*, kSizes> single_ TG_GUARDED_BY(mutex_) = {};
  FreeBlock* pages_ TG_GUARDED_BY(mutex_) = nullptr;  // of no size yet
  std::size_t pages_made_ TG_GUARDED_BY(mutex_) = 0;
  int makers_ TG_GUARDED_BY(mutex_) = 0;  // of chunks, right now
};

constinit BlockDepot BlockDepot::only_;

namespace {
[[gnu::constructor(at_load::kBlocks)]] void hold_blocks() { BlockDepot::hold_across_forks(); }
}  // namespace

namespace {
void throw_if_engine_refuses() {
  Engine* const engine = Engine::of_caller();
  if (engine != nullptr && !engine->has_memory()) throw std::bad_alloc();
}
}  // namespace

/// The blocks that one flow keeps. Only that flow touches it.
class BlockCache {
 public:
  /// The calling flow's; null if it has not had a block yet.
  static BlockCache* of_flow_if_any() noexcept {
    const Flow* const flow = Flow::current_if_any();
    return flow != nullptr ? flow->blocks_ : nullptr;
  }
  /// The calling flow's. Throws `std::bad_alloc`.
  static BlockCache& of_flow() { return of(Flow::current()); }
  /// The same for a flow that takes a block. Throws `std::bad_alloc` also if the flow's engine refuses it.
  static BlockCache& of_flow_that_takes() {
    Flow& flow = Flow::current();
    if (flow.blocks_ == nullptr) [[unlikely]]
      throw_if_engine_refuses();
    return of(flow);
  }
  static BlockCache& of(Flow& flow) {
    if (flow.blocks_ == nullptr) [[unlikely]] {
      // The flows of an engine share the cache of their thread: none of them switches while it uses the
      // cache.
      if (const Engine* const engine = flow.engine()) return of(engine->home());
      flow.blocks_ = new BlockCache;
    }
    return *flow.blocks_;
  }

  /// Null if the current batch is empty.
  void* try_take(std::size_t index) noexcept {
    Batch* const batch = shelves_[index].batch;
    return batch != nullptr && !batch->empty() ? batch->pop() : nullptr;
  }
  void* take(std::size_t index) {
    if (void* const block = try_take(index)) return block;
    fill(shelves_[index], index);
    return shelves_[index].batch->pop();
  }

  /// False if there is no room in the current batch.
  bool try_give(std::size_t index, void* block) noexcept {
    Batch* const batch = shelves_[index].batch;
    if (batch == nullptr || batch->full()) return false;
    batch->push(block);
    return true;
  }
  void give(std::size_t index, void* block) noexcept {
    if (try_give(index, block)) return;
    Shelf& shelf = shelves_[index];
    if (!make_room(shelf, index)) return BlockDepot::instance().give_one(index, block);
    shelf.batch->push(block);
  }

 private:
  struct Shelf {
    Batch* batch = nullptr;
    Batch* other = nullptr;  // empty or full: for the case that the flow takes as well as it gives
  };

  static void fill(Shelf& shelf, std::size_t index) {
    if (shelf.other != nullptr && shelf.other->full()) return std::swap(shelf.batch, shelf.other);
    BlockDepot::instance().fill(index, shelf.batch);
    shelf.batch->fetch();
  }
  static bool make_room(Shelf& shelf, std::size_t index) noexcept {
    if (shelf.other != nullptr && shelf.other->empty()) {
      std::swap(shelf.batch, shelf.other);
      return true;
    }
    Batch* const empty = BlockDepot::instance().exchange_for_empty(index, shelf.other);
    if (empty == nullptr) return false;
    empty->fetch();
    shelf.other = std::exchange(shelf.batch, empty);
    return true;
  }

  std::array<Shelf, kSizes> shelves_;
};

namespace {

// Not inline: `take_block` and `give_block` would save registers that only these two need.
[[gnu::noinline]] void* take_slow(std::size_t bytes) {
  if (is_kept(bytes)) return BlockCache::of_flow_that_takes().take(index_of(bytes));
  if constexpr (!kKeep) throw_if_engine_refuses();
  return ::operator new(bytes);
}

[[gnu::noinline]] void give_slow(void* block, std::size_t bytes) noexcept {
  if (!is_kept(bytes)) return ::operator delete(block);
  // A thread that only gives back is not made a flow for it.
  if (Flow::current_if_any() != nullptr) {
    try {
      return BlockCache::of_flow().give(index_of(bytes), block);
    } catch (const std::bad_alloc&) {
    }
  }
  BlockDepot::instance().give_one(index_of(bytes), block);
}

}  // namespace

void* take_block(std::size_t bytes) {
  BlockCache* const cache = is_kept(bytes) ? BlockCache::of_flow_if_any() : nullptr;
  void* const block = cache != nullptr ? cache->try_take(index_of(bytes)) : nullptr;
  return block != nullptr ? block : take_slow(bytes);
}

void give_block(void* block, std::size_t bytes) noexcept {
  BlockCache* const cache = is_kept(bytes) ? BlockCache::of_flow_if_any() : nullptr;
  if (cache == nullptr || !cache->try_give(index_of(bytes), block)) [[unlikely]]
    give_slow(block, bytes);
}

void* take_block(std::size_t bytes, std::align_val_t alignment) {
  return is_kept(bytes, alignment) ? take_block(bytes) : ::operator new(bytes, alignment);
}

void give_block(void* block, std::size_t bytes, std::align_val_t alignment) noexcept {
  is_kept(bytes, alignment) ? give_block(block, bytes) : ::operator delete(block, alignment);
}

}  // namespace tg::inline v0::runtime
