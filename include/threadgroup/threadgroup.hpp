// SPDX-License-Identifier: Apache-2.0
// All of the library that needs no other library, but the system calls: `core.hpp` and the vault.
#pragma once

#include <threadgroup/core.hpp>
#include <threadgroup/vault.hpp>
