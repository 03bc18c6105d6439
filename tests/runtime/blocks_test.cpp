// SPDX-License-Identifier: Apache-2.0
// Blocks: each is whole, aligned and has one owner, whichever flows take it and give it back.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <semaphore>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <threadgroup/detail/blocks.hpp>

#include "runtime/flow.hpp"
#include "support/blocks.hpp"
#include "support/in_child.hpp"

namespace tg::inline v0::runtime {
namespace blocks_test {
namespace {

TEST(Blocks, of_every_size_are_aligned_and_do_not_overlap) {
  for (std::size_t size = 1; size <= kLargestBlock + 64; ++size) {
    const std::size_t alignment = size % 16 == 0 ? 16 : 8;
    std::map<std::uintptr_t, void*> blocks;
    for (int i = 0; i < 20; ++i) {
      void* const block = take_block(size);
      const auto address = reinterpret_cast<std::uintptr_t>(block);
      EXPECT_EQ(address % alignment, 0U) << size;
      std::memset(block, i, size);
      blocks.emplace(address, block);
    }
    std::uintptr_t end = 0;
    for (const auto& [address, block] : blocks) {
      EXPECT_GE(address, end) << size;
      end = address + size;
    }
    for (const auto& [address, block] : blocks) give_block(block, size);
  }
}

TEST(Blocks, given_back_are_used_again) {
  // Far more in sum than at a time. If each were new, this would need a hundred megabytes.
  std::set<void*> seen;
  for (int i = 0; i < 1'000'000; ++i) {
    void* const block = take_block(100);
    if (i % 1000 == 0) seen.insert(block);
    give_block(block, 100);
  }
  if (test::kBlocksAreKept) {
    EXPECT_LE(seen.size(), 100U);
  }
}

TEST(Blocks, travel_between_the_flow_that_takes_and_the_flow_that_gives_back) {
  constexpr std::size_t kRound = 500;
  constexpr int kRounds = 400;
  std::vector<std::uint64_t*> blocks(kRound);
  std::binary_semaphore taken(0);
  std::binary_semaphore given_back(0);
  std::thread other([&] {
    Flow::current();
    for (int round = 0; round < kRounds; ++round) {
      taken.acquire();
      for (std::size_t i = 0; i < kRound; ++i) {
        EXPECT_EQ(*blocks[i], i) << "two owners wrote to one block";
        give_block(blocks[i], 48);
      }
      given_back.release();
    }
  });
  std::set<void*> seen;
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kRound; ++i) {
      blocks[i] = static_cast<std::uint64_t*>(take_block(48));
      *blocks[i] = i;
      seen.insert(blocks[i]);
    }
    taken.release();
    given_back.acquire();
  }
  other.join();
  if (test::kBlocksAreKept) {
    EXPECT_LE(seen.size(), 3 * kRound) << "they do not come back to the flow that takes";
  }
}

TEST(Blocks, given_back_in_one_order_come_back_in_the_reverse_order) {
  if (!test::kBlocksAreKept) GTEST_SKIP() << "each block comes from the heap";
  constexpr std::size_t kSize = 344;
  constexpr std::size_t kBatch = 4096 / kSize;
  std::vector<void*> given(4 * kBatch);
  for (void*& block : given) block = take_block(kSize);
  std::thread([&] {
    Flow::current();  // who is no flow gives back one by one
    for (void* const block : given) give_block(block, kSize);
  }).join();
  // At least one batch has changed hands, and it is on top. What this flow had before comes first.
  std::vector<void*> taken;
  for (std::size_t i = 0; i < 6 * kBatch; ++i) taken.push_back(take_block(kSize));
  std::size_t in_order = 0;
  for (std::size_t i = 1; i < taken.size(); ++i) {
    const auto before = std::find(given.begin(), given.end(), taken[i - 1]);
    if (before != given.end() && before != given.begin() && *(before - 1) == taken[i]) ++in_order;
  }
  EXPECT_GE(in_order, kBatch - 1);
  for (void* const block : taken) give_block(block, kSize);
}

TEST(Blocks, that_are_neighbours_remain_so_wherever_batches_end) {
  if (!test::kBlocksAreKept) GTEST_SKIP() << "each block comes from the heap";
  constexpr std::size_t kSize = 496;
  constexpr std::size_t kCount = 4000;
  constexpr int kRounds = 30;
  std::vector<std::byte*> blocks;
  std::vector<void*> kept;  // one more in each round, so that batches end elsewhere
  const auto is_next = [](const std::byte* a, const std::byte* b) {
    const std::ptrdiff_t distance = b - a;
    return distance == kSize || distance == -static_cast<std::ptrdiff_t>(kSize);
  };
  double part = 0;
  for (int round = 0; round < kRounds; ++round) {
    kept.push_back(take_block(kSize));
    blocks.clear();
    while (blocks.size() < kCount) blocks.push_back(static_cast<std::byte*>(take_block(kSize)));
    std::size_t pairs = 0;
    for (std::size_t i = 1; i < kCount; ++i) pairs += is_next(blocks[i - 1], blocks[i]) ? 1 : 0;
    const double now = static_cast<double>(pairs) / kCount;
    if (round == 0) part = now;
    ASSERT_GE(now, 0.9 * part) << "round " << round;
    std::thread([&] {
      Flow::current();
      for (void* const block : blocks) give_block(block, kSize);
    }).join();
  }
  for (void* const block : kept) give_block(block, kSize);
}

TEST(Blocks, are_refused_where_there_is_no_memory_and_had_again_where_there_is) {
  if (!test::kBlocksAreKept) GTEST_SKIP() << "each block comes from the heap";
  EXPECT_EQ(test::in_child([] {
              constexpr std::size_t kSize = 504;
              rlimit before{};
              ::getrlimit(RLIMIT_AS, &before);
              const rlimit none{0, before.rlim_max};  // what is there stays
              std::vector<void*> blocks(100'000);
              std::size_t count = 0;
              ::setrlimit(RLIMIT_AS, &none);
              try {
                while (count < blocks.size()) {
                  void* const block = take_block(kSize);
                  blocks[count++] = block;
                }
              } catch (const std::bad_alloc&) {
              }
              ::setrlimit(RLIMIT_AS, &before);
              if (count == blocks.size()) return 1;
              for (std::size_t i = 0; i < 1'000; ++i)
                blocks[count++] = take_block(kSize);  // there is some again
              std::sort(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(count));
              for (std::size_t i = 1; i < count; ++i) {
                if (static_cast<std::byte*>(blocks[i]) - static_cast<std::byte*>(blocks[i - 1]) <
                    static_cast<std::ptrdiff_t>(kSize)) {
                  return 2;
                }
              }
              return 0;
            }),
            0);
}

template <std::size_t size>
struct alignas(64) OnOwnLines : InBlock {
  char bytes[size];
};

template <std::size_t size>
void expect_aligned() {
  std::vector<std::unique_ptr<OnOwnLines<size>>> objects;
  for (int i = 0; i < 200; ++i) {
    objects.push_back(std::make_unique<OnOwnLines<size>>());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(objects.back().get()) % 64, 0U) << size;
  }
}

TEST(Blocks, of_objects_that_want_lines_of_their_own_are_aligned_to_them) {
  expect_aligned<1>();
  expect_aligned<100>();
  expect_aligned<384>();
  expect_aligned<512>();
}

TEST(Blocks, many_flows_never_share_one) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      std::vector<std::pair<unsigned char*, std::size_t>> mine;
      for (int i = 0; i < 20'000; ++i) {
        const std::size_t size = 16 + static_cast<std::size_t>(i * 7 + t) % 200;
        auto* const block = static_cast<unsigned char*>(take_block(size));
        std::memset(block, t, size);
        mine.emplace_back(block, size);
        if (mine.size() < 300) continue;
        for (const auto& [old, bytes] : mine) {
          for (std::size_t k = 0; k < bytes; ++k) ASSERT_EQ(old[k], t);
          give_block(old, bytes);
        }
        mine.clear();
      }
      for (const auto& [old, bytes] : mine) give_block(old, bytes);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

struct alignas(128) OverAligned : InBlock {
  char bytes[128];
};

TEST(Blocks, over_aligned_objects_come_from_the_heap) {
  auto* const object = new OverAligned;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(object) % 128, 0U);
  delete object;
}

// Made before the thread is a flow, so it goes when everything of the thread's that came later is gone.
struct GivesBackLate {
  void* block = nullptr;
  Flow** seen = nullptr;
  ~GivesBackLate() {
    give_block(block, 96);
    *seen = Flow::current_if_any();
  }
};

TEST(Blocks, object_that_goes_with_its_thread_gives_back_on_the_flow_it_was_taken_on) {
  Flow* taken_on = nullptr;
  Flow* given_back_on = nullptr;
  std::thread([&] {
    thread_local GivesBackLate late;
    late.seen = &given_back_on;
    late.block = take_block(96);
    taken_on = &Flow::current();
  }).join();
  EXPECT_EQ(given_back_on, taken_on);
}

TEST(Blocks, thread_that_only_gives_back_does_not_become_a_flow) {
  void* const block = take_block(96);
  bool became_a_flow = false;
  std::thread([&] {
    give_block(block, 96);
    became_a_flow = Flow::current_if_any() != nullptr;
  }).join();
  EXPECT_FALSE(became_a_flow);
}

}  // namespace
}  // namespace blocks_test
}  // namespace tg::inline v0::runtime
