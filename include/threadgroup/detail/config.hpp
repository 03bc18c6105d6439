// SPDX-License-Identifier: Apache-2.0
// What the library needs of the compiler, in sentences, and its inline namespace. The headers that include no
// other header of ours include this one.
#pragma once

#if !defined(__SIZEOF_INT128__)
#error "threadgroup needs a 64-bit processor: durations are computed with __int128"
#endif

#if !defined(__cpp_exceptions)
#error "threadgroup needs exceptions: tasks report failures by them. Compile without -fno-exceptions."
#endif
#if !defined(__cpp_rtti)
#error "threadgroup needs RTTI: results print the names of their types. Compile without -fno-rtti."
#endif
#if __cplusplus < 202002L
#error "threadgroup needs C++20. Compile with -std=c++20 or a later standard."
#endif

/// Everything of `tg` is in an inline namespace, which users never write. Its number is part of all symbols and
/// changes with each release that is not compatible with binaries of the one before: so two of them in one
/// program do not meet. The compilers disagree on whether `namespace tg::detail {` continues one that is in it;
/// so the sources name it.
namespace tg {
inline namespace v0 {}
}  // namespace tg
