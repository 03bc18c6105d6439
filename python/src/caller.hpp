// SPDX-License-Identifier: Apache-2.0
// The line of the Python source from which a call comes.
#pragma once

#include <threadgroup/source_location.hpp>

namespace tg::python {

/// The file, function and line of the Python code that called us: the innermost frame that is not of this
/// package or of the packages over it. Empty where there is none. Requires the interpreter's lock.
SourceLocation python_caller() noexcept;

}  // namespace tg::python
