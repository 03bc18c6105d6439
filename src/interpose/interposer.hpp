// SPDX-License-Identifier: Apache-2.0
// What makes the linker take all of the interposer.
#pragma once

/// A symbol that programs are linked with as an undefined one (`-u`): else the linker leaves a static library out of a program
/// that uses none of its functions itself.
extern "C" [[gnu::visibility("default")]] const char tg_interpose[];
