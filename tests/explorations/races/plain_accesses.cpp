// SPDX-License-Identifier: Apache-2.0
// The calls that g++ inserts with -fsanitize=thread, answered by the weak memory of the running schedule: each
// byte of plain memory is a `Plain` cell.
#include <link.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <unordered_map>
#include <vector>

#include <threadgroup/detail/atomic.hpp>

#include "sim/memory_model.hpp"

namespace {

using tg::sim::WeakMemory;

// Eight bytes, as long as they are of the running schedule.
struct Cells {
  std::uint64_t schedule = 0;
  std::array<WeakMemory::PlainAccesses, 8> bytes;
};
using Shadow = std::unordered_map<std::uintptr_t, std::unique_ptr<Cells>>;

Shadow& shadow() {
  static auto* const all = new Shadow;
  return *all;
}

// The code that watches is not watched itself.
bool is_watching = false;
class Watching {
 public:
  Watching() : memory_(is_watching ? nullptr : WeakMemory::running()) {
    if (memory_ != nullptr) is_watching = true;
  }
  ~Watching() {
    if (memory_ != nullptr) is_watching = false;
  }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;
  WeakMemory* memory() const { return memory_; }

 private:
  WeakMemory* const memory_;
};

struct Range {
  std::uintptr_t begin;
  std::uintptr_t end;
};

// Thread-local variables are of the one thread, and the scheduler exchanges those of the flows.
std::vector<Range> find_thread_locals() {
  std::vector<Range> ranges;
  ::dl_iterate_phdr(
      [](dl_phdr_info* module, std::size_t, void* raw) {
        for (int i = 0; i < module->dlpi_phnum; ++i) {
          if (module->dlpi_phdr[i].p_type != PT_TLS || module->dlpi_tls_data == nullptr) continue;
          const auto begin = reinterpret_cast<std::uintptr_t>(module->dlpi_tls_data);
          static_cast<std::vector<Range>*>(raw)->push_back({begin, begin + module->dlpi_phdr[i].p_memsz});
        }
        return 0;
      },
      &ranges);
  return ranges;
}
bool is_thread_local_address(std::uintptr_t address) {
  static const auto* const ranges = new std::vector<Range>(find_thread_locals());
  return std::any_of(ranges->begin(), ranges->end(),
                     [address](const Range& range) { return address >= range.begin && address < range.end; });
}

bool is_of_trace(std::uintptr_t address) {
  const auto values = reinterpret_cast<std::uintptr_t>(tg::detail::seen_values);
  return address >= values && address < values + sizeof *tg::detail::seen_values;
}

enum class Kind { read, write };

void access(const void* memory, std::size_t size, Kind kind, const void* place) {
  const Watching watching;
  WeakMemory* const model = watching.memory();
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  if (model == nullptr || is_thread_local_address(begin) || is_of_trace(begin) || model->is_word(memory))
    return;
  for (std::uintptr_t at = begin; at < begin + size; ++at) {
    std::unique_ptr<Cells>& cells = shadow()[at / 8];
    if (cells == nullptr) cells = std::make_unique<Cells>();
    if (cells->schedule != model->schedule()) {
      *cells = {};
      cells->schedule = model->schedule();
    }
    WeakMemory::PlainAccesses& before = cells->bytes[at % 8];
    kind == Kind::read ? model->read_plain(before, place) : model->write_plain(before, place);
  }
}

// Memory that the heap gives out: what was done with it before counts as ordered before.
void* begin_memory(void* memory) {
  const Watching watching;
  if (watching.memory() == nullptr || memory == nullptr) return memory;
  const std::size_t bytes = ::malloc_usable_size(memory);
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  for (std::uintptr_t eight = begin / 8; eight <= (begin + bytes - 1) / 8; ++eight) {
    if (const auto found = shadow().find(eight); found != shadow().end()) found->second->schedule = 0;
  }
  watching.memory()->forget_words(memory, bytes);
  return memory;
}

// An atomic of the standard library, such as the count of a `std::shared_ptr`. It reads what is newest.
template <class T, class Change>
T change(volatile T* word, int order, Change new_value) {
  const T old = *word;
  const T value = new_value(old);
  const Watching watching;
  if (watching.memory() != nullptr) {
    watching.memory()->change(const_cast<T*>(word), static_cast<std::uint64_t>(old),
                              static_cast<std::uint64_t>(value), static_cast<std::memory_order>(order));
  }
  *word = value;
  return old;
}

template <class T>
int compare_exchange(volatile T* word, T* expected, T value, int order) {
  const T wanted = *expected;
  *expected = change(word, order, [&](T old) { return old == wanted ? value : old; });
  return *expected == wanted ? 1 : 0;
}

void* allocated(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return begin_memory(memory);
}
// Not inlined: g++ would say that `free` does not fit `new`.
[[gnu::noinline]] void give_back(void* memory) { std::free(memory); }
std::size_t rounded(std::size_t bytes, std::align_val_t alignment) {
  const auto to = static_cast<std::size_t>(alignment);
  return (bytes + to - 1) / to * to;
}

}  // namespace

// Within the calling code.
#define TG_HERE (static_cast<const char*>(__builtin_return_address(0)) - 1)
#define TG_ACCESS(name, bytes)                                                                   \
  void __tsan_read##name(void* memory) { access(memory, bytes, Kind::read, TG_HERE); }           \
  void __tsan_write##name(void* memory) { access(memory, bytes, Kind::write, TG_HERE); }         \
  void __tsan_unaligned_read##name(void* memory) { access(memory, bytes, Kind::read, TG_HERE); } \
  void __tsan_unaligned_write##name(void* memory) { access(memory, bytes, Kind::write, TG_HERE); }
#define TG_ATOMIC(bits, T)                                                                                  \
  T __tsan_atomic##bits##_load(const volatile T* word, int order) {                                         \
    return change(const_cast<volatile T*>(word), order, [](T old) { return old; });                         \
  }                                                                                                         \
  void __tsan_atomic##bits##_store(volatile T* word, T value, int order) {                                  \
    change(word, order, [&](T) { return value; });                                                          \
  }                                                                                                         \
  T __tsan_atomic##bits##_exchange(volatile T* word, T value, int order) {                                  \
    return change(word, order, [&](T) { return value; });                                                   \
  }                                                                                                         \
  T __tsan_atomic##bits##_fetch_add(volatile T* word, T n, int order) {                                     \
    return change(word, order, [&](T old) { return static_cast<T>(old + n); });                             \
  }                                                                                                         \
  T __tsan_atomic##bits##_fetch_sub(volatile T* word, T n, int order) {                                     \
    return change(word, order, [&](T old) { return static_cast<T>(old - n); });                             \
  }                                                                                                         \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* word, T* expected, T value, int order,      \
                                                    int) {                                                  \
    return compare_exchange(word, expected, value, order);                                                  \
  }                                                                                                         \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile T* word, T* expected, T value, int order, int) { \
    return compare_exchange(word, expected, value, order);                                                  \
  }

// NOLINTBEGIN(bugprone-reserved-identifier): the compiler's names
extern "C" {
TG_ACCESS(1, 1)
TG_ACCESS(2, 2)
TG_ACCESS(4, 4)
TG_ACCESS(8, 8)
TG_ACCESS(16, 16)
TG_ATOMIC(8, std::int8_t)
TG_ATOMIC(32, std::int32_t)
TG_ATOMIC(64, std::int64_t)
void __tsan_read_range(void* memory, std::size_t bytes) { access(memory, bytes, Kind::read, TG_HERE); }
void __tsan_write_range(void* memory, std::size_t bytes) { access(memory, bytes, Kind::write, TG_HERE); }
void __tsan_vptr_read(void** table) { access(table, sizeof *table, Kind::read, TG_HERE); }
void __tsan_vptr_update(void** table, void*) { access(table, sizeof *table, Kind::write, TG_HERE); }
void __tsan_init() {}
void __tsan_atomic_signal_fence(int) {}
void __tsan_atomic_thread_fence(int) {}  // `full_fence` has told the simulator
}
// NOLINTEND(bugprone-reserved-identifier)

void* operator new(std::size_t bytes) { return allocated(std::malloc(bytes)); }
void* operator new[](std::size_t bytes) { return allocated(std::malloc(bytes)); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return begin_memory(std::malloc(bytes));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocated(std::aligned_alloc(static_cast<std::size_t>(alignment), rounded(bytes, alignment)));
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }
