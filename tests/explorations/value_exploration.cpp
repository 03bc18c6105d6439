// SPDX-License-Identifier: Apache-2.0
// How values are read while they are replaced: the cell and the short copy, in weak memory.
#include <threadgroup/detail/vault/short_copy.hpp>
#include <threadgroup/detail/vault/value.hpp>
#include <threadgroup/detail/vault/value_cell.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <utility>

#include "sim/plain.hpp"

#include "explorations/explore.hpp"

namespace tg::test {
namespace value_exploration {
namespace {

using detail::PinnedValue;
using detail::ShortCopy;
using detail::TypedNode;
using detail::ValueCell;
using detail::ValueRef;
using sim::Plain;

// A value whose content is a plain cell: writing it as the value goes must not race with a reader.
class Watched {
 public:
  Watched(Plain<int>& content, int number) : content_(&content) { content.write(number); }
  Watched(Watched&& other) noexcept : content_(std::exchange(other.content_, nullptr)) {}
  Watched& operator=(Watched&&) = delete;
  ~Watched() {
    if (content_ != nullptr) content_->write(0);
  }
  int number() const { return content_->read(); }

 private:
  Plain<int>* content_;
};

ValueRef value_of(Plain<int>& content, int number) {
  return ValueRef(new TypedNode<Watched>(Watched(content, number)));
}

// Readers pin what the writer replaces (V2, V3).
TG_WEAK_EXPLORATION(ValueExploration, a_reader_pins_what_a_writer_replaces) {
  Plain<int> first{0};
  Plain<int> second{0};
  {
    ValueCell cell;
    if (TG_PLANTED(cell_publishes_nothing))
      weaken(cell, std::memory_order_acq_rel, std::memory_order_acquire);
    if (TG_PLANTED(cell_writer_sees_no_readers))
      weaken(cell, std::memory_order_acq_rel, std::memory_order_release);
    if (TG_PLANTED(cell_reader_publishes_nothing))
      weaken(cell, std::memory_order_release, std::memory_order_relaxed);
    const auto read = [&cell] {
      if (const PinnedValue pinned = cell.pin()) require(pinned.as<Watched>().number() > 0, "a value");
    };
    together({{"writes",
               [&] {
                 cell.exchange(value_of(first, 1));
                 cell.exchange(value_of(second, 2));
               }},
              {"reads", read},
              {"reads as well", read}});
  }
  require(first.read() == 0 && second.read() == 0, "both values have gone");
}
TG_FINDS(ValueExploration, a_reader_pins_what_a_writer_replaces, cell_publishes_nothing, 10)
TG_FINDS(ValueExploration, a_reader_pins_what_a_writer_replaces, cell_writer_sees_no_readers, 400)
TG_FINDS(ValueExploration, a_reader_pins_what_a_writer_replaces, cell_reader_publishes_nothing, 400)

// A reader of a short copy finds one value or none, and nothing older than what it knows of.
TG_WEAK_EXPLORATION(ValueExploration, a_short_copy_is_read_while_it_is_written) {
  using Pair = std::array<std::uint64_t, 2>;
  ShortCopy copy;
  detail::Atomic<std::uint64_t> known{0};
  if (TG_PLANTED(short_copy_publishes_nothing))
    weaken(copy, std::memory_order_release, std::memory_order_relaxed);
  if (TG_PLANTED(short_copy_reader_sees_nothing))
    weaken(copy, std::memory_order_acquire, std::memory_order_relaxed);
  together({{"writes",
             [&] {
               for (std::uint64_t i = 1; i <= 2; ++i) {
                 copy.begin();
                 copy.write(Pair{i, i});
                 copy.end(true);
                 known.store(i, std::memory_order_release);
               }
             }},
            {"reads", [&] {
               const std::uint64_t least = known.load(std::memory_order_acquire);
               const auto found = copy.read<Pair>();
               if (!found) return;
               require((*found)[0] == (*found)[1], "a value that was stored as a whole");
               require((*found)[0] >= least, "no older value");
             }}});
}
TG_FINDS(ValueExploration, a_short_copy_is_read_while_it_is_written, short_copy_publishes_nothing, 400)
TG_FINDS(ValueExploration, a_short_copy_is_read_while_it_is_written, short_copy_reader_sees_nothing, 400)

}  // namespace
}  // namespace value_exploration
}  // namespace tg::test
