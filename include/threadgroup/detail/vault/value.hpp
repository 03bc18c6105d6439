// SPDX-License-Identifier: Apache-2.0
// Immutable values, shared by their readers.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <threadgroup/detail/atomic.hpp>
#include <threadgroup/detail/blocks.hpp>
#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/vault/short_copy.hpp>

namespace tg::inline v0::detail {

/// A value of some type, shared by its readers.
class TG_EXPORT ValueNode : public runtime::InBlock {
 public:
  ValueNode(const ValueNode&) = delete;
  ValueNode& operator=(const ValueNode&) = delete;

  void add(std::int64_t count) noexcept { references_.fetch_add(count, std::memory_order_relaxed); }
  /// The same for a caller that knows the count, `only`, which the value has if there is no other owner. In
  /// that case no other owner can change it, and a plain store replaces the atomic addition, which would be
  /// the most expensive part of a short insert.
  void add(std::int64_t count, std::int64_t only) noexcept {
    if (references_.load(std::memory_order_acquire) == only) {
      references_.store(only + count, std::memory_order_relaxed);
    } else {
      add(count);
    }
  }
  /// Changes the count and destroys the value at zero.
  void settle(std::int64_t change) noexcept {
    if (references_.load(std::memory_order_acquire) + change == 0 ||
        references_.fetch_add(change, std::memory_order_acq_rel) + change == 0) {
      delete this;
    }
  }
  /// Writes the value to the copy if its type is short.
  virtual void copy_to(ShortCopy& copy) const noexcept = 0;

 protected:
  ValueNode() = default;
  virtual ~ValueNode() = default;

 private:
  Atomic<std::int64_t> references_{1};  // atomic: owners on many threads
};

template <class T>
class TypedNode final : public ValueNode {
 public:
  explicit TypedNode(T&& given) : value(std::move(given)) {}
  void copy_to(ShortCopy& copy) const noexcept override {
    if constexpr (ShortCopy::kFits<T>) copy.write(value);
  }
  const T value;

 private:
  ~TypedNode() override = default;
};

/// Owns one reference to a value, or nothing.
class ValueRef {
 public:
  ValueRef() = default;
  explicit ValueRef(ValueNode* adopted) noexcept : node_(adopted) {}
  ValueRef(const ValueRef& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) node_->add(1);
  }
  ValueRef(ValueRef&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  ValueRef& operator=(ValueRef other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~ValueRef() {
    if (node_ != nullptr) node_->settle(-1);
  }

  explicit operator bool() const noexcept { return node_ != nullptr; }
  ValueNode* get() const noexcept { return node_; }
  ValueNode* detach() noexcept { return std::exchange(node_, nullptr); }
  /// Requires: the value is of this type.
  template <class T>
  const T& as() const noexcept {
    return static_cast<const TypedNode<T>*>(node_)->value;
  }

 private:
  ValueNode* node_ = nullptr;
};

/// Shares a value without copying it.
template <class T>
std::shared_ptr<const T> share_value(ValueRef ref) {
  const T* const value = std::addressof(ref.as<T>());
  return std::shared_ptr<const T>(value, [owner = std::move(ref)](const T*) {});
}

}  // namespace tg::inline v0::detail
