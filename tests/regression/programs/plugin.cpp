// SPDX-License-Identifier: Apache-2.0
// A plugin with a copy of the library inside, none of whose symbols can be seen from outside.
#include <threadgroup/threadgroup.hpp>

extern "C" __attribute__((visibility("default"))) int use_threadgroup() {
  tg::ThreadGroup group("in a plugin");
  return group.add_task([] { return 7; }).get();
}
