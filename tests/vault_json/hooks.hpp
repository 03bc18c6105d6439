// SPDX-License-Identifier: Apache-2.0
// What a test does in the middle of a system call or of an allocation.
#pragma once

#include "vault_json/file_calls.hpp"

namespace tg::test {

/// Puts back the table of system calls at the end. While it lives, a test may write functions of its own into
/// the table, when no file is in use.
class FileHooks {
 public:
  FileHooks() : real_(detail::file_calls) {}
  FileHooks(const FileHooks&) = delete;
  FileHooks& operator=(const FileHooks&) = delete;
  ~FileHooks() { detail::file_calls = real_; }

 private:
  const detail::FileCalls real_;
};

/// After `allocations` more of the calling thread, one fails.
void fail_one_after(long allocations) noexcept;
/// From now on all allocations of the calling thread fail.
void fail_all() noexcept;
/// Before one of the next allocations of the calling thread, it calls this, once.
void call_after(long allocations, void (*function)()) noexcept;
/// Ends all this for the calling thread, and says whether an allocation has failed.
bool spare() noexcept;

}  // namespace tg::test
