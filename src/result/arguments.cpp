// SPDX-License-Identifier: Apache-2.0
// The errors for arguments that do not fit.
#include <threadgroup/detail/arguments.hpp>

#include <threadgroup/detail/type_name.hpp>
#include <threadgroup/errors.hpp>

namespace tg::inline v0::detail {

void OfferedArguments::check_count(const std::string& function, std::size_t wanted) const {
  if (count_ == wanted) return;
  throw ArgumentError("function '" + function + "' takes " + std::to_string(wanted) +
                      (wanted == 1 ? " argument" : " arguments") + ", and " + std::to_string(count_) +
                      (count_ == 1 ? " was given" : " were given"));
}

void OfferedArguments::throw_wrong_type(std::size_t index, const std::string& function,
                                        const std::type_info& wanted) const {
  throw ArgumentError("function '" + function + "': argument " + std::to_string(index + 1) + " is of type " +
                      type_name(*arguments_[index].type) + ", and the function keeps a " + type_name(wanted) +
                      " there");
}

void OfferedArguments::throw_does_not_fit(std::size_t index, const std::string& function,
                                          const std::type_info& wanted) const {
  const PlainValue& plain = arguments_[index].plain;
  const auto* number = std::get_if<long long>(&plain);
  throw ArgumentError(
      "function '" + function + "': argument " + std::to_string(index + 1) + " is " +
      (number != nullptr ? std::to_string(*number) : std::to_string(std::get<unsigned long long>(plain))) +
      ", which does not fit into a " + type_name(wanted));
}

}  // namespace tg::inline v0::detail
