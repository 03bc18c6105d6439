// SPDX-License-Identifier: Apache-2.0
// A text with the paths of groups in it, begun under a lock.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/escaped.hpp"
#include "tree/forest.hpp"
#include "tree/node.hpp"
#include "tree/task_context.hpp"

namespace tg::inline v0::detail {

/// A text with the paths of groups in it.
///
/// Guarantees: adding takes no lock, so the caller may hold one. `str` takes the lock of the forest, to look up
/// the paths. The object keeps the nodes until it is destroyed, which may take locks as well.
/// Thread safety: none.
class PathText {
 public:
  PathText() = default;
  PathText(const PathText&) = delete;
  PathText& operator=(const PathText&) = delete;
  ~PathText() {
    for (const Part& part : parts_) {
      if (Node* const* node = std::get_if<Node*>(&part)) (*node)->release();
    }
  }
  void add(std::string text) { parts_.emplace_back(std::move(text)); }
  void add_task(const std::string& name) { add("task '" + name + "'"); }
  void add_group(Node& node) {
    add("group '");
    parts_.emplace_back(&node);
    node.add_reference();
    add("'");
  }
  void add_task_of(const TaskContext& task) {
    add_task(task.task_name());
    add(" of ");
    add_group(*task.node);
  }
  std::string str() const {
    std::string text;
    for (const Part& part : parts_) {
      if (Node* const* node = std::get_if<Node*>(&part)) {
        text += escaped(Forest::instance().path(**node));
      } else {
        text += std::get<std::string>(part);
      }
    }
    return text;
  }

 private:
  using Part = std::variant<std::string, Node*>;
  std::vector<Part> parts_;
};

}  // namespace tg::inline v0::detail
