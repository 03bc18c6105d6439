// SPDX-License-Identifier: Apache-2.0
// Memory for small objects that are made on one flow and destroyed on another, again and again.
#pragma once

#include <cstddef>
#include <new>

namespace tg::runtime {

/// The largest block that is kept for reuse; larger ones come from the heap.
constexpr std::size_t kLargestBlock = 512;

/// A block of that many bytes, aligned for any type of that size that is not over-aligned, or over-aligned to
/// a cache line. Throws `std::bad_alloc`.
///
/// Each flow keeps what was given back on it, by size, and hands whole batches on to the others once it has
/// two. This is the scheme of J. Bonwick and J. Adams, "Magazines and Vmem" (2001), section 3, with batches
/// as magazines. A general allocator returns each block to the thread that took it, at the price of a
/// synchronisation for each; here it is one lock or two for a batch. Blocks have no headers. To give one back
/// may take memory for the batch; where there is none the block is kept without.
///
/// Thread safety: from any thread; a block may be given back on another one.
/// Lifetime: the memory is not given back to the heap, only reused; a flow keeps up to 8 KB of each size for
/// the next owner of the flow. Under AddressSanitizer and ThreadSanitizer each block comes from the heap, so
/// that these see each object's life.
void* take_block(std::size_t bytes);
/// Takes the block back, of the size that was asked for.
void give_block(void* block, std::size_t bytes) noexcept;
/// The same for objects that are over-aligned, perhaps beyond a cache line.
/// Requires: the size is a multiple of the alignment, as that of any type is.
void* take_block(std::size_t bytes, std::align_val_t alignment);
void give_block(void* block, std::size_t bytes, std::align_val_t alignment) noexcept;

/// False where each block comes from the heap. For tests.
bool blocks_are_kept() noexcept;

/// A base for classes whose objects live in blocks.
class InBlock {
 public:
  static void* operator new(std::size_t bytes) { return take_block(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { give_block(block, bytes); }
  static void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return take_block(bytes, alignment);
  }
  static void operator delete(void* block, std::size_t bytes, std::align_val_t alignment) noexcept {
    give_block(block, bytes, alignment);
  }
};

}  // namespace tg::runtime
