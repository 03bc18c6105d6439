// SPDX-License-Identifier: Apache-2.0
// The version of the library as macros, for `#if`; the build reads the numbers from here and nowhere else.
#pragma once

/// Raised by changes that break programs, from 1.0 on.
#define TG_VERSION_MAJOR 0
/// Raised by new features; before 1.0 also by changes that break programs.
#define TG_VERSION_MINOR 1
/// Raised by fixes.
#define TG_VERSION_PATCH 0

/// The version as one number: `#if TG_VERSION >= 10203` is true from 1.2.3 on.
#define TG_VERSION (TG_VERSION_MAJOR * 10000 + TG_VERSION_MINOR * 100 + TG_VERSION_PATCH)
