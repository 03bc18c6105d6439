// SPDX-License-Identifier: Apache-2.0
// How the nodes of scopes and calls come into the forest, and leave it.
#pragma once

#include <memory>
#include <utility>

#include <threadgroup/detail/blocks.hpp>

#include "tree/forest.hpp"
#include "tree/node.hpp"

namespace tg::inline v0::detail {

struct ReleaseNode {
  void operator()(Node* node) const noexcept { node->release(); }
};
/// A reference to a node.
template <class Kind>
using NodeReference = std::unique_ptr<Kind, ReleaseNode>;

/// Another reference to a node that the caller holds.
template <class Kind>
NodeReference<Kind> share(Kind& node) noexcept {
  node.add_reference();
  return NodeReference<Kind>(&node);
}

/// Makes a node below the caller's innermost one. Throws `std::bad_alloc`.
template <class Kind, class... Arguments>
NodeReference<Kind> make_linked(Arguments&&... arguments) {
  NodeReference<Kind> node(runtime::InBlock::make<Kind>(std::forward<Arguments>(arguments)...));
  Forest::link(*node);
  return node;
}

/// Takes it out of the forest, and gives up the maker's reference.
inline void take_out(Node& node) noexcept {
  // Most have neither children nor other owners when they end.
  switch (Forest::unlink_leaf(node)) {
    case Forest::Unlinked::has_children:
      Forest::instance().unlink(node);
      break;
    case Forest::Unlinked::unseen:
      Forest::drop_core(node);
      break;
    default:
      break;
  }
  node.release();
}

}  // namespace tg::inline v0::detail
