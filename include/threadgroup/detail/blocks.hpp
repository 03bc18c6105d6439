// SPDX-License-Identifier: Apache-2.0
// Memory for small objects that are often made on one flow and destroyed on another.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::runtime {

/// The largest block that is kept for reuse; larger ones come from the heap.
constexpr std::size_t kLargestBlock = 512;

/// Allocates a block of that many bytes, aligned for any type of that size that is not over-aligned, or
/// over-aligned to a cache line. Throws `std::bad_alloc`.
///
/// Each flow keeps the blocks that are freed on it, by size. When it has two batches of a size, it passes one
/// to a depot that all flows share. This is the scheme of J. Bonwick and J. Adams, "Magazines and Vmem"
/// (2001), section 3, with batches as magazines. A general allocator returns each block to the thread that
/// allocated it, and synchronises for each; here a batch costs one lock or two. Blocks have no headers.
/// Freeing a block may allocate memory for a batch; if that fails, the block is kept without a batch.
///
/// Thread safety: from any thread; a block may be freed on another thread than it was allocated on.
/// Lifetime: the memory is not returned to the heap, only reused; a flow keeps up to 8 KB of each size for
/// the next owner of the flow. Under AddressSanitizer and ThreadSanitizer each block comes from the heap, so
/// that they see the lifetime of each object.
TG_EXPORT void* take_block(std::size_t bytes);
/// Frees a block. `size` is the one that was requested.
TG_EXPORT void give_block(void* block, std::size_t bytes) noexcept;
/// The same for objects that are over-aligned, perhaps beyond a cache line.
/// Requires: the size is a multiple of the alignment, as it is for every type.
TG_EXPORT void* take_block(std::size_t bytes, std::align_val_t alignment);
TG_EXPORT void give_block(void* block, std::size_t bytes, std::align_val_t alignment) noexcept;

/// A base for classes whose objects live in blocks.
class InBlock {
 public:
  /// `new T(args...)`, also for a `T` that is over-aligned and may throw: compilers give the memory of such an
  /// object back only by an `operator delete` that takes no size.
  template <class T, class... Args>
  static T* make(Args&&... args) {
    if constexpr (alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
      return new T(std::forward<Args>(args)...);
    } else {
      void* const memory = operator new(sizeof(T), std::align_val_t(alignof(T)));
      try {
        return ::new (memory) T(std::forward<Args>(args)...);
      } catch (...) {
        operator delete(memory, sizeof(T), std::align_val_t(alignof(T)));
        throw;
      }
    }
  }

  static void* operator new(std::size_t bytes) { return take_block(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { give_block(block, bytes); }
  static void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return take_block(bytes, alignment);
  }
  static void operator delete(void* block, std::size_t bytes, std::align_val_t alignment) noexcept {
    give_block(block, bytes, alignment);
  }
};

}  // namespace tg::inline v0::runtime
