// SPDX-License-Identifier: Apache-2.0
// The library's version as macros, for users' #if; the build reads the numbers from here and nowhere else.
#pragma once

#define TG_VERSION_MAJOR 0
#define TG_VERSION_MINOR 1
#define TG_VERSION_PATCH 0

// One number to compare: TG_VERSION >= 100 * 100 * major + 100 * minor + patch.
#define TG_VERSION (TG_VERSION_MAJOR * 10000 + TG_VERSION_MINOR * 100 + TG_VERSION_PATCH)
