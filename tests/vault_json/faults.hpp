// SPDX-License-Identifier: Apache-2.0
// Faults in the system calls on files: the n-th one fails, or all from there on, or the process ends there.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "vault_json/file_calls.hpp"

namespace tg::test {

/// What happens at which call. Numbers begin with 1.
struct FaultPlan {
  enum class What {
    nothing,
    fails,        ///< this call fails, and does nothing
    all_fail,     ///< this call and all that follow
    lies,         ///< this call does its work and says that it failed
    ends_before,  ///< the process ends instead of this call
    ends_after,   ///< the process ends right after it
    ends_within,  ///< of a write, a half is written; else as `ends_before`
  };
  What what = What::nothing;
  int at = 0;
  int error = 0;
  bool shortened = false;      ///< all reads and writes take a few bytes only
  std::string_view only = {};  ///< counts calls of this name alone
};

/// Puts faults into the table of system calls, as long as it lives. One at a time, and while no file is in
/// use.
class Faults {
 public:
  explicit Faults(const FaultPlan& plan) {
    real_ = detail::file_calls;
    plan_ = plan;
    calls_ = 0;
    happened_ = false;
    repaired_ = false;
    detail::FileCalls& c = detail::file_calls;
    c.open = hook<&detail::FileCalls::open>(c.open, "open");
    c.close = hook<&detail::FileCalls::close>(c.close, "close");
    c.read = hook<&detail::FileCalls::read>(c.read, "read");
    c.write = hook<&detail::FileCalls::write>(c.write, "write");
    c.ftruncate = hook<&detail::FileCalls::ftruncate>(c.ftruncate, "ftruncate");
    c.fsync = hook<&detail::FileCalls::fsync>(c.fsync, "fsync");
    c.fchmod = hook<&detail::FileCalls::fchmod>(c.fchmod, "fchmod");
    c.fstat = hook<&detail::FileCalls::fstat>(c.fstat, "fstat");
    c.stat = hook<&detail::FileCalls::stat>(c.stat, "stat");
    c.lstat = hook<&detail::FileCalls::lstat>(c.lstat, "lstat");
    c.flock = hook<&detail::FileCalls::flock>(c.flock, "flock");
    c.rename = hook<&detail::FileCalls::rename>(c.rename, "rename");
    c.unlink = hook<&detail::FileCalls::unlink>(c.unlink, "unlink");
    c.realpath = hook<&detail::FileCalls::realpath>(c.realpath, "realpath");
    c.readlink = hook<&detail::FileCalls::readlink>(c.readlink, "readlink");
    c.opendir = hook<&detail::FileCalls::opendir>(c.opendir, "opendir");
    c.readdir = hook<&detail::FileCalls::readdir>(c.readdir, "readdir");
    c.closedir = hook<&detail::FileCalls::closedir>(c.closedir, "closedir");
  }
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;
  ~Faults() { detail::file_calls = real_; }

  /// How many calls were made, those that failed included.
  static int calls() { return calls_; }
  /// Whether the call with the fault was reached.
  static bool happened() { return happened_; }
  /// From now on all goes well.
  static void repair() { repaired_ = true; }

 private:
  template <auto Member, class R, class... Args>
  static auto hook(R (*)(Args...), std::string_view name) -> R (*)(Args...) {
    name_of<Member> = name;
    return [](Args... args) -> R { return call<R>(name_of<Member>, real_.*Member, args...); };
  }

  template <class R, class... Args>
  static R call(std::string_view name, R (*real)(Args...), Args... args) {
    using What = FaultPlan::What;
    const int number = plan_.only.empty() || plan_.only == name ? ++calls_ : 0;
    const bool here = number == plan_.at || (plan_.what == What::all_fail && number >= plan_.at);
    if (plan_.what == What::nothing || repaired_ || number == 0 || !here)
      return shortened(name, real, args...);
    happened_ = true;
    switch (plan_.what) {
      case What::ends_within:
        if (name == "write") static_cast<void>(halved(real, args...));
        ::_exit(0);
      case What::ends_before:
        ::_exit(0);
      case What::ends_after:
        static_cast<void>(real(args...));
        ::_exit(0);
      case What::lies:
        static_cast<void>(real(args...));
        break;
      default:
        // The system closes in any case.
        if (name == "close" || name == "closedir") static_cast<void>(real(args...));
    }
    errno = plan_.error;
    if constexpr (std::is_pointer_v<R>) {
      return nullptr;
    } else {
      return -1;
    }
  }

  template <class R, class... Args>
  static R shortened(std::string_view, R (*real)(Args...), Args... args) {
    return real(args...);
  }
  template <class R, class Buffer>
  static R shortened(std::string_view name, R (*real)(int, Buffer, std::size_t), int fd, Buffer buffer,
                     std::size_t size) {
    const bool is_transfer = name == "read" || name == "write";
    return real(fd, buffer, plan_.shortened && is_transfer ? std::min<std::size_t>(size, 3) : size);
  }
  template <class R, class... Args>
  static R halved(R (*real)(Args...), Args... args) {
    return real(args...);
  }
  template <class R, class Buffer>
  static R halved(R (*real)(int, Buffer, std::size_t), int fd, Buffer buffer, std::size_t size) {
    return real(fd, buffer, size / 2);
  }

  template <auto Member>
  static inline std::string_view name_of;
  static inline detail::FileCalls real_ = detail::file_calls;
  static inline FaultPlan plan_;
  static inline std::atomic<int> calls_{0};
  static inline std::atomic<bool> happened_{false};
  static inline std::atomic<bool> repaired_{false};  // atomic: set while files are in use
};

}  // namespace tg::test
