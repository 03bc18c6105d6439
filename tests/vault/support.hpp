// SPDX-License-Identifier: Apache-2.0
// What the tests of the vault share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace tg::test {

/// The text of the exception of this type that `f` throws; fails if there is none.
template <class E, class F>
std::string error_of(F&& f) {
  try {
    std::forward<F>(f)();
  } catch (const E& e) {
    return e.what();
  } catch (const std::exception& e) {
    ADD_FAILURE() << "another exception: " << e.what();
    return {};
  }
  ADD_FAILURE() << "no exception";
  return {};
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace tg::test

#define EXPECT_HAS(text, part) EXPECT_PRED2(tg::test::has, text, part)
