// SPDX-License-Identifier: Apache-2.0
// The one main of all benchmarks: a program measures one problem with one library, and prints its figures as
// lines of JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace bench {

/// The options of a run: `--tasks 1000000 --producers 4`.
class Options {
 public:
  Options(int argc, char** argv) : words_(argv + 1, argv + argc) {}

  std::int64_t get(const char* name, std::int64_t otherwise) const {
    const std::string option = std::string("--") + name;
    for (std::size_t i = 0; i + 1 < words_.size(); ++i) {
      if (words_[i] == option) return std::strtoll(words_[i + 1].c_str(), nullptr, 10);
    }
    return otherwise;
  }

 private:
  std::vector<std::string> words_;
};

/// Prints one figure. The runner collects them by name.
inline void report(const char* figure, double value) {
  std::printf("{\"figure\": \"%s\", \"value\": %.6g}\n", figure, value);
}

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  double milliseconds() const { return seconds() * 1e3; }
  double nanoseconds() const { return seconds() * 1e9; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The problem, as one library solves it: defined once in each program.
void run(const Options& options);

}  // namespace bench

int main(int argc, char** argv) {
  bench::run(bench::Options(argc, argv));
  return 0;
}
