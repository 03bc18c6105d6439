// SPDX-License-Identifier: Apache-2.0
// The names of types, for people.
#pragma once

#include <string>
#include <typeinfo>

#include <threadgroup/detail/export.hpp>

namespace tg::inline v0::detail {

/// The name of a type as in the source: "std::vector<int>" and not "St6vectorIiSaIiEE".
TG_EXPORT std::string type_name(const std::type_info& type);

}  // namespace tg::inline v0::detail
