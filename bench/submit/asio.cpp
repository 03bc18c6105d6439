// SPDX-License-Identifier: Apache-2.0
// Empty tasks, posted to a Boost.Asio thread pool.
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "work.hpp"

void bench::run(const Options& options) {
  const SubmitSize size(options);
  boost::asio::thread_pool pool(static_cast<std::size_t>(size.workers));
  time_submit(
      size,
      [&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) boost::asio::post(pool, [] {});
      },
      [&] { pool.join(); });
}
