// SPDX-License-Identifier: Apache-2.0
// The command line.
#include "options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "bad_input.hpp"
#include "client.hpp"
#include "duration.hpp"

namespace verify_users {
namespace {

using Milliseconds = std::chrono::milliseconds;

// Adds an option whose value is made by `read`, and puts the option's name before what `read` complains
// about.
CLI::Option* add_read_option(CLI::App& app, const std::string& name, const std::string& description,
                             std::function<void(const std::string&)> read) {
  const auto named = [name, read = std::move(read)](const std::string& text) {
    try {
      read(text);
    } catch (const BadInput& error) {
      throw BadInput(name + ": " + error.what());
    }
  };
  return app.add_option_function<std::string>(name, named, description);
}

CLI::Option* add_duration(CLI::App& app, const std::string& name, const std::string& description,
                          Milliseconds& target) {
  return add_read_option(app, name, description,
                         [&target](const std::string& text) { target = parse_duration(text); })
      ->type_name("TIME");
}

// "50ms-300ms", or a single duration.
void read_latency(const std::string& text, ServiceOptions& service) {
  const std::size_t dash = text.find('-');
  service.min_latency = parse_duration(text.substr(0, dash));
  service.max_latency =
      dash == std::string::npos ? service.min_latency : parse_duration(text.substr(dash + 1));
  if (service.min_latency > service.max_latency)
    throw BadInput("'" + text + "' goes from the longer to the shorter");
}

}  // namespace

Options parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app{"Verifies users over HTTP, many at a time, until as many as are needed are verified.",
               "verify_users"};
  app.footer(
      "Exit status: 0 enough are verified, 1 not enough, 2 bad input, 130 stopped by Ctrl-C.\n"
      "\n"
      "A list of your own, verified against accounts of your own:\n"
      "  verify_users --users team.csv --accounts team.csv --need 3\n"
      "where team.csv is, for instance:\n"
      "  user,home,login\n"
      "  ada,yes,yes\n"
      "  bot,yes,no");

  app.add_option("--users", options.users_file, "passwd file, or CSV file with a `user` column")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_option("--service", options.service_url, "account service; without it one runs in this process")
      ->type_name("URL");
  app.add_option("--accounts", options.accounts_file,
                 "CSV file of that service's accounts; without it those of this machine")
      ->type_name("FILE");
  app.add_option("--max", options.max, "users verified at the same time")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--need", options.need, "stop everything once so many are verified")
      ->check(CLI::Range(1, 1'000'000'000))
      ->capture_default_str();
  add_duration(app, "--timeout", "give up after this time (600, 600s, 10m, 500ms)", options.timeout)
      ->default_str("600s");
  app.add_option("--retries", options.retries, "further tries for a user when the service is unavailable")
      ->check(CLI::Range(0, 1'000'000'000))
      ->capture_default_str();
  add_duration(app, "--retry-pause", "wait so long before each", options.retry_pause)->default_str("1s");
  add_duration(app, "--request-timeout", "wait so long for an answer", options.request_timeout)
      ->default_str("5s");
  app.add_flag("--plain", options.plain, "plain lines, even on a terminal");
  app.add_flag("--simulated", options.simulated,
               "a day of it, once an hour, in simulated time: it takes a moment, and --seed decides all");

  const std::string own = "The service in this process";
  app.add_option("--seed", options.service.seed, "what latencies and failures follow from")
      ->type_name("N")
      ->capture_default_str()
      ->group(own);
  app.add_option("--failure-share", options.service.failure_share, "share of its answers that are 503")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str()
      ->group(own);
  add_read_option(app, "--latency", "how long it takes to answer",
                  [&](const std::string& text) { read_latency(text, options.service); })
      ->type_name("TIME-TIME")
      ->default_str("300ms-1200ms")
      ->group(own);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    std::exit(app.exit(help));  // no thread exists yet
  } catch (const CLI::ParseError& error) {
    throw BadInput(error.what());
  }
  if (options.service_url && options.accounts_file) {
    throw BadInput("--accounts: a service elsewhere (--service) has accounts of its own");
  }
  if (options.service_url && options.simulated) {
    throw BadInput("--simulated: the service (--service) is simulated, too");
  }
  if (options.request_timeout < Milliseconds{1} || options.request_timeout > std::chrono::hours{1}) {
    throw BadInput("--request-timeout: it can be from 1ms to 1h");
  }
  options.service.max_connections = 3 * options.max;  // three questions for each user at once
  return options;
}

}  // namespace verify_users
