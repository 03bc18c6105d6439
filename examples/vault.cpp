// SPDX-License-Identifier: Apache-2.0
// Three functions set values and three others use them. The vault passes them on; no call has an argument.
#include <threadgroup/threadgroup.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>

using namespace std::chrono_literals;

struct Keyring {
  inline static const tg::Key<std::string> k1{"k1"};
  inline static const tg::Key<int> k2{"k2"};
  inline static const tg::Key<double> k3{"k3"};
};

constexpr auto kNap = 500ms;

void check(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

// Runs the three tasks of a stage. They must overlap: together they take well below the sum of the three.
template <class... F>
auto stage(const char* name, F... functions) {
  tg::ThreadGroup group(name);
  const auto start = std::chrono::steady_clock::now();
  std::tuple handles{group.add_task(functions)...};
  static_cast<void>(group.join());
  const auto took = std::chrono::steady_clock::now() - start;
  check(took < 0.8 * sizeof...(F) * kNap, "the functions did not run at the same time");
  std::cout << name << ": " << sizeof...(F) << " functions, at the same time\n";
  return handles;
}

int main() {
  tg::Vault vault{"vault", {Keyring::k1, Keyring::k2, Keyring::k3}};
  const auto nap = [] { tg::thread_utils::event_aware_sleep(kNap); };

  const auto set_k1 =
      vault.bind("set_k1", tg::inputs(), tg::outputs(Keyring::k1), [&] { return nap(), "valid"; });
  const auto set_k2 = vault.bind("set_k2", tg::inputs(), tg::outputs(Keyring::k2), [&] { return nap(), 1; });
  const auto set_k3 =
      vault.bind("set_k3", tg::inputs(), tg::outputs(Keyring::k3), [&] { return nap(), 3.14; });
  const auto use_k1 =
      vault.bind("use_k1", tg::inputs(Keyring::k1), tg::outputs(), [&](const std::string& k1) {
        nap();
        check(k1 == "valid", "k1 is wrong");
        return k1;
      });
  const auto use_k2 = vault.bind("use_k2", tg::inputs(Keyring::k2), tg::outputs(), [&](int k2) {
    nap();
    check(k2 == 1, "k2 is wrong");
    return k2;
  });
  const auto use_k3 = vault.bind("use_k3", tg::inputs(Keyring::k3), tg::outputs(), [&](double k3) {
    nap();
    check(k3 == 3.14, "k3 is wrong");
    return k3;
  });

  try {
    use_k1();
  } catch (const tg::MissingKeyError& e) {
    std::cout << "too early: " << e.what() << '\n';
  }
  stage("init", set_k1, set_k2, set_k3);
  for (const auto& [name, value] : vault.entries()) std::cout << "  " << name << " = " << value << '\n';
  const auto [r1, r2, r3] = stage("use", use_k1, use_k2, use_k3);
  std::cout << "results: " << r1.get() << ", " << r2.get() << ", " << r3.get() << '\n';
}
