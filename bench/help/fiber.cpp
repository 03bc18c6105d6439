// SPDX-License-Identifier: Apache-2.0
// A fiber of Boost.Fiber on the waiting thread.
#include <boost/fiber/all.hpp>

#include "work.hpp"

void bench::run(const Options& options) {
  time_help(
      options, [] { boost::fibers::fiber([] {}).join(); },
      [] { return boost::fibers::async([] { return 1; }).get(); });
}
