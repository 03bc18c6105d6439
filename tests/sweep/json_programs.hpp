// SPDX-License-Identifier: Apache-2.0
// Programs that keep a vault in a file, or follow one.
#pragma once

#include "sweep/ledger.hpp"

namespace tg::test {

void file_written(Ledger& ledger);
void file_batched(Ledger& ledger);
void file_followed(Ledger& ledger);

}  // namespace tg::test
