// SPDX-License-Identifier: Apache-2.0
// What the tests of the vault's files share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

#include "support/in_child.hpp"
#include "support/temporary_folder.hpp"
#include "vault/support.hpp"

namespace tg::test {

/// A folder that is gone afterwards; in memory where there is such a file system, which saves time.
class Folder : public TemporaryFolder {
 public:
  Folder() : TemporaryFolder(fast_place()) {}
  /// The names of all that is in it.
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path()))
      found.insert(entry.path().filename());
    return found;
  }

 private:
  static std::filesystem::path fast_place() {
    const std::filesystem::path memory = "/dev/shm";
    return ::access(memory.c_str(), W_OK) == 0 ? memory : std::filesystem::temp_directory_path();
  }
};

inline std::string contents(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}
/// Replaces a file as a careful writer does.
inline void put(const std::string& path, const std::string& text) {
  std::ofstream(path + ".new") << text;
  std::filesystem::rename(path + ".new", path);
}

/// Between two processes: what one sends, the other one receives.
class Signal {
 public:
  Signal() {
    if (::pipe(ends_) != 0) throw std::runtime_error("no pipe");
  }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void tell() const {
    if (::write(ends_[1], "x", 1) != 1) throw std::runtime_error("a pipe is broken");
  }
  void hear() const {
    char byte = 0;
    if (::read(ends_[0], &byte, 1) != 1) throw std::runtime_error("a pipe is broken");
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace tg::test
