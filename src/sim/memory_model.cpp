// SPDX-License-Identifier: Apache-2.0
// Which stores a flow knows, and which of the others it may read.
#include "sim/memory_model.hpp"

#include <cstdint>
#include <string>
#include <utility>

#include "sim/explorer.hpp"
#include "sim/places.hpp"
#include "sim/trace.hpp"

namespace tg::inline v0::sim {

constinit WeakMemory* WeakMemory::running_ = nullptr;

namespace {
bool acquires(std::memory_order order) noexcept {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}
bool releases(std::memory_order order) noexcept {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}
}  // namespace

WeakMemory::WeakMemory(Explorer& scheduler) : scheduler_(scheduler), words_(64) {}

WeakMemory::~WeakMemory() { end(); }

// --- Flows ---

void WeakMemory::begin(std::size_t flow) {
  ++schedule_;
  used_ = 0;
  for (Flow& one : flows_) one = {};
  flow_at(flow).known.is_empty = false;
  of_parts_ = {};
  before_full_fences_ = before_light_fences_ = before_heavy_fences_ = seq_cst_accesses_ = {};
  weakened_.clear();
  tick(flow);
  running_ = this;
  detail::memory_model = this;
}

void WeakMemory::end() noexcept {
  if (running_ != this) return;
  running_ = nullptr;
  detail::memory_model = nullptr;
}

std::size_t WeakMemory::running_flow() const { return static_cast<std::size_t>(scheduler_.number_of_flow()); }

void WeakMemory::start(std::size_t parent, std::size_t child) {
  if (child > Clock::kFlows)
    scheduler_.fail("more than " + std::to_string(Clock::kFlows) + " flows in weak memory");
  tick(parent);
  // A flow that takes over the number of one that has ended counts on, and so knows what that one did.
  Knowledge& known = flow_at(child).known;
  const std::int32_t last = known.is_empty ? 0 : known.happened[child];
  flow_at(child) = {};
  known.become(flow_at(parent).known);
  known.happened[child] = last;
  tick(child);
}

void WeakMemory::part_ends() noexcept { of_parts_.join(flow_at(running_flow()).known); }
void WeakMemory::join() noexcept { flow_at(running_flow()).known.join(of_parts_); }

// --- Words ---

// That of the word, or a free one.
WeakMemory::Entry& WeakMemory::entry_of(const void* word) noexcept {
  const auto address = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(word));
  for (std::uint64_t i = address * 0x9E3779B97F4A7C15u >> 40;; ++i) {
    Entry& entry = words_[i & (words_.size() - 1)];
    if (entry.schedule != schedule_ || entry.address == word) return entry;
  }
}

WeakMemory::Word* WeakMemory::find(const void* word) noexcept {
  const Entry& entry = entry_of(word);
  return entry.schedule == schedule_ ? entry.word : nullptr;
}

WeakMemory::Word& WeakMemory::make_word(const void* word, std::uint64_t value) {
  if (2 * used_ >= words_.size()) {
    const std::vector<Entry> old = std::exchange(words_, std::vector<Entry>(2 * words_.size()));
    for (const Entry& entry : old)
      if (entry.schedule == schedule_) entry_of(entry.address) = entry;
  }
  Entry& entry = entry_of(word);
  if (entry.schedule != schedule_) {
    if (used_ == pool_.size()) pool_.push_back(std::make_unique<Word>());
    entry = {word, pool_[used_++].get(), schedule_};
  }
  Word* const made = entry.word;
  made->address = word;
  made->is_gone = false;
  made->count = 1;
  made->newest().become(value);
  made->newest().released.become({});
  made->constructed = {};
  made->used = {};
  return *made;
}

void WeakMemory::construct(const void* word, std::uint64_t value) noexcept {
  const std::size_t flow = running_flow();
  make_word(word, value).constructed = {tick(flow), static_cast<std::uint32_t>(flow),
                                        __builtin_return_address(0)};
}

WeakMemory::Access WeakMemory::access(const void* word, std::uint64_t newest, std::memory_order order) {
  const std::size_t number = running_flow();
  Flow& flow = flow_at(number);
  const std::int32_t time = tick(number);
  Word* const found = find(word);
  Word& at = found != nullptr ? *found : make_word(word, newest);
  // A flow that uses a word must know of its construction, which is not an atomic access.
  if (at.constructed.time != 0 && at.constructed.time > flow.known.happened[at.constructed.flow]) {
    fail_for("no order between", at.constructed, "constructs the word",
             {time, static_cast<std::uint32_t>(number), scheduler_.trace().last().place}, "uses it");
  }
  at.used[number] = time;
  return {number, flow, time, at, weakened(word, order)};
}

void WeakMemory::weaken(const void* object, std::size_t bytes, std::memory_order from, std::memory_order to) {
  const auto begin = reinterpret_cast<std::uintptr_t>(object);
  weakened_.push_back({begin, begin + bytes, from, to});
}

void WeakMemory::reuse(const void* memory, std::size_t bytes) {
  const Clock& known = flow_at(running_flow()).known.happened;
  for (std::size_t i = 0; i < bytes; ++i) {
    const Word* const found = find(static_cast<const std::byte*>(memory) + i);
    if (found == nullptr || found->used.all_in(known)) continue;
    scheduler_.fail("memory is reused while another flow may still use a word in it");
  }
}

std::memory_order WeakMemory::weakened(const void* word, std::memory_order order) const noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(word);
  for (const Weakened& one : weakened_)
    if (address >= one.begin && address < one.end && order == one.from) return one.to;
  return order;
}

bool WeakMemory::is_word(const void* address) noexcept {
  const Word* const word = find(address);
  return word != nullptr && !word->is_gone;
}

void WeakMemory::forget_words(const void* memory, std::size_t bytes) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  for (std::size_t i = 0; i < used_; ++i) {
    const auto address = reinterpret_cast<std::uintptr_t>(pool_[i]->address);
    if (address >= begin && address < begin + bytes) pool_[i]->is_gone = true;
  }
}

// --- Accesses ---

// Whether an older store is out of reach: by coherence, because an access to this one happens before; or
// because of S ([atomics.order], 4.1 to 4.4, where A is this load, and B an access to the store).
bool WeakMemory::knows(const Access& access, const Store& store) const noexcept {
  const Knowledge& known = access.flow.known;
  if (store.accessed.any_in(known.happened)) return true;
  if (known.any_fenced && (store.accessed.any_in(known.fenced) ||                   // 4.4
                           store.seq_cst_accessed.any_in(known.fenced_seq_cst))) {  // 4.3
    return true;
  }
  if (access.order != std::memory_order_seq_cst) return false;
  return store.any_seq_cst ||                         // 4.1
         store.accessed.any_in(before_full_fences_);  // 4.2
}

std::size_t WeakMemory::oldest_for(const Access& access) const noexcept {
  std::size_t number = access.word.count - 1;
  while (number > access.word.oldest() && !knows(access, access.word[number])) --number;
  return number;
}

void WeakMemory::see(const Access& access, Store& store) noexcept {
  if (store.accessed[access.number] == 0) store.accessed[access.number] = access.time;
  if (access.order != std::memory_order_seq_cst) return;
  store.any_seq_cst = true;
  if (store.seq_cst_accessed[access.number] == 0) store.seq_cst_accessed[access.number] = access.time;
  seq_cst_accesses_[access.number] = access.time;
}

void WeakMemory::read(const Access& access, Store& store) noexcept {
  see(access, store);
  (acquires(access.order) ? access.flow.known : access.flow.acquired_by_fence).join(store.released);
}

// `continues`: a read-modify-write continues the release sequences of the store that it reads.
void WeakMemory::append(const Access& access, std::uint64_t value, bool continues) noexcept {
  const Knowledge& released = releases(access.order) ? access.flow.known : access.flow.released_by_fence;
  const Store& before = access.word.newest();
  ++access.word.count;
  Store& store = access.word.newest();
  store.become(value);
  store.released.become(released);
  if (continues) store.released.join(before.released);
  see(access, store);
}

std::uint64_t WeakMemory::load(const void* word, std::uint64_t newest, std::memory_order order) noexcept {
  const Access load = access(word, newest, order);
  const std::size_t reachable = load.word.count - oldest_for(load);
  const std::size_t older = reachable > 1 ? scheduler_.choose_store(reachable) : 0;
  Store& store = load.word[load.word.count - 1 - older];
  read(load, store);
  return store.value;
}

void WeakMemory::store(const void* word, std::uint64_t newest, std::uint64_t value,
                       std::memory_order order) noexcept {
  append(access(word, newest, order), value, false);
}

void WeakMemory::change(const void* word, std::uint64_t newest, std::uint64_t value,
                        std::memory_order order) noexcept {
  const Access change = access(word, newest, order);
  read(change, change.word.newest());
  append(change, value, true);
}

// If it fails it is a load, which need not read the newest store.
std::uint64_t WeakMemory::compare(const void* word, std::uint64_t newest, std::uint64_t expected,
                                  std::memory_order failure) noexcept {
  const Access load = access(word, newest, failure);
  std::array<Store*, Word::kStores> stores{&load.word.newest()};
  std::size_t count = 1;
  const std::size_t oldest = oldest_for(load);
  for (std::size_t number = load.word.count - 1; number > oldest; --number) {
    Store& older = load.word[number - 1];
    if (older.value != expected) stores[count++] = &older;
  }
  Store& store = *stores[count > 1 ? scheduler_.choose_store(count) : 0];
  if (store.value != expected) read(load, store);
  return store.value;
}

// Two full fences are ordered by S, and a heavy fence is a full one. A light and a heavy one are ordered as
// well, but two light ones are not.
void WeakMemory::fence(detail::Access kind) noexcept {
  const std::size_t number = running_flow();
  Flow& flow = flow_at(number);
  tick(number);
  flow.known.begin_fences();
  if (kind == detail::Access::light_fence) {
    flow.known.fenced.join(before_heavy_fences_);
    before_light_fences_.join(flow.known.happened);
    return;
  }
  flow.known.join(flow.acquired_by_fence);
  flow.known.fenced.join(before_full_fences_);
  flow.known.fenced_seq_cst.join(seq_cst_accesses_);
  before_full_fences_.join(flow.known.happened);
  if (kind == detail::Access::heavy_fence) {
    flow.known.fenced.join(before_light_fences_);
    before_heavy_fences_.join(flow.known.happened);
  }
  flow.released_by_fence = flow.known;
}

// --- Plain data ---

void WeakMemory::read_plain(PlainAccesses& before, const void* place) {
  const std::size_t flow = running_flow();
  const PlainAccess read{tick(flow), static_cast<std::uint32_t>(flow), place};
  if (before.write.time != 0 && before.write.time > flow_at(flow).known.happened[before.write.flow])
    fail_for("data race", before.write, "writes", read, "reads");
  before.reads[flow] = read.time;
  before.places_of_reads[flow - 1] = place;
}

void WeakMemory::write_plain(PlainAccesses& before, const void* place) {
  const std::size_t flow = running_flow();
  const PlainAccess write{tick(flow), static_cast<std::uint32_t>(flow), place};
  const Clock& known = flow_at(flow).known.happened;
  if (before.write.time != 0 && before.write.time > known[before.write.flow])
    fail_for("data race", before.write, "writes", write, "writes");
  for (std::size_t reader = 1; !before.reads.all_in(known) && reader <= Clock::kFlows; ++reader) {
    if (before.reads[reader] <= known[reader]) continue;
    const void* const where = before.places_of_reads[reader - 1];
    fail_for("data race", {before.reads[reader], static_cast<std::uint32_t>(reader), where}, "reads", write,
             "writes");
  }
  before.write = write;
  before.reads = {};
}

void WeakMemory::fail_for(const char* what, const PlainAccess& one, const char* first,
                          const PlainAccess& other, const char* second) {
  const std::vector<std::string> names = scheduler_.names();
  const Places places({one.place, other.place});
  const auto text = [&](const PlainAccess& access, const char* does) {
    const std::string& name = names[access.flow];
    return "flow " + std::to_string(access.flow) + (name.empty() ? "" : " (" + name + ")") + " " + does +
           " at " + places[access.place];
  };
  scheduler_.fail(std::string(what) + ": " + text(one, first) + ", and " + text(other, second));
}

}  // namespace tg::inline v0::sim
