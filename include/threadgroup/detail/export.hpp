// SPDX-License-Identifier: Apache-2.0
// What a shared library exports. Everything else is hidden, so that it collides with nothing in the program.
#pragma once

#include <threadgroup/detail/config.hpp>

/// Marks a function that a public header declares without defining it, and a class with such members.
/// Exceptions and classes with virtual functions have it, too: the library and its users must agree on their
/// type. In private headers it marks what the Python module and threadgroup_vault_json use: they share the one
/// forest of the process with the program.
///
/// In a static library nothing is exported: it defines TG_STATIC while it is compiled. Else two shared objects
/// that each contain a copy would share some objects of the two, and not others.
///
/// TG_LOCAL marks a member of such a class that only the library itself calls.
#if defined(TG_STATIC)
#define TG_EXPORT
#define TG_LOCAL
#else
#define TG_EXPORT __attribute__((visibility("default")))
#define TG_LOCAL __attribute__((visibility("hidden")))
#endif
