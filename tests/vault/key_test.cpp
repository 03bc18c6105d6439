// SPDX-License-Identifier: Apache-2.0
// Keys, validators, modifiers, keyrings.
#include "support.hpp"

#include <stdexcept>
#include <tuple>

#include <threadgroup/vault.hpp>

namespace key_test {
namespace {

using tg::test::error_of;

bool positive(const int& i) { return i > 0; }

TEST(Key, the_text_of_a_rejected_value_is_cut_to_a_readable_length) {
  const tg::Key<std::string> name{"name",
                                  tg::validator("short", [](const std::string& s) { return s.size() < 9; })};
  tg::Vault vault("v", {name});
  // The cut is not inside a character of two bytes.
  const auto text = error_of<tg::ValueRejectedError>([&] {
    vault.insert(
        name, std::string(199, 'x') + [] {
          std::string many;
          for (int i = 0; i < 100'000; ++i) many += "\u00e9";
          return many;
        }());
  });
  EXPECT_HAS(text, "xxx");
  EXPECT_HAS(text, "... (200199 bytes)");
  EXPECT_LT(text.size(), 500u);
  EXPECT_EQ(text.find("\\x"), std::string::npos) << text;
}

TEST(Key, a_rejected_value_names_the_key_and_why_and_nothing_changes) {
  const tg::Key<int> port{"port", tg::validator("a port is positive", positive)};
  tg::Vault vault("v", {port});
  vault.insert(port, 80);
  const auto text =
      error_of<tg::ValueRejectedError>([&] { vault.insert(port, -1, tg::permit_modification); });
  EXPECT_HAS(text, "'port'");
  EXPECT_HAS(text, "a port is positive");
  EXPECT_HAS(text, "-1");
  EXPECT_EQ(vault.get(port), 80);
}

TEST(Key, a_validator_says_no_by_false_by_a_text_or_by_throwing) {
  const tg::Key<int> by_false{"by_false", positive};
  const tg::Key<int> by_text{"by_text", [](const int& i) -> std::optional<std::string> {
                               if (i > 0) return std::nullopt;
                               return "too small";
                             }};
  const tg::Key<int> by_throw{"by_throw", [](const int& i) {
                                if (i <= 0) throw std::runtime_error("cannot bear it");
                              }};
  tg::Vault vault("v", {by_false, by_text, by_throw});
  EXPECT_HAS(error_of<tg::ValueRejectedError>([&] { vault.insert(by_false, 0); }), "validator 1");
  EXPECT_HAS(error_of<tg::ValueRejectedError>([&] { vault.insert(by_text, 0); }), "too small");
  EXPECT_HAS(error_of<tg::ValueRejectedError>([&] { vault.insert(by_throw, 0); }), "cannot bear it");
  EXPECT_EQ(vault.size(), 0U);
  vault.insert(by_false, 1);
  vault.insert(by_text, 1);
  vault.insert(by_throw, 1);
  EXPECT_EQ(vault.size(), 3U);
}

TEST(Key, the_modifier_runs_before_the_validators_and_its_result_is_stored) {
  const tg::Key<std::string> name{"name",
                                  tg::validator("not empty", [](const std::string& s) { return !s.empty(); }),
                                  tg::modifier([](std::string s) {
                                    s.erase(0, s.find_first_not_of(' '));
                                    return s;
                                  })};
  tg::Vault vault("v", {name});
  vault.insert(name, "  ann");
  EXPECT_EQ(vault.get(name), "ann");
  EXPECT_HAS(error_of<tg::ValueRejectedError>([&] { vault.insert(name, "   ", tg::permit_modification); }),
             "not empty");
}

TEST(Key, a_modifier_that_throws_rejects_the_value) {
  const tg::Key<int> key{"key", tg::modifier([](int) -> int { throw std::runtime_error("no way"); })};
  tg::Vault vault("v", {key});
  EXPECT_HAS(error_of<tg::ValueRejectedError>([&] { vault.insert(key, 1); }), "no way");
}

struct Ring {
  tg::Key<std::string> k1{"k1"};
  tg::Key<int> k2{"k2"};
  tg::Key<double> k3{"k3"};
};

struct StaticRing {
  inline static const tg::Key<std::string> k1{"k1"};
  inline static const tg::Key<int> k2{"k2"};
  static auto keys() { return std::tuple(k1, k2); }
};

TEST(Keyring, a_vault_made_from_a_struct_of_keys_knows_its_keys) {
  const Ring ring;
  tg::Vault vault("v", ring);
  vault.insert(ring.k1, "x");
  vault.insert(ring.k2, 2);
  vault.insert(ring.k3, 3.5);
  EXPECT_EQ(vault.size(), 3U);
}

TEST(Keyring, static_keys_are_named_by_a_list_or_by_the_struct) {
  tg::Vault listed{"v", {StaticRing::k1, StaticRing::k2}};
  tg::Vault whole("v", StaticRing{});
  listed.insert(StaticRing::k2, 1);
  whole.insert(StaticRing::k2, 1);
  EXPECT_EQ(listed.get(StaticRing::k2), whole.get(StaticRing::k2));
}

TEST(Keyring, an_unknown_key_is_refused_by_name_in_every_call) {
  const tg::Key<int> known{"known"};
  const tg::Key<int> stranger{"stranger"};
  tg::Vault vault("the vault", {known});
  const auto refuses = [&](auto f) {
    const auto text = error_of<tg::UnknownKeyError>(f);
    EXPECT_HAS(text, "'stranger'");
    EXPECT_HAS(text, "'the vault'");
  };
  refuses([&] { vault.insert(stranger, 1); });
  refuses([&] { static_cast<void>(vault.get(stranger)); });
  refuses([&] { static_cast<void>(vault.try_get(stranger)); });
  refuses([&] { static_cast<void>(vault.contains(stranger)); });
  refuses([&] { vault.erase(stranger); });
  refuses([&] { static_cast<void>(vault.wait_for(stranger, tg::Duration())); });
  refuses([&] { static_cast<void>(vault.bind(tg::inputs(stranger), tg::outputs(), [](int) {})); });
}

TEST(Keyring, two_keyrings_with_one_name_and_two_types_are_refused_when_the_vault_is_made) {
  const Ring ring;
  const tg::Key<double> other{"k2"};
  const auto text = error_of<tg::KeyTypeError>([&] { tg::Vault("v", tg::keys(ring, other)); });
  EXPECT_HAS(text, "'k2'");
  EXPECT_HAS(text, "int");
  EXPECT_HAS(text, "double");
}

TEST(Keyring, the_same_name_and_type_from_two_keyrings_is_one_key) {
  const Ring ring;
  tg::Vault vault("v", tg::keys(ring, StaticRing{}));
  vault.insert(ring.k2, 7);
  EXPECT_EQ(vault.get(StaticRing::k2), 7);
  EXPECT_EQ(vault.entries().size(), 1U);
}

TEST(Keyring, a_known_name_with_another_type_is_refused_when_it_is_used) {
  const Ring ring;
  const tg::Key<int> wrong{"k1"};
  tg::Vault vault("v", ring);
  EXPECT_HAS(error_of<tg::KeyTypeError>([&] { vault.insert(wrong, 1); }), "std::string");
}

}  // namespace
}  // namespace key_test
