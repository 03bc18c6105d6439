// SPDX-License-Identifier: Apache-2.0
// The vault: typed values under typed keys, and functions that take their inputs from it and leave their
// outputs in it.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <threadgroup/detail/vault/binding.hpp>
#include <threadgroup/detail/vault/bound.hpp>
#include <threadgroup/detail/vault/core.hpp>
#include <threadgroup/detail/vault/keyring.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/vault_types.hpp>

namespace tg {

/// A function that a vault runs by itself; see `Vault::automatic`. It goes on when this object is gone.
///
/// Thread safety: everything from any thread. Lifetime: keeps the vault's contents alive.
class Automatic {
 public:
  Automatic(std::shared_ptr<detail::VaultCore> core, std::size_t index)
      : core_(std::move(core)), index_(index) {}

  const std::string& name() const { return core_->automatic(index_).name; }
  /// How often the function has run, failures included.
  std::uint64_t runs() const { return core_->runs(index_); }
  /// Its line in the vault's `explain`.
  std::string explain() const { return core_->explain_one(index_); }

 private:
  std::shared_ptr<detail::VaultCore> core_;
  std::size_t index_;
};

/// A key and a value for it; see `Vault::insert_all`.
template <class T>
struct Entry {
  Key<T> key;
  T value;
};
template <class T, class V>
Entry<T> entry(const Key<T>& key, V&& value) {
  static_assert(detail::kFits<V, T>, "tg::entry: the value does not fit the key's type");
  return {key, T(std::forward<V>(value))};
}

/// Values of many types under keys that know their type.
///
///     struct Keyring { tg::Key<std::string> user{"user"}; tg::Key<int> age{"age"}; };
///     const Keyring keyring;
///     tg::Vault vault("vault", keyring);                       // or: {keyring.user, keyring.age}
///     vault.insert(keyring.user, "ann");
///     auto greet = vault.bind(tg::inputs(keyring.user), tg::outputs(), [](const std::string& user) { ... });
///     group.add_task(greet);
///     vault.automatic(group, tg::inputs(keyring.user), tg::outputs(keyring.age), look_up_age);
///
/// Requires: a key that the vault was made with; others throw `UnknownKeyError`.
/// Guarantees: what is read is a whole value, and stays valid and the same while others write. A step over
/// several keys is seen whole or not at all. No code of the user (validators, copies, destructors, functions)
/// runs under a lock.
/// Thread safety: everything from any thread. Reading one key takes no lock, but to `share` a short value
/// does.
/// Lifetime: bound functions, handles and runs keep the contents alive.
class Vault {
 public:
  /// Throws `KeyTypeError` for two keys of one name and two types.
  Vault(std::string name, const KeyList& keys, VaultOptions options = {})
      : core_(std::make_shared<detail::VaultCore>(std::move(name), keys, options)) {}
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  const std::string& name() const noexcept { return core_->name(); }

  // --- Writing

  /// Throws `ValueRejectedError`, and `KeyExistsError` if there is a value and neither the vault nor the call
  /// permits to modify it.
  template <class T, class V>
  void insert(const Key<T>& key, V&& value, InsertOptions options = {}) {
    static_assert(detail::kFits<V, T>, "tg::Vault::insert: the value does not fit the key's type");
    std::array<detail::Change, 1> change;
    change[0].slot = core_->find(key.info());
    change[0].value = key.info().make(T(std::forward<V>(value)));
    core_->commit(change, {options.permit_modification, detail::kNobody, false});
  }
  /// All of them in one step, or none: `vault.insert_all(tg::entry(a, 1), tg::entry(b, "x"))`.
  template <class... T>
  void insert_all(Entry<T>... entries) {
    insert_all(InsertOptions{}, std::move(entries)...);
  }
  template <class... T>
  void insert_all(InsertOptions options, Entry<T>... entries) {
    std::array<detail::Change, sizeof...(T)> changes{detail::Change{
        core_->find(entries.key.info()), entries.key.info().make(std::move(entries.value)), {}}...};
    core_->commit(changes, {options.permit_modification, detail::kNobody, false});
  }
  /// In one step; true if any of them held a value.
  template <class... T>
  bool erase(const Key<T>&... keys) {
    const std::array<std::size_t, sizeof...(T)> slots{core_->find(keys.info())...};
    return core_->erase(slots);
  }

  // --- Reading

  /// A copy. Throws `MissingKeyError`, which names the key and the functions known to produce it.
  template <class T>
  T get(const Key<T>& key) const {
    static_assert(std::is_copy_constructible_v<T>,
                  "tg::Vault::get: this type cannot be copied; use `share`, which hands out a shared_ptr");
    const std::size_t slot = core_->find(key.info());
    if constexpr (detail::ShortCopy::kFits<T>) {
      if (const std::optional<T> copy = core_->short_copy<T>(slot)) return *copy;
      if (!core_->contains(slot)) core_->throw_missing({&slot, 1});
    }
    const detail::PinnedValue value = core_->pin<T>(slot);
    if (!value) core_->throw_missing({&slot, 1});
    return value.template as<T>();
  }
  template <class T>
  std::optional<T> try_get(const Key<T>& key) const {
    static_assert(std::is_copy_constructible_v<T>,
                  "tg::Vault::try_get: this type cannot be copied; use `try_share`");
    const std::size_t slot = core_->find(key.info());
    if constexpr (detail::ShortCopy::kFits<T>) {
      if (std::optional<T> copy = core_->short_copy<T>(slot)) return copy;
      if (!core_->contains(slot)) return std::nullopt;
    }
    const detail::PinnedValue value = core_->pin<T>(slot);
    if (!value) return std::nullopt;
    return std::optional<T>(value.template as<T>());
  }
  /// The value itself, without a copy: it stays as it is, also when another one takes its place.
  template <class T>
  std::shared_ptr<const T> share(const Key<T>& key) const {
    const std::size_t slot = core_->find(key.info());
    detail::ValueRef value = core_->pin<T>(slot).ref();
    if (!value) core_->throw_missing({&slot, 1});
    return detail::share_value<T>(std::move(value));
  }
  /// The same; null if there is none.
  template <class T>
  std::shared_ptr<const T> try_share(const Key<T>& key) const {
    detail::ValueRef value = core_->pin<T>(core_->find(key.info())).ref();
    return value ? detail::share_value<T>(std::move(value)) : nullptr;
  }
  /// Several keys at one moment: `auto [a, b] = vault.get_all(key_a, key_b)`.
  template <class... T>
  std::tuple<T...> get_all(const Key<T>&... keys) const {
    const std::array<std::size_t, sizeof...(T)> slots{core_->find(keys.info())...};
    const std::vector<detail::ValueRef> values = core_->values(slots);
    if (!std::all_of(values.begin(), values.end(), [](const auto& v) { return static_cast<bool>(v); }))
      core_->throw_missing(slots);
    return copy_all<T...>(values, std::index_sequence_for<T...>());
  }
  template <class... T>
  std::tuple<std::optional<T>...> try_get_all(const Key<T>&... keys) const {
    const std::array<std::size_t, sizeof...(T)> slots{core_->find(keys.info())...};
    const std::vector<detail::ValueRef> values = core_->values(slots);
    return copy_present<T...>(values, std::index_sequence_for<T...>());
  }
  template <class T>
  bool contains(const Key<T>& key) const {
    return core_->contains(core_->find(key.info()));
  }
  /// How many keys hold a value.
  std::size_t size() const { return core_->size(); }
  bool empty() const { return size() == 0; }
  /// What is there at one moment, as names and printable values, in the order of the keys.
  std::vector<VaultEntry> entries() const {
    std::vector<VaultEntry> all;
    const std::vector<detail::ValueRef> values = core_->all_values();
    for (std::size_t slot = 0; slot < values.size(); ++slot) {
      if (values[slot]) all.push_back({core_->info(slot).name, core_->info(slot).print(values[slot])});
    }
    return all;
  }

  /// Until the key holds a value, or the caller's group is stopped, or the time is up; or until no function
  /// that is known to store the key will do so any more and one of them failed, was stopped or was skipped.
  /// Known are automatics, and bound functions that were added to a group, executed or called. An automatic
  /// whose input cannot come for such a reason cannot run, either. A task lends its slot while it waits.
  template <class T>
  KeyWait wait_for(const Key<T>& key, Duration timeout = Duration::max()) const {
    const std::size_t slot = core_->find(key.info());
    return core_->wait_for({&slot, 1}, timeout);
  }
  /// The same for several keys: until all hold a value at one moment.
  template <class... T>
  KeyWait wait_for_all(Duration timeout, const Key<T>&... keys) const {
    const std::array<std::size_t, sizeof...(T)> slots{core_->find(keys.info())...};
    return core_->wait_for(slots, timeout);
  }

  // --- Functions

  /// A callable without parameters: it takes the inputs from the vault at one moment, calls `f`, and stores
  /// what `f` returns in one step. It can be called plainly, added to a group or registered.
  ///
  /// Either list may be left out. For a `Key<T>`, a parameter is `const T&`, `T`, `std::shared_ptr<const T>`,
  /// or `std::optional<T>`: then the input may be missing. If `f` takes a `std::stop_token` before its
  /// inputs, it gets the one of the group whose task calls; outside a task, one that is never stopped. With
  /// one output `f` returns its value, with several a tuple; any of them may be a `std::optional` that is
  /// empty: then that output stays as it is. The callable returns what `f` returned. Throws
  /// `DeclarationError` if a key is both input and output without `output_replaces_input`.
  template <class... In, class... Out, class F>
  auto bind(Inputs<In...> in, Outputs<Out...> out, F f, BindOptions options = {}) {
    return detail::make_bound(core_, std::move(in), std::move(out), std::move(f), std::move(options));
  }
  template <class... In, class F>
  requires(!detail::kIsOutputs<F>) auto bind(Inputs<In...> in, F f, BindOptions options = {}) {
    return bind(std::move(in), Outputs<>(), std::move(f), std::move(options));
  }
  template <class... Out, class F>
  auto bind(Outputs<Out...> out, F f, BindOptions options = {}) {
    return bind(Inputs<>(), std::move(out), std::move(f), std::move(options));
  }
  template <class... In, class... Out, class F>
  auto bind(std::string function_name, Inputs<In...> in, Outputs<Out...> out, F f, BindOptions options = {}) {
    options.name = std::move(function_name);
    return bind(std::move(in), std::move(out), std::move(f), std::move(options));
  }
  template <class... In, class F>
  requires(!detail::kIsOutputs<F>) auto bind(std::string function_name, Inputs<In...> in, F f,
                                             BindOptions options = {}) {
    return bind(std::move(function_name), std::move(in), Outputs<>(), std::move(f), std::move(options));
  }
  template <class... Out, class F>
  auto bind(std::string function_name, Outputs<Out...> out, F f, BindOptions options = {}) {
    return bind(std::move(function_name), Inputs<>(), std::move(out), std::move(f), std::move(options));
  }

  /// Runs `f`, as `bind` takes it, in the group by itself, exactly once for each complete set of inputs: when
  /// the last required one is inserted, or now if all are there; again when one is modified. Runs of one
  /// automatic follow each other. If the outputs are all there when the first set is complete, that set
  /// counts as done: after a crash, only what is missing runs again. With a condition (over the same inputs),
  /// `f` runs only if it is true.
  ///
  /// A failure is the failure of a task of the group, and leaves the outputs absent. If a run cannot be
  /// started, the inserting call throws after it has stored the values, and the next run makes up for it. If
  /// the group has been destroyed, it throws `GroupGoneError`; the same function may then be declared again
  /// in another group. (Anything with `post` may take the place of a group; if it has no `link`, it has to
  /// outlive the last insert of an input.) Throws `DeclarationError`, which names the path, for a cycle and
  /// for a second producer of a key.
  template <class Group, class... In, class... Out, class F>
  Automatic automatic(Group& group, Inputs<In...> in, Outputs<Out...> out, F f, BindOptions options = {}) {
    return declare(group, std::move(in), std::move(out), std::move(f), detail::NoCondition{},
                   std::move(options));
  }
  template <class Group, class... In, class... Out, class F, class Condition>
  requires(!std::same_as<std::remove_cvref_t<Condition>, BindOptions>) Automatic
      automatic(Group& group, Inputs<In...> in, Outputs<Out...> out, F f, Condition condition,
                BindOptions options = {}) {
    static_assert(detail::CallTraits<Condition, In...>::kGood);
    return declare(group, std::move(in), std::move(out), std::move(f), std::move(condition),
                   std::move(options));
  }
  template <class Group, class... In, class F>
  requires(!detail::kIsOutputs<F>) Automatic
      automatic(Group& group, Inputs<In...> in, F f, BindOptions options = {}) {
    return automatic(group, std::move(in), Outputs<>(), std::move(f), std::move(options));
  }
  template <class Group, class... In, class F, class Condition>
  requires(!detail::kIsOutputs<F> && !std::same_as<std::remove_cvref_t<Condition>, BindOptions>) Automatic
      automatic(Group& group, Inputs<In...> in, F f, Condition condition, BindOptions options = {}) {
    return automatic(group, std::move(in), Outputs<>(), std::move(f), std::move(condition),
                     std::move(options));
  }
  /// A source: it has no inputs to wait for, and runs once, now.
  template <class Group, class... Out, class F>
  Automatic automatic(Group& group, Outputs<Out...> out, F f, BindOptions options = {}) {
    return automatic(group, Inputs<>(), std::move(out), std::move(f), std::move(options));
  }
  template <class Group, class... In, class F, class... More>
  requires(!detail::kIsOutputs<F>) Automatic
      automatic(Group& group, std::string function_name, Inputs<In...> in, F f, More... more) {
    return automatic(group, std::move(function_name), std::move(in), Outputs<>(), std::move(f),
                     std::move(more)...);
  }
  template <class Group, class... Out, class F, class... More>
  Automatic automatic(Group& group, std::string function_name, Outputs<Out...> out, F f, More... more) {
    return automatic(group, std::move(function_name), Inputs<>(), std::move(out), std::move(f),
                     std::move(more)...);
  }
  template <class Group, class... In, class... Out, class F, class... More>
  Automatic automatic(Group& group, std::string function_name, Inputs<In...> in, Outputs<Out...> out, F f,
                      More... more) {
    return named_automatic(group, std::move(function_name), std::move(in), std::move(out), std::move(f),
                           std::move(more)...);
  }

  /// What each automatic did, and what it still waits for and why that is not there: one line each.
  std::string explain() const { return core_->explain(); }
  /// Keys and functions as a graph for Graphviz; keys that hold a value are filled.
  std::string dot() const { return core_->dot(); }

  /// For the components that build on vaults.
  const std::shared_ptr<detail::VaultCore>& core() const noexcept { return core_; }

 private:
  template <class... T, std::size_t... I>
  static std::tuple<T...> copy_all(const std::vector<detail::ValueRef>& values, std::index_sequence<I...>) {
    return std::tuple<T...>(values[I].template as<T>()...);
  }
  template <class... T, std::size_t... I>
  static std::tuple<std::optional<T>...> copy_present(const std::vector<detail::ValueRef>& values,
                                                      std::index_sequence<I...>) {
    return std::tuple<std::optional<T>...>(optional_copy<T>(values[I])...);
  }
  template <class T>
  static std::optional<T> optional_copy(const detail::ValueRef& value) {
    return value ? std::optional<T>(value.template as<T>()) : std::nullopt;
  }

  template <class Group, class... In, class... Out, class F>
  Automatic named_automatic(Group& group, std::string function_name, Inputs<In...> in, Outputs<Out...> out,
                            F f, BindOptions options = {}) {
    options.name = std::move(function_name);
    return automatic(group, std::move(in), std::move(out), std::move(f), std::move(options));
  }
  template <class Group, class... In, class... Out, class F, class Condition>
  requires(!std::same_as<std::remove_cvref_t<Condition>, BindOptions>) Automatic
      named_automatic(Group& group, std::string function_name, Inputs<In...> in, Outputs<Out...> out, F f,
                      Condition condition, BindOptions options = {}) {
    options.name = std::move(function_name);
    return automatic(group, std::move(in), std::move(out), std::move(f), std::move(condition),
                     std::move(options));
  }

  template <class Group, class... In, class... Out, class F, class Condition>
  Automatic declare(Group& group, Inputs<In...> in, Outputs<Out...> out, F f, Condition condition,
                    BindOptions options) {
    auto info = detail::make_automatic(*core_, std::move(in), std::move(out), std::move(f),
                                       std::move(condition), options);
    info->runner = detail::make_runner(group);
    const std::size_t index = core_->add_automatic(std::move(info));
    return Automatic(core_, index);
  }

  const std::shared_ptr<detail::VaultCore> core_;
};

}  // namespace tg
