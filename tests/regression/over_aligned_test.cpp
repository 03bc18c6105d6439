// SPDX-License-Identifier: Apache-2.0
// A task whose callable is over-aligned and cannot be copied gives its memory back.
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include <threadgroup/threadgroup.hpp>

#include "base/cache_line.hpp"
#include "base/sanitizers.hpp"

namespace tg {
namespace over_aligned_test {
namespace {

struct alignas(detail::kCacheLine) CannotBeCopied {
  CannotBeCopied() = default;
  CannotBeCopied(const CannotBeCopied&) {
    places->insert(this);
    throw std::runtime_error("no copy");
  }
  void operator()() const {}

  static std::set<const void*>* places;  // where copies were tried
};
std::set<const void*>* CannotBeCopied::places = nullptr;

// Memory that was given back is the first to be taken again. (A sanitizer keeps it, and reports what leaks.)
template <class Add>
void expect_same_memory_again(Add add) {
  std::set<const void*> places;
  CannotBeCopied::places = &places;
  const CannotBeCopied callable;
  for (int i = 0; i < 3; ++i) EXPECT_THROW(add(callable), std::runtime_error);
  if (TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER) return;
  EXPECT_EQ(places.size(), 1u);
}

TEST(OverAlignedTask, gives_its_memory_back_if_it_cannot_be_copied) {
  ThreadGroup group("Jobs");
  expect_same_memory_again([&](const CannotBeCopied& f) { group.post(f); });
  expect_same_memory_again([&](const CannotBeCopied& f) { static_cast<void>(group.add_task(f)); });
  expect_same_memory_again(
      [&](const CannotBeCopied& f) { static_cast<void>(group.add_task(TaskName("named"), f)); });
}

}  // namespace
}  // namespace over_aligned_test
}  // namespace tg
