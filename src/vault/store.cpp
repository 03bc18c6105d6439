// SPDX-License-Identifier: Apache-2.0
// Finding keys, and what of reading and writing is done under the lock.
#include <threadgroup/detail/vault/store.hpp>

#include <functional>

#include <threadgroup/detail/type_name.hpp>
#include <threadgroup/vault_types.hpp>

namespace tg::inline v0::detail {

namespace {
// A type may be trivially copyable to one compiler and not to another, and then they do not read alike (K5).
bool have_same_type(const KeyInfo& a, const KeyInfo& b) noexcept {
  return *a.type == *b.type && a.is_short == b.is_short;
}

std::string type_unlike(const KeyInfo& key, const KeyInfo& other) {
  std::string text = type_name(*key.type);
  if (*key.type == *other.type) text += key.is_short ? " (trivially copyable)" : " (not trivially copyable)";
  return text;
}
}  // namespace

// --- Keys

ValueStore::ValueStore(std::string vault, const KeyList& keys) : vault_name_(std::move(vault)) {
  std::size_t table_size = 4;
  while (table_size < 2 * keys.infos().size()) table_size *= 2;
  table_.resize(table_size);
  table_mask_ = table_size - 1;
  for (const auto& key : keys.infos()) {
    const std::size_t known = find_name(key->name);
    if (known == kNone) {
      infos_.push_back(key);
      std::uint64_t at = key->hash & table_mask_;
      while (table_[at] != 0) at = (at + 1) & table_mask_;
      table_[at] = static_cast<std::uint32_t>(infos_.size());
    } else if (!have_same_type(*infos_[known], *key)) {
      throw KeyTypeError(key->name, "vault '" + vault_name_ + "': there are two keys '" + key->name +
                                        "', one of " + type_unlike(*infos_[known], *key) + " and one of " +
                                        type_unlike(*key, *infos_[known]));
    }
  }
  cells_ = std::make_unique<Cell[]>(infos_.size());
  states_.resize(infos_.size());
}

std::size_t ValueStore::find_name(const std::string& name) const noexcept {
  for (std::uint64_t at = std::hash<std::string>()(name) & table_mask_; table_[at] != 0;
       at = (at + 1) & table_mask_) {
    if (infos_[table_[at] - 1]->name == name) return table_[at] - 1;
  }
  return kNone;
}

std::size_t ValueStore::find(const KeyInfo& key) const {
  for (std::uint64_t at = key.hash & table_mask_; table_[at] != 0; at = (at + 1) & table_mask_) {
    const std::size_t slot = table_[at] - 1;
    const KeyInfo* const known = infos_[slot].get();
    if (known == &key) return slot;
    if (known->hash != key.hash || known->name != key.name) continue;
    if (have_same_type(*known, key)) return slot;
    throw KeyTypeError(key.name, "vault '" + vault_name_ + "': key '" + key.name + "' is of " +
                                     type_unlike(*known, key) + " here, and was asked for as " +
                                     type_unlike(key, *known));
  }
  throw UnknownKeyError(key.name, "vault '" + vault_name_ + "' has no key '" + key.name + "'");
}

// --- Reading

PinnedValue ValueStore::pin_slowly(std::size_t slot) const noexcept {
  MutexLock lock(mutex_);
  return PinnedValue(current_locked(slot));
}

std::vector<ValueRef> ValueStore::all_values() const {
  std::vector<ValueRef> found(slots());
  MutexLock lock(mutex_);
  for (std::size_t slot = 0; slot < found.size(); ++slot) found[slot] = current_locked(slot);
  return found;
}

std::size_t ValueStore::size() const {
  std::size_t count = 0;
  MutexLock lock(mutex_);
  for (std::size_t slot = 0; slot < slots(); ++slot) count += present_locked(slot) ? 1 : 0;
  return count;
}

std::size_t ValueStore::find_missing_locked(std::span<const std::size_t> slots) const noexcept {
  for (const std::size_t slot : slots) {
    if (!present_locked(slot)) return slot;
  }
  return kNone;
}

// --- Writing

void ValueStore::check_locked(std::span<const Change> changes, const Writer& writer) const {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const std::size_t slot = changes[i].slot;
    const State& state = states_[slot];
    const std::string& key = infos_[slot]->name;
    for (std::size_t j = 0; j < i; ++j) {
      if (changes[j].slot == slot)
        throw VaultError(key, "vault '" + vault_name_ + "': key '" + key + "' is twice in one step");
    }
    if (!state.source.empty() && !writer.from_resource) {
      throw ReadOnlyKeyError(key, "vault '" + vault_name_ + "': key '" + key + "' is read from " +
                                      state.source + " and not written");
    }
    if (!changes[i].value || !present_locked(slot)) continue;
    const bool own_output = writer.automatic != kNone && state.stored_by == writer.automatic;
    if (!writer.permit_modification && !own_output) {
      throw KeyExistsError(key, "vault '" + vault_name_ + "': key '" + key +
                                    "' holds a value already, and modification is not permitted");
    }
  }
}

void ValueStore::set_source(std::span<const std::size_t> slots, const std::string& source) {
  MutexLock lock(mutex_);
  for (const std::size_t slot : slots) states_[slot].source = source;
}

// --- Waiting

void ValueStore::release_all_waiters() const noexcept {
  for (std::size_t slot = 0; slot < slots(); ++slot) cells_[slot].waiters.release_all();
}

void ValueStore::forget_waiters() noexcept {
  for (std::size_t slot = 0; slot < slots(); ++slot) cells_[slot].waiters.forget_parent();
}

}  // namespace tg::inline v0::detail
