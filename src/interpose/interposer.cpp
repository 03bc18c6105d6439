// SPDX-License-Identifier: Apache-2.0
// Finding the functions that are replaced, while the library is loaded.
#include "interpose/interposer.hpp"

#include "interpose/files.hpp"
#include "interpose/messages.hpp"
#include "interpose/signals.hpp"
#include "interpose/sleeps.hpp"
#include "interpose/sockets.hpp"
#include "interpose/waits.hpp"

const char tg_interpose[] = "threadgroup::interpose";

namespace tg::inline v0::interpose {

namespace {
// Before the program's initializers and threads, and on its first thread.
[[gnu::constructor(101)]] void find_functions() {
  find_functions_of_files();
  find_functions_of_sockets();
  find_functions_of_waits();
  find_functions_of_sleeps();
  find_functions_of_signals();
  find_functions_of_messages();
}
}  // namespace

}  // namespace tg::inline v0::interpose
