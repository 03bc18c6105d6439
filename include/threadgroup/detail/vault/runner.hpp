// SPDX-License-Identifier: Apache-2.0
// The group that an automatic runs in, as the vault sees it.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include <threadgroup/detail/export.hpp>
#include <threadgroup/detail/unique_function.hpp>

namespace tg::inline v0::detail {

/// Starts the runs of one automatic.
///
/// Thread safety: everything from any thread.
class TG_EXPORT Runner {
 public:
  Runner() = default;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  virtual ~Runner() = default;

  /// Adds a run to the group. If the group does not accept it, destroys the run and throws.
  virtual void start(const std::string& task, UniqueFunction<void()> run) = 0;
  /// True if the group's object has been destroyed.
  virtual bool closed() const noexcept { return false; }
  /// True if the group belongs to the process that this one was forked from.
  virtual bool forked() const noexcept { return false; }
  bool lost() const noexcept { return closed() || forked(); }
  /// A token that is stopped together with the group; for a class without tokens, one that is never stopped.
  virtual std::stop_token stop_token() const { return {}; }
  virtual std::string group_name() const { return {}; }
};

/// For a group with `link`, which may be destroyed before the vault.
template <class Link>
class LinkedRunner final : public Runner {
 public:
  template <class Group>
  explicit LinkedRunner(Group& group) : link_(group.link()) {}
  void start(const std::string& task, UniqueFunction<void()> run) override {
    link_.add_task(task, std::move(run));
  }
  bool closed() const noexcept override { return link_.closed(); }
  bool forked() const noexcept override { return link_.forked(); }
  std::stop_token stop_token() const override { return link_.stop_token(); }
  std::string group_name() const override { return link_.name(); }

 private:
  Link link_;
};

/// For any other class with `post`. It must outlive the last insert of an input.
template <class Group>
class PostingRunner final : public Runner {
 public:
  explicit PostingRunner(Group& group) : group_(group) {}
  void start(const std::string& task, UniqueFunction<void()> run) override {
    if constexpr (requires { group_.add_task({task}, std::move(run)); }) {
      group_.add_task({task}, std::move(run));
    } else {
      static_cast<void>(task);
      group_.post(std::move(run));
    }
  }

 private:
  Group& group_;
};

template <class Group>
std::unique_ptr<Runner> make_runner(Group& group) {
  if constexpr (requires { group.link(); }) {
    return std::make_unique<LinkedRunner<decltype(group.link())>>(group);
  } else {
    return std::make_unique<PostingRunner<Group>>(group);
  }
}

}  // namespace tg::inline v0::detail
