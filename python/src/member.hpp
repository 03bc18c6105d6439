// SPDX-License-Identifier: Apache-2.0
// What the members of a type are described by, under one name for all versions of Python.
#pragma once

#include <Python.h>

#if PY_VERSION_HEX >= 0x030C0000
#define TG_PY_SIZE_MEMBER Py_T_PYSSIZET
#define TG_PY_READONLY Py_READONLY
#else
#include <structmember.h>
#define TG_PY_SIZE_MEMBER T_PYSSIZET
#define TG_PY_READONLY READONLY
#endif
