// SPDX-License-Identifier: Apache-2.0
// Defaults of ThreadSanitizer for a test program. Options in TSAN_OPTIONS override them.

// By default, each process sleeps for a second at its end, which lets races with static destructors show.
// `regression` tests the end of processes and keeps that default. The other programs start hundreds of
// processes.
extern "C" const char* __tsan_default_options() { return "atexit_sleep_ms=0"; }
