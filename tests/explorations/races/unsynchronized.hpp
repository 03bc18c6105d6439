// SPDX-License-Identifier: Apache-2.0
// Plain memory, accessed by code that is watched.
#pragma once

namespace tg::test {

int read_watched(const int& value);
void write_watched(int& value, int new_value);

}  // namespace tg::test
