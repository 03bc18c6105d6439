// SPDX-License-Identifier: Apache-2.0
// Blocks: each flow's own, and the depot through which whole batches travel.
//
// Invariants
//   B1. A free block is in exactly one list: of a flow's cache, or of the depot.
//   B2. A cache holds less than two batches of each size, and a batch that changes hands is full. (Blocks
//       that come from a thread without a cache stand alone in the depot.)
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <tuple>
#include <utility>

#include <threadgroup/base/mutex.hpp>
#include <threadgroup/runtime/blocks.hpp>
#include <threadgroup/runtime/flow.hpp>
#include <threadgroup/runtime/fork.hpp>

namespace tg::runtime {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kKeep = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
constexpr bool kKeep = false;
#else
constexpr bool kKeep = true;
#endif
#else
constexpr bool kKeep = true;
#endif

constexpr std::size_t kStep = 8;  // a task's size is a multiple of it, and every step more would be waste
constexpr std::size_t kSmallest = 16;
constexpr std::size_t kSizes = kLargestBlock / kStep + 1;
constexpr std::size_t kBatchBytes = 4096;
// Memory comes in chunks, each a part of what there is: to line one up with pages costs one more page.
constexpr std::size_t kFewestPages = 16;
constexpr std::size_t kMostPages = 128;
constexpr std::size_t kChunkPart = 8;

struct FreeBlock {
  FreeBlock* next;
  FreeBlock* next_batch;  // of the first block of a batch in the depot
};
static_assert(sizeof(FreeBlock) <= kSmallest);

std::size_t index_of(std::size_t bytes) noexcept { return (std::max(bytes, kSmallest) + kStep - 1) / kStep; }
std::uint32_t batch_of(std::size_t index) noexcept {
  return static_cast<std::uint32_t>(kBatchBytes / (index * kStep));
}

}  // namespace

/// The batches that no flow has, and the memory that was in no batch yet.
class BlockDepot {
 public:
  static BlockDepot& instance() {
    static BlockDepot* const depot = new BlockDepot;  // never destroyed: blocks outlive static objects
    return *depot;
  }

  /// A list of at least one block, and how many there are.
  std::pair<FreeBlock*, std::uint32_t> take_batch(std::size_t index) {
    void* page = nullptr;
    std::size_t pages_to_make = 0;
    {
      tg::detail::MutexLock lock(mutex_);
      if (FreeBlock* const batch = batches_[index]) {
        batches_[index] = batch->next_batch;
        return {batch, batch_of(index)};
      }
      if (FreeBlock* const block = single_[index]) {
        single_[index] = block->next;
        block->next = nullptr;
        return {block, 1};
      }
      page = pop_page_locked();
      if (page == nullptr) pages_to_make = begin_chunk_locked();
    }
    auto* const bytes = static_cast<std::byte*>(page != nullptr ? page : make_pages(pages_to_make));
    // In the order of their addresses, for the processor foresees such accesses.
    const std::size_t size = index * kStep;
    const std::uint32_t count = batch_of(index);
    FreeBlock* first = nullptr;
    for (std::size_t i = count; i-- > 0;)
      first = ::new (static_cast<void*>(bytes + i * size)) FreeBlock{first, nullptr};
    return {first, count};
  }

  void give_batch(std::size_t index, FreeBlock* batch) noexcept {
    tg::detail::MutexLock lock(mutex_);
    batch->next_batch = batches_[index];
    batches_[index] = batch;
  }

  void give_one(std::size_t index, FreeBlock* block) noexcept {
    tg::detail::MutexLock lock(mutex_);
    block->next = single_[index];
    single_[index] = block;
  }

 private:
  BlockDepot() {
    hold_across_forks([]() -> tg::detail::Mutex& { return instance().mutex_; });
  }

  void* pop_page_locked() noexcept TG_REQUIRES(mutex_) {
    FreeBlock* const page = pages_;
    if (page != nullptr) pages_ = page->next;
    return page;
  }

  // Of those who find at the same moment that there is no page, one makes a large chunk.
  std::size_t begin_chunk_locked() noexcept TG_REQUIRES(mutex_) {
    return makers_++ == 0 ? std::clamp(pages_made_ / kChunkPart, kFewestPages, kMostPages) : kFewestPages;
  }

  // Several at once, and all of them touched by the system before we do: to be interrupted at the first touch
  // of each page costs more than the page.
  void* make_pages(std::size_t count) {
    std::byte* chunk = allocate_pages(count);
    if (chunk == nullptr && count > kFewestPages) {
      count = kFewestPages;
      chunk = allocate_pages(count);
    }
#ifdef MADV_POPULATE_WRITE
    // Kernels before 5.14 do not know it.
    if (chunk != nullptr) static_cast<void>(::madvise(chunk, count * kBatchBytes, MADV_POPULATE_WRITE));
#endif
    tg::detail::MutexLock lock(mutex_);
    --makers_;
    if (chunk == nullptr) throw std::bad_alloc();
    pages_made_ += count;
    for (std::size_t i = count; i-- > 1;)
      pages_ = ::new (static_cast<void*>(chunk + i * kBatchBytes)) FreeBlock{pages_, nullptr};
    return chunk;
  }
  static std::byte* allocate_pages(std::size_t count) noexcept {
    return static_cast<std::byte*>(
        ::operator new(count* kBatchBytes, std::align_val_t(kBatchBytes), std::nothrow));
  }

  tg::detail::Mutex mutex_;
  std::array<FreeBlock*, kSizes> batches_ TG_GUARDED_BY(mutex_) = {};
  std::array<FreeBlock*, kSizes> single_ TG_GUARDED_BY(mutex_) = {};
  FreeBlock* pages_ TG_GUARDED_BY(mutex_) = nullptr;  // in no batch yet
  std::size_t pages_made_ TG_GUARDED_BY(mutex_) = 0;
  int makers_ TG_GUARDED_BY(mutex_) = 0;  // of chunks, right now
};

/// The blocks that one flow keeps. Only that flow touches it.
class BlockCache {
 public:
  /// The calling flow's. Throws `std::bad_alloc`.
  static BlockCache& of_flow() {
    Flow& flow = Flow::current();
    if (flow.blocks_ == nullptr) [[unlikely]] {
      flow.blocks_ = new BlockCache;
    }
    return *flow.blocks_;
  }

  void* take(std::size_t index) {
    Shelf& shelf = shelves_[index];
    if (shelf.first == nullptr) [[unlikely]] {
      if (shelf.spare != nullptr) {
        shelf.first = std::exchange(shelf.spare, nullptr);
        shelf.count = batch_of(index);
      } else {
        std::tie(shelf.first, shelf.count) = BlockDepot::instance().take_batch(index);
      }
    }
    FreeBlock* const block = shelf.first;
    shelf.first = block->next;
    --shelf.count;
    return block;
  }

  void give(std::size_t index, void* memory) noexcept {
    Shelf& shelf = shelves_[index];
    shelf.first = ::new (memory) FreeBlock{shelf.first, nullptr};
    if (++shelf.count < batch_of(index)) [[likely]]
      return;
    // A full one stays here for the case that the flow takes as well as it gives.
    if (shelf.spare != nullptr) BlockDepot::instance().give_batch(index, shelf.spare);
    shelf.spare = std::exchange(shelf.first, nullptr);
    shelf.count = 0;
  }

 private:
  struct Shelf {
    FreeBlock* first = nullptr;
    FreeBlock* spare = nullptr;  // a full batch
    std::uint32_t count = 0;     // of those in `first`
  };
  std::array<Shelf, kSizes> shelves_;
};

bool blocks_are_kept() noexcept { return kKeep; }

void prepare_blocks() { BlockDepot::instance(); }

void* take_block(std::size_t bytes) {
  if (!kKeep || bytes > kLargestBlock) return ::operator new(bytes);
  return BlockCache::of_flow().take(index_of(bytes));
}

void give_block(void* block, std::size_t bytes) noexcept {
  if (!kKeep || bytes > kLargestBlock) return ::operator delete(block);
  // A thread that only gives back is not made a flow for it.
  if (Flow::current_if_any() != nullptr) {
    try {
      return BlockCache::of_flow().give(index_of(bytes), block);
    } catch (const std::bad_alloc&) {
    }
  }
  BlockDepot::instance().give_one(index_of(bytes), ::new (block) FreeBlock{nullptr, nullptr});
}

}  // namespace tg::runtime
