// SPDX-License-Identifier: Apache-2.0
// The extension module.
#include <pybind11/pybind11.h>

#include "blocking.hpp"
#include "channel.hpp"
#include "completions.hpp"
#include "convert.hpp"
#include "functions.hpp"
#include "future.hpp"
#include "group.hpp"
#include "handle.hpp"
#include "lock.hpp"
#include "primitives.hpp"
#include "scope.hpp"
#include "select.hpp"
#include "shutdown.hpp"
#include "worker.hpp"

PYBIND11_MODULE(_core, module) {
  using namespace tg::python;
  module.doc() = "The C++ core of threadgroup_core; import that package instead.";
  PyObject* const m = module.ptr();
  if (!init_worker() || !init_handle(m) || !init_future(m) || !init_completions(m) || !init_group(m) ||
      !init_functions(m) || !init_primitives(m) || !init_scope(m) || !init_channel(m) || !init_select(m) ||
      !init_shutdown(m) || !init_blocking(m) || !init_lock(m)) {
    throw pybind11::error_already_set();
  }
  init_gil();
}
