// SPDX-License-Identifier: Apache-2.0
// Verifies users over HTTP, several at a time, until enough are verified. The library's part, the group and the
// wait for a condition, is in story.cpp; this file prepares the service and what is shown.
#include <chrono>
#include <clocale>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <threadgroup/threadgroup.hpp>

#include "account_file.hpp"
#include "bad_input.hpp"
#include "client.hpp"
#include "journal.hpp"
#include "live_view.hpp"
#include "options.hpp"
#include "service.hpp"
#include "simulated.hpp"
#include "story.hpp"
#include "styled_line.hpp"
#include "summary.hpp"
#include "terminal.hpp"
#include "users.hpp"
#include "verification.hpp"

namespace verify_users {
namespace {

enum ExitStatus { kMet = 0, kNotMet = 1, kBadInput = 2, kSignal = 128 };  // kSignal + the signal's number

// Unlike fmt::print it does not throw when the reader of a pipe is gone, as in `verify_users | head`.
void say(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

int run(const Options& options) {
  const std::vector<std::string> users = read_users(options.users_file);
  if (options.simulated) {
    say(simulated_day(options, users));
    return kMet;
  }
  const tg::SignalShutdown ctrl_c({.stop = std::chrono::seconds(5)});  // stops everything, with a reason

  std::optional<Service> own_service;
  if (!options.service_url)
    own_service.emplace(options.service,
                        options.accounts_file ? accounts_of(*options.accounts_file) : look_up);
  const Client client(own_service ? own_service->url() : *options.service_url, options.request_timeout);

  const std::optional<Terminal> terminal = options.plain ? std::nullopt : Terminal::find();
  Journal journal(terminal ? Journal::Lines::kept : Journal::Lines::printed);
  const std::string plan = fmt::format("{} users of {} at {}, {} at a time, {} needed", users.size(),
                                       options.users_file, client.url(), options.max, options.need);
  say((terminal ? fitting(plan, terminal->columns() - 1) : plan) + '\n');

  const Ask ask = [&](const std::string& user, Check check) { return client.ask(user, check); };
  Verification verification(ask, {options.retries, options.retry_pause}, journal);
  tg::ThreadGroup group("Verifying Users", {.max_concurrent_threads = options.max});
  std::vector<tg::TaskHandle<Verified>> tasks = add_users(group, verification, users);
  LiveView view(group, verification, options.need, journal, terminal);
  Ending ending = wait_for_enough(group, verification, options, std::move(tasks));
  ending.own_accounts_only = own_service && !options.accounts_file;
  if (terminal) ending.terminal = *terminal;
  view.finish();

  say(summarize(ending));
  if (enough_are_verified(verification, options)) return kMet;
  const bool by_signal = ending.reason && ending.reason->kind == tg::ReasonKind::signal;
  return by_signal ? kSignal + ctrl_c.signal() : kNotMet;
}

}  // namespace
}  // namespace verify_users

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");  // which characters the terminal can show
  try {
    return verify_users::run(verify_users::parse_options(argc, argv));
  } catch (const verify_users::BadInput& error) {
    fmt::print(stderr, "verify_users: {}\n", error.what());
    return verify_users::kBadInput;
  } catch (const std::exception& error) {
    fmt::print(stderr, "verify_users: {}\n", error.what());
    return verify_users::kNotMet;
  }
}
