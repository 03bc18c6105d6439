// SPDX-License-Identifier: Apache-2.0
// Everything that needs no other library: `core.hpp` and the vault.
#pragma once

#include <threadgroup/core.hpp>
#include <threadgroup/vault.hpp>
