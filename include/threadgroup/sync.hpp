// SPDX-License-Identifier: Apache-2.0
// All primitives with which threads and tasks lock, wait for each other and pass values; their waits can be stopped.
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
