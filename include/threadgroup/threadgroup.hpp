// SPDX-License-Identifier: Apache-2.0
// Everything: groups, handles, the forest, and what tasks ask of their own group.
#pragma once

#include <threadgroup/base/version.hpp>
#include <threadgroup/group/condition.hpp>
#include <threadgroup/group/thread_group.hpp>
#include <threadgroup/observe/progress.hpp>
#include <threadgroup/registry/execute.hpp>
#include <threadgroup/registry/map.hpp>
#include <threadgroup/registry/retry.hpp>
#include <threadgroup/result/as_completed.hpp>
#include <threadgroup/result/errors.hpp>
#include <threadgroup/result/function.hpp>
#include <threadgroup/result/join_result.hpp>
#include <threadgroup/result/result_list.hpp>
#include <threadgroup/result/task_handle.hpp>
#include <threadgroup/result/value.hpp>
#include <threadgroup/tree/controller.hpp>
#include <threadgroup/tree/snapshot.hpp>
#include <threadgroup/tree/thread_utils.hpp>
#include <threadgroup/vault/vault.hpp>
