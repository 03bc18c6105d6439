// SPDX-License-Identifier: Apache-2.0
// The program of those who use the component vault_json: a value goes to a file and comes back.
#include <threadgroup/vault_json.hpp>

#include <cstdio>
#include <filesystem>

int main(int, char** argv) {
  const std::filesystem::path file = std::string(argv[0]) + ".json";
  std::filesystem::remove(file);
  const tg::Key<int> answer("answer");
  {
    tg::Vault vault("written", {answer});
    tg::JsonResource json(file, tg::JsonMode::append);
    json.attach(vault, {answer});
    vault.insert(answer, 42);
  }
  tg::Vault vault("read", {answer});
  tg::JsonResource json(file, tg::JsonMode::append);
  json.attach(vault, {answer});
  std::printf("the file answers %d\n", vault.get(answer));
  return vault.get(answer) == 42 ? 0 : 1;
}
