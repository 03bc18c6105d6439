// SPDX-License-Identifier: Apache-2.0
// Empty tasks, posted to a Boost.Asio thread pool.
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include "work.hpp"

namespace {
struct Work {
  explicit Work(const bench::SubmitSize& size) : pool(static_cast<std::size_t>(size.workers)) {}
  void produce(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) boost::asio::post(pool, [] {});
  }
  void drain() { pool.join(); }
  boost::asio::thread_pool pool;
};
}  // namespace

void bench::run(const Options& options) {
  const SubmitSize size(options);
  time_submit(size, [&] { return Work(size); });
}
