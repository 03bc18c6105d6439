// SPDX-License-Identifier: Apache-2.0
// A std::map of std::any behind a std::mutex.
#include <any>
#include <map>
#include <mutex>

#include "work.hpp"

namespace {

class Store {
 public:
  void fill() {
    for (std::size_t i = 0; i < bench::kNames; ++i) {
      insert(names().ints[i], static_cast<int>(i));
      insert(names().texts[i], std::string("the text of this key, longer than a short string"));
    }
  }
  void replace(std::size_t i, int value) {
    const std::lock_guard lock(mutex_);
    values_[names().ints[i]] = value;
  }
  int get_int(std::size_t i) { return get<int>(names().ints[i]); }
  std::string get_text(std::size_t i) { return get<std::string>(names().texts[i]); }

 private:
  struct Names {
    std::array<std::string, bench::kNames> ints, texts;
    Names() {
      for (std::size_t i = 0; i < bench::kNames; ++i) {
        ints[i] = bench::name_of(i);
        texts[i] = bench::name_of(i) + " (text)";
      }
    }
  };
  static const Names& names() {
    static const Names all;
    return all;
  }
  template <class T>
  void insert(const std::string& name, T value) {
    const std::lock_guard lock(mutex_);
    if (!values_.emplace(name, std::move(value)).second) std::abort();
  }
  template <class T>
  T get(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return std::any_cast<const T&>(values_.at(name));
  }

  std::mutex mutex_;
  std::map<std::string, std::any> values_;
};

}  // namespace

void bench::run(const Options& options) { measure<Store>(options); }
