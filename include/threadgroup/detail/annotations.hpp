// SPDX-License-Identifier: Apache-2.0
// Names for clang's thread-safety attributes; they vanish on other compilers.
#pragma once

#if defined(__clang__)
#define TG_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define TG_THREAD_ANNOTATION(x)
#endif

/// The type is a lock.
#define TG_CAPABILITY(name) TG_THREAD_ANNOTATION(capability(name))
/// The type holds a lock from its constructor to its destructor.
#define TG_SCOPED_CAPABILITY TG_THREAD_ANNOTATION(scoped_lockable)
/// The field may be touched only while the lock is held.
#define TG_GUARDED_BY(lock) TG_THREAD_ANNOTATION(guarded_by(lock))
/// What the pointer points to may be touched only while the lock is held.
#define TG_PT_GUARDED_BY(lock) TG_THREAD_ANNOTATION(pt_guarded_by(lock))
/// The caller holds the lock.
#define TG_REQUIRES(...) TG_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define TG_ACQUIRE(...) TG_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define TG_RELEASE(...) TG_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define TG_TRY_ACQUIRE(...) TG_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define TG_RETURN_CAPABILITY(lock) TG_THREAD_ANNOTATION(lock_returned(lock))
#define TG_ACQUIRED_AFTER(...) TG_THREAD_ANNOTATION(acquired_after(__VA_ARGS__))
/// The analysis cannot follow this function; its comment must say what holds instead.
#define TG_NO_THREAD_SAFETY_ANALYSIS TG_THREAD_ANNOTATION(no_thread_safety_analysis)
