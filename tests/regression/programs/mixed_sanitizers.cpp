// SPDX-License-Identifier: Apache-2.0
// A program that is built with ThreadSanitizer, around a library that is not.
#include <threadgroup/thread_utils.hpp>

int main() { return tg::thread_utils::event_is_set() ? 1 : 0; }
