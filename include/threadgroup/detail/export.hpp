// SPDX-License-Identifier: Apache-2.0
// What a shared library exports. Everything else is hidden, so that it collides with nothing in the program.
#pragma once

#include <threadgroup/detail/config.hpp>

/// Marks a function that a public header declares without defining it, and a class with such members.
/// Exceptions and classes with virtual functions have it, too: the library and its users must agree on their
/// type. In private headers it marks what the Python module and threadgroup_vault_json use: they share the one
/// forest of the process with the program.
#define TG_EXPORT __attribute__((visibility("default")))
