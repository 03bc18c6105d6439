// SPDX-License-Identifier: Apache-2.0
// Which stores a flow knows, and which of the others it may read.
#include "sim/memory_model.hpp"

#include <cstdint>
#include <string>

#include "sim/scheduler.hpp"
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
// Whether one of these accesses is in the clock.
bool any_in(const Clock& accesses, const Clock& clock) noexcept {
  bool any = false;
  for (std::size_t i = 0; i < clock.times.size(); ++i)
    any |= accesses.times[i] != 0 && accesses.times[i] <= clock.times[i];
  return any;
}
bool any_at_all(const Clock& accesses) noexcept {
  bool any = false;
  for (const std::uint32_t time : accesses.times) any |= time != 0;
  return any;
}
}  // namespace

WeakMemory::WeakMemory(Scheduler& scheduler) : scheduler_(scheduler) {}

WeakMemory::~WeakMemory() { end(); }

// --- Flows ---

void WeakMemory::begin(std::size_t flow) {
  flows_ = {};
  words_.clear();
  used_ = 0;
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

std::size_t WeakMemory::running_flow() const {
  const auto flow = static_cast<std::size_t>(scheduler_.number_of_flow());
  if (flow > Clock::kFlows) scheduler_.fail("too many flows for weak memory");
  return flow;
}

void WeakMemory::start(std::size_t parent, std::size_t child) {
  if (child > Clock::kFlows) scheduler_.fail("too many flows for weak memory");
  tick(parent);
  flows_[child].known = flows_[parent].known;
  tick(child);
}

void WeakMemory::part_ends() noexcept { of_parts_.join(flows_[running_flow()].known); }
void WeakMemory::join() noexcept { flows_[running_flow()].known.join(of_parts_); }

// --- Words ---

WeakMemory::Word& WeakMemory::make_word(const void* word, std::uint64_t value) {
  Word*& made = words_[word];
  if (made == nullptr) {
    if (used_ == pool_.size()) pool_.push_back(std::make_unique<Word>());
    made = pool_[used_++].get();
  }
  made->count = 1;
  made->newest() = {value, {}, {}, {}};
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
  Flow& flow = flows_[number];
  const std::uint32_t time = tick(number);
  const auto found = words_.find(word);
  Word& at = found != words_.end() ? *found->second : make_word(word, newest);
  // Whoever reaches a word must know that it was constructed, which is no atomic access.
  if (at.constructed.time > flow.known.happened[at.constructed.flow]) {
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
  const Clock& known = flows_[running_flow()].known.happened;
  for (std::size_t i = 0; i < bytes; ++i) {
    const auto found = words_.find(static_cast<const std::byte*>(memory) + i);
    if (found == words_.end()) continue;
    for (std::size_t flow = 1; flow <= Clock::kFlows; ++flow)
      if (found->second->used[flow] > known[flow])
        scheduler_.fail("memory is reused while flow " + std::to_string(flow) +
                        " may still use a word in it");
  }
}

std::memory_order WeakMemory::weakened(const void* word, std::memory_order order) const noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(word);
  for (const Weakened& one : weakened_)
    if (address >= one.begin && address < one.end && order == one.from) return one.to;
  return order;
}

// --- Accesses ---

// Whether an older store is out of reach: by coherence, because an access to this one happens before; or
// because of S ([atomics.order], 4.1 to 4.4, where A is this load, and B an access to the store).
bool WeakMemory::knows(const Access& access, const Store& store) const noexcept {
  const Knowledge& known = access.flow.known;
  if (any_in(store.accessed, known.happened)) return true;
  if (any_in(store.accessed, known.fenced)) return true;                  // 4.4
  if (any_in(store.seq_cst_accessed, known.fenced_seq_cst)) return true;  // 4.3
  if (access.order != std::memory_order_seq_cst) return false;
  return any_at_all(store.seq_cst_accessed) ||         // 4.1
         any_in(store.accessed, before_full_fences_);  // 4.2
}

std::size_t WeakMemory::oldest_for(const Access& access) const noexcept {
  std::size_t number = access.word.count - 1;
  while (number > access.word.oldest() && !knows(access, access.word[number])) --number;
  return number;
}

void WeakMemory::see(const Access& access, Store& store) noexcept {
  if (store.accessed[access.number] == 0) store.accessed[access.number] = access.time;
  if (access.order != std::memory_order_seq_cst) return;
  if (store.seq_cst_accessed[access.number] == 0) store.seq_cst_accessed[access.number] = access.time;
  seq_cst_accesses_[access.number] = access.time;
}

void WeakMemory::read(const Access& access, Store& store) noexcept {
  see(access, store);
  (acquires(access.order) ? access.flow.known : access.flow.acquired_by_fence).join(store.released);
}

// `continues`: a read-modify-write continues the release sequences of the store that it reads.
void WeakMemory::append(const Access& access, std::uint64_t value, bool continues) noexcept {
  Knowledge released = releases(access.order) ? access.flow.known : access.flow.released_by_fence;
  if (continues) released.join(access.word.newest().released);
  ++access.word.count;
  access.word.newest() = {value, released, {}, {}};
  see(access, access.word.newest());
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
  Flow& flow = flows_[number];
  tick(number);
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
  if (before.write.time > flows_[flow].known.happened[before.write.flow])
    fail_for("data race", before.write, "writes", read, "reads");
  before.reads[flow] = read;
}

void WeakMemory::write_plain(PlainAccesses& before, const void* place) {
  const std::size_t flow = running_flow();
  const PlainAccess write{tick(flow), static_cast<std::uint32_t>(flow), place};
  const Clock& known = flows_[flow].known.happened;
  if (before.write.time > known[before.write.flow])
    fail_for("data race", before.write, "writes", write, "writes");
  for (const PlainAccess& read : before.reads)
    if (read.time > known[read.flow]) fail_for("data race", read, "reads", write, "writes");
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
