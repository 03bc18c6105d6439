// SPDX-License-Identifier: Apache-2.0
// What the library needs of the compiler, in sentences. The headers that include no other include this one.
#pragma once

#if !defined(__cpp_exceptions)
#error "threadgroup needs exceptions: tasks report failures by them. Compile without -fno-exceptions."
#endif
#if !defined(__cpp_rtti)
#error "threadgroup needs RTTI: results print the names of their types. Compile without -fno-rtti."
#endif
#if __cplusplus < 202002L
#error "threadgroup needs C++20. Compile with -std=c++20 or a later standard."
#endif
