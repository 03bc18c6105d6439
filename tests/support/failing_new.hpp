// SPDX-License-Identifier: Apache-2.0
// The allocation functions of a test program, some of whose calls fail.
#pragma once

namespace tg::test {

/// Whether the next allocation of the calling thread fails. Defined by the program that links
/// failing_new.cpp, and called for each of its allocations.
bool allocation_fails() noexcept;

}  // namespace tg::test
