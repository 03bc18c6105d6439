// SPDX-License-Identifier: Apache-2.0
// Finds the caller, and keeps the texts that a SourceLocation points to.
#include "caller.hpp"

#include <Python.h>

#include <new>
#include <string>
#include <string_view>
#include <unordered_set>

#include "gil.hpp"

namespace tg::python {

namespace {

// A `SourceLocation` points to text that lives as long as the program. Programs have a limited number of
// files and functions; for one that makes files without end, later ones are left out.
constexpr std::size_t kMostTexts = 100'000;

const char* keep(const char* text) {
  // Under the interpreter's lock; never destroyed.
  static auto* const texts = new std::unordered_set<std::string>;
  if (texts->size() >= kMostTexts) {
    const auto found = texts->find(text);
    return found != texts->end() ? found->c_str() : "";
  }
  return texts->emplace(text).first->c_str();
}

const char* utf8(PyObject* text) noexcept {
  const char* const bytes = PyUnicode_AsUTF8(text);
  if (bytes == nullptr) PyErr_Clear();  // a file name that is no UTF-8
  return bytes != nullptr ? bytes : "";
}

// Whether the frame is code of this package, or of one of those over it.
bool is_ours(PyFrameObject* frame) noexcept {
  static PyObject* const key = PyUnicode_InternFromString("__name__");
#if PY_VERSION_HEX >= 0x030B0000
  const Ref globals = Ref::steal(PyFrame_GetGlobals(frame));
#else
  const Ref globals = Ref::borrow(frame->f_globals);
#endif
  if (key == nullptr || PyDict_Check(globals.get()) == 0) return false;
  PyObject* const name = PyDict_GetItemWithError(globals.get(), key);
  if (name == nullptr || PyUnicode_Check(name) == 0) return false;
  const std::string_view module = utf8(name);
  for (const std::string_view ours : {"threadgroup_core", "threadgroup", "threadmanager", "varvault"}) {
    if (module == ours || (module.starts_with(ours) && module[ours.size()] == '.')) return true;
  }
  return false;
}

}  // namespace

SourceLocation python_caller() noexcept try {
  const ErrorsSaved saved;
  PyFrameObject* frame = PyEval_GetFrame();
  Py_XINCREF(frame);
  while (frame != nullptr && is_ours(frame)) {
    PyFrameObject* const next = PyFrame_GetBack(frame);
    Py_DECREF(frame);
    frame = next;
  }
  if (frame == nullptr) return {};
  const Ref owned = Ref::steal(reinterpret_cast<PyObject*>(frame));
  const Ref code = Ref::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
  const auto* const of = reinterpret_cast<PyCodeObject*>(code.get());
  const int line = PyFrame_GetLineNumber(frame);
  return {keep(utf8(of->co_filename)), keep(utf8(of->co_name)),
          line > 0 ? static_cast<std::uint32_t>(line) : 0};
} catch (const std::bad_alloc&) {
  return {};
}

}  // namespace tg::python
