// SPDX-License-Identifier: Apache-2.0
// All primitives: what threads and tasks lock, wait for and pass values through. Their waits can be stopped.
#pragma once

#include <threadgroup/barrier.hpp>
#include <threadgroup/channel.hpp>
#include <threadgroup/condition_variable.hpp>
#include <threadgroup/every.hpp>
#include <threadgroup/latch.hpp>
#include <threadgroup/mutex.hpp>
#include <threadgroup/rate_limiter.hpp>
#include <threadgroup/select.hpp>
#include <threadgroup/semaphore.hpp>
