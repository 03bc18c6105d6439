// SPDX-License-Identifier: Apache-2.0
// The vault: typed values under typed keys, and functions that take their inputs from it and store their
// outputs in it.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <threadgroup/detail/vault/binding.hpp>
#include <threadgroup/detail/vault/bound.hpp>
#include <threadgroup/detail/vault/core.hpp>
#include <threadgroup/detail/vault/value_cell.hpp>
#include <threadgroup/duration.hpp>
#include <threadgroup/vault_keyring.hpp>
#include <threadgroup/vault_types.hpp>

namespace tg {
inline namespace v0 {

/// A function that a vault runs by itself; see `Vault::automatic`. The function continues to run when this
/// object is destroyed.
///
/// Thread safety: everything from any thread.
/// Lifetime: keeps the vault's contents alive.
class Automatic {
 public:
  /// For the library.
  Automatic(std::shared_ptr<detail::VaultCore> core, std::size_t index)
      : core_(std::move(core)), index_(index) {}

  /// `BindOptions::name`, or the name made from the keys.
  const std::string& name() const { return core_->automatic(index_).name; }
  /// The number of runs so far, including those that failed.
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
  Key<T> key;  ///< the key
  T value;     ///< the value to store under it
};
/// Makes an `Entry`. The value must fit the key's type: it is converted implicitly, but never from a
/// floating-point number to an integer, or between numbers and bool.
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
/// Requires: every key that is passed is one of those that the vault was made with; others throw
/// `UnknownKeyError`.
/// Guarantees: a value that was read stays valid and unchanged while other threads write. Readers see all
/// changes of a step over several keys, or none. No code of the user (validators, copies, destructors,
/// functions) runs under a lock.
/// Thread safety: everything from any thread. Reading one key takes no lock, except `share` of a short value.
/// Lifetime: bound functions, handles and runs keep the contents alive.
class Vault {
 public:
  /// Makes an empty vault for these keys: a list, a keyring, or both joined by `keys`. Throws `KeyTypeError`
  /// if two keys have the same name and different types.
  Vault(std::string name, const KeyList& keys, VaultOptions options = {})
      : core_(std::make_shared<detail::VaultCore>(std::move(name), keys, options)) {}
  Vault(const Vault&) = delete;
  Vault& operator=(const Vault&) = delete;

  /// The name given to the constructor, which errors show.
  const std::string& name() const noexcept { return core_->name(); }

  // --- Writing

  /// Stores a value, which must fit the key's type as for `entry`. Throws `ValueRejectedError` if a validator
  /// or a modifier refuses it, and `KeyExistsError` if the key holds a value and neither the vault nor the
  /// call permits modification. If an automatic cannot be started or a resource cannot keep the value, it
  /// stores the value and throws; see `automatic` and `JsonResource`.
  template <class T, class V>
  void insert(const Key<T>& key, V&& value, InsertOptions options = {}) {
    static_assert(detail::kFits<V, T>, "tg::Vault::insert: the value does not fit the key's type");
    std::array<detail::Change, 1> change;
    change[0].slot = core_->find(key.info());
    change[0].value = key.info().make(T(std::forward<V>(value)));
    core_->commit(change, {options.permit_modification, detail::kNone, false});
  }
  /// Stores all values in one step, or throws and stores none.
  ///
  ///     vault.insert_all(tg::entry(a, 1), tg::entry(b, "x"));
  template <class... T>
  void insert_all(Entry<T>... entries) {
    insert_all(InsertOptions{}, std::move(entries)...);
  }
  /// The same with options: `vault.insert_all(tg::permit_modification, tg::entry(a, 1))`.
  template <class... T>
  void insert_all(InsertOptions options, Entry<T>... entries) {
    std::array<detail::Change, sizeof...(T)> changes{detail::Change{
        core_->find(entries.key.info()), entries.key.info().make(std::move(entries.value)), {}}...};
    core_->commit(changes, {options.permit_modification, detail::kNone, false});
  }
  /// Removes the values of these keys in one step. True if any of the keys held a value.
  template <class... T>
  bool erase(const Key<T>&... keys) {
    const std::array<std::size_t, sizeof...(T)> slots{core_->find(keys.info())...};
    return core_->erase(slots);
  }

  // --- Reading

  /// A copy of the value. Throws `MissingKeyError` if there is none; the text names the key and the functions
  /// that are known to produce it.
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
  /// A copy of the value, or nothing if the key holds none.
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
  /// The value itself, without a copy. It does not change, even when the key gets another value. Throws
  /// `MissingKeyError` if there is none.
  template <class T>
  std::shared_ptr<const T> share(const Key<T>& key) const {
    const std::size_t slot = core_->find(key.info());
    detail::ValueRef value = core_->pin<T>(slot).ref();
    if (!value) core_->throw_missing({&slot, 1});
    return detail::share_value<T>(std::move(value));
  }
  /// As `share`, but null if there is no value.
  template <class T>
  std::shared_ptr<const T> try_share(const Key<T>& key) const {
    detail::ValueRef value = core_->pin<T>(core_->find(key.info())).ref();
    return value ? detail::share_value<T>(std::move(value)) : nullptr;
  }
  /// Copies of the values of several keys at one moment. Throws `MissingKeyError` if any is missing.
  ///
  ///     auto [a, b] = vault.get_all(key_a, key_b);
  template <class... T>
  std::tuple<T...> get_all(const Key<T>&... keys) const {
    const std::array<std::size_t, sizeof...(T)> slots{core_->find(keys.info())...};
    const std::vector<detail::ValueRef> values = core_->values(slots);
    if (!std::all_of(values.begin(), values.end(), [](const auto& v) { return static_cast<bool>(v); }))
      core_->throw_missing(slots);
    return copy_all<T...>(values, std::index_sequence_for<T...>());
  }
  /// Copies of the values of several keys at one moment; nothing for a key that holds none.
  template <class... T>
  std::tuple<std::optional<T>...> try_get_all(const Key<T>&... keys) const {
    const std::array<std::size_t, sizeof...(T)> slots{core_->find(keys.info())...};
    const std::vector<detail::ValueRef> values = core_->values(slots);
    return copy_present<T...>(values, std::index_sequence_for<T...>());
  }
  /// True if the key holds a value.
  template <class T>
  bool contains(const Key<T>& key) const {
    return core_->contains(core_->find(key.info()));
  }
  /// The number of keys that hold a value.
  std::size_t size() const { return core_->size(); }
  /// True if no key holds a value.
  bool empty() const { return size() == 0; }
  /// All values at one moment, as names and text, in the order of the keys.
  std::vector<VaultEntry> entries() const {
    std::vector<VaultEntry> all;
    const std::vector<detail::ValueRef> values = core_->all_values();
    for (std::size_t slot = 0; slot < values.size(); ++slot) {
      if (values[slot]) all.push_back({core_->info(slot).name, core_->info(slot).print(values[slot])});
    }
    return all;
  }

  /// Waits until the key holds a value. It returns early if the event of the caller's scope or group is set, if
  /// the time is up, or if no known producer of the key can store it any more and one of them failed, was
  /// stopped or was skipped. Known producers are automatics, and bound functions that were added to a group,
  /// executed or called. An automatic with an input that cannot come for such a reason cannot run, either. A
  /// task lends its slot while it waits.
  template <class T>
  KeyWait wait_for(const Key<T>& key, Duration timeout = Duration::max()) const {
    const std::size_t slot = core_->find(key.info());
    return core_->wait_for({&slot, 1}, timeout);
  }
  /// As `wait_for`, until all of several keys hold a value at the same moment.
  template <class... T>
  KeyWait wait_for_all(Duration timeout, const Key<T>&... keys) const {
    const std::array<std::size_t, sizeof...(T)> slots{core_->find(keys.info())...};
    return core_->wait_for(slots, timeout);
  }

  // --- Functions

  /// Makes a callable without parameters that reads the inputs from the vault at one moment, calls `f`, and
  /// stores what `f` returns in one step. It can be called, added to a group or registered.
  ///
  /// Either list may be left out. For a `Key<T>`, the parameter of `f` is `const T&`, `T`,
  /// `std::shared_ptr<const T>`, or `std::optional<T>`, which permits the input to be missing. If `f` takes a
  /// `std::stop_token` before its inputs, it receives that of the caller's scope or group; outside both, one
  /// that is never stopped. With one output, `f` returns its value; with several, a tuple. Each of them may
  /// be a `std::optional`; if that is empty, the output is left unchanged. The callable returns what `f`
  /// returned. Throws `DeclarationError` if a key is both input and output without `output_replaces_input`.
  template <class... In, class... Out, class F>
  auto bind(Inputs<In...> in, Outputs<Out...> out, F f, BindOptions options = {}) {
    return detail::make_bound(core_, std::move(in), std::move(out), std::move(f), std::move(options));
  }
  /// \overload
  template <class... In, class F>
  requires(!detail::kIsOutputs<F>) auto bind(Inputs<In...> in, F f, BindOptions options = {}) {
    return bind(std::move(in), Outputs<>(), std::move(f), std::move(options));
  }
  /// \overload
  template <class... Out, class F>
  auto bind(Outputs<Out...> out, F f, BindOptions options = {}) {
    return bind(Inputs<>(), std::move(out), std::move(f), std::move(options));
  }
  /// The same with a name for errors, reports and pictures, in place of `BindOptions::name`.
  template <class... In, class... Out, class F>
  auto bind(std::string function_name, Inputs<In...> in, Outputs<Out...> out, F f, BindOptions options = {}) {
    options.name = std::move(function_name);
    return bind(std::move(in), std::move(out), std::move(f), std::move(options));
  }
  /// \overload
  template <class... In, class F>
  requires(!detail::kIsOutputs<F>) auto bind(std::string function_name, Inputs<In...> in, F f,
                                             BindOptions options = {}) {
    return bind(std::move(function_name), std::move(in), Outputs<>(), std::move(f), std::move(options));
  }
  /// \overload
  template <class... Out, class F>
  auto bind(std::string function_name, Outputs<Out...> out, F f, BindOptions options = {}) {
    return bind(std::move(function_name), Inputs<>(), std::move(out), std::move(f), std::move(options));
  }

  /// Declares a function that the vault runs in the group by itself, exactly once for each complete set of
  /// inputs: when the last required input is inserted, or now if all are present, and again when an input is
  /// modified. `f` is as for `bind`. Runs of one automatic do not overlap. If all outputs are present when
  /// the first set of inputs is complete, that set counts as done, so after a crash only what is missing runs
  /// again.
  ///
  /// If a run throws, that is the failure of a task of the group, and the outputs stay absent. If a run
  /// cannot be started, the inserting call stores the values and then throws; the next run covers that set as
  /// well. If the group has been destroyed, the inserting call throws `GroupGoneError`; then the same
  /// function may be declared again in another group. (Any class with `post` can be used as a group. If it
  /// has no `link`, it must outlive the last insert of an input.) Throws `DeclarationError`, which names the
  /// path, for a cycle and for a second producer of a key.
  template <class Group, class... In, class... Out, class F>
  Automatic automatic(Group& group, Inputs<In...> in, Outputs<Out...> out, F f, BindOptions options = {}) {
    return declare(group, std::move(in), std::move(out), std::move(f), detail::NoCondition{},
                   std::move(options));
  }
  /// The same with a condition over the same inputs: `f` runs only if `condition` returns true.
  template <class Group, class... In, class... Out, class F, class Condition>
  requires(!std::same_as<std::remove_cvref_t<Condition>, BindOptions>) Automatic
      automatic(Group& group, Inputs<In...> in, Outputs<Out...> out, F f, Condition condition,
                BindOptions options = {}) {
    static_assert(detail::CallTraits<Condition, In...>::kGood);
    return declare(group, std::move(in), std::move(out), std::move(f), std::move(condition),
                   std::move(options));
  }
  /// \overload
  template <class Group, class... In, class F>
  requires(!detail::kIsOutputs<F>) Automatic
      automatic(Group& group, Inputs<In...> in, F f, BindOptions options = {}) {
    return automatic(group, std::move(in), Outputs<>(), std::move(f), std::move(options));
  }
  /// \overload
  template <class Group, class... In, class F, class Condition>
  requires(!detail::kIsOutputs<F> && !std::same_as<std::remove_cvref_t<Condition>, BindOptions>) Automatic
      automatic(Group& group, Inputs<In...> in, F f, Condition condition, BindOptions options = {}) {
    return automatic(group, std::move(in), Outputs<>(), std::move(f), std::move(condition),
                     std::move(options));
  }
  /// Declares a source: it has no inputs to wait for, and runs once, now.
  template <class Group, class... Out, class F>
  Automatic automatic(Group& group, Outputs<Out...> out, F f, BindOptions options = {}) {
    return automatic(group, Inputs<>(), std::move(out), std::move(f), std::move(options));
  }
  /// The same with a name for errors, reports and pictures, in place of `BindOptions::name`.
  template <class Group, class... In, class F, class... More>
  requires(!detail::kIsOutputs<F>) Automatic
      automatic(Group& group, std::string function_name, Inputs<In...> in, F f, More... more) {
    return automatic(group, std::move(function_name), std::move(in), Outputs<>(), std::move(f),
                     std::move(more)...);
  }
  /// \overload
  template <class Group, class... Out, class F, class... More>
  Automatic automatic(Group& group, std::string function_name, Outputs<Out...> out, F f, More... more) {
    return automatic(group, std::move(function_name), Inputs<>(), std::move(out), std::move(f),
                     std::move(more)...);
  }
  /// \overload
  template <class Group, class... In, class... Out, class F, class... More>
  Automatic automatic(Group& group, std::string function_name, Inputs<In...> in, Outputs<Out...> out, F f,
                      More... more) {
    return named_automatic(group, std::move(function_name), std::move(in), std::move(out), std::move(f),
                           std::move(more)...);
  }

  /// One line for each automatic: what it did, which inputs it waits for, and why they are missing.
  std::string explain() const { return core_->explain(); }
  /// The keys and functions as a graph for Graphviz. Keys that hold a value are filled.
  std::string dot() const { return core_->dot(); }

  /// For components that are built on vaults.
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

}  // namespace v0
}  // namespace tg
