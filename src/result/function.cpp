// SPDX-License-Identifier: Apache-2.0
// The part of named functions that needs no types.
#include <stdexcept>

#include <threadgroup/result/function.hpp>

namespace tg::detail {

FunctionCell::FunctionCell(std::string name, std::shared_ptr<const FunctionCall> call)
    : name_(std::move(name)), call_(std::move(call)) {
  if (name_.empty()) {
    throw std::invalid_argument("a function needs a name that is not empty: results are found by it");
  }
}

std::shared_ptr<const FunctionCall> FunctionCell::call() const {
  MutexLock lock(mutex_);
  return call_;
}

void FunctionCell::replace(std::shared_ptr<const FunctionCall> call) {
  MutexLock lock(mutex_);
  std::swap(call_, call);
  lock.unlock();  // the old arguments go with no lock held
}

}  // namespace tg::detail
