// SPDX-License-Identifier: Apache-2.0
// Compiled like the library, with a call before each access.
#include "unsynchronized.hpp"

namespace tg::test {

int read_watched(const int& value) { return value; }
void write_watched(int& value, int new_value) { value = new_value; }

}  // namespace tg::test
