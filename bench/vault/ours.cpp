// SPDX-License-Identifier: Apache-2.0
// The vault.
#include <threadgroup/vault.hpp>

#include "work.hpp"

namespace {

struct Keys {
  std::vector<tg::Key<int>> ints;
  std::vector<tg::Key<std::string>> texts;
  tg::KeyList all;
  Keys() {
    for (std::size_t i = 0; i < bench::kNames; ++i) {
      ints.emplace_back(bench::name_of(i));
      texts.emplace_back(bench::name_of(i) + " (text)");
      all.add(ints.back());
      all.add(texts.back());
    }
  }
};
const Keys& keys() {
  static const Keys all;
  return all;
}

class Store {
 public:
  void fill() {
    for (std::size_t i = 0; i < bench::kNames; ++i) {
      vault_.insert(keys().ints[i], static_cast<int>(i));
      vault_.insert(keys().texts[i], "the text of this key, longer than a short string");
    }
  }
  void replace(std::size_t i, int value) { vault_.insert(keys().ints[i], value, tg::permit_modification); }
  int get_int(std::size_t i) { return vault_.get(keys().ints[i]); }
  std::string get_text(std::size_t i) { return vault_.get(keys().texts[i]); }

 private:
  tg::Vault vault_{"bench", keys().all};
};

}  // namespace

void bench::run(const Options& options) { measure<Store>(options); }
