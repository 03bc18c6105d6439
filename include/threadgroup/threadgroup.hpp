// SPDX-License-Identifier: Apache-2.0
// `core.hpp` and the vault: everything that needs no other library, except `posix.hpp`, `process.hpp` and `resolve.hpp`.
#pragma once

#include <threadgroup/core.hpp>
#include <threadgroup/vault.hpp>
