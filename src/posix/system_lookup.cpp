// SPDX-License-Identifier: Apache-2.0
// `getaddrinfo`, which no stop ends.
#include "posix/system_lookup.hpp"

#include <netdb.h>

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include <threadgroup/abandonable.hpp>

#include "base/sanitizers.hpp"

#if TG_THREAD_SANITIZER
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace tg::inline v0::detail {

namespace {

// The resolver's threads share memory under a lock of the C library, which ThreadSanitizer does not see.
struct UnseenLock {
#if TG_THREAD_SANITIZER
  UnseenLock() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~UnseenLock() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
  UnseenLock(const UnseenLock&) = delete;
  UnseenLock& operator=(const UnseenLock&) = delete;
#endif
};

// What `getaddrinfo` returned, and its addresses.
struct Found {
  int status = 0;
  int error = 0;  // of the system, if the status is EAI_SYSTEM
  std::vector<Address> addresses;
};

Found ask_system(const std::string& host, const std::string& service, const ResolveOptions& options,
                 int flags) {
  addrinfo hints{};
  hints.ai_family = options.family;
  hints.ai_socktype = options.type;
  hints.ai_flags = flags | (options.is_passive ? AI_PASSIVE : 0);
  addrinfo* first = nullptr;
  Found found;
  {
    [[maybe_unused]] const UnseenLock unseen;
    found.status = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                 service.empty() ? nullptr : service.c_str(), &hints, &first);
    found.error = errno;
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(first, &::freeaddrinfo);
  for (const addrinfo* one = first; one != nullptr; one = one->ai_next)
    found.addresses.emplace_back(one->ai_addr, one->ai_addrlen, one->ai_socktype, one->ai_protocol);
  return found;
}

void throw_failure(const std::string& host, const std::string& service, const Found& found) {
  if (found.status == 0) return;
  if (found.status == EAI_MEMORY) throw std::bad_alloc();
  const bool is_of_system = found.status == EAI_SYSTEM;
  throw ResolveError(
      host, service,
      is_of_system ? std::generic_category().message(found.error) : ::gai_strerror(found.status),
      is_of_system || found.status == EAI_AGAIN);
}

}  // namespace

std::vector<Address> look_up_by_system(const std::string& host, const std::string& service,
                                       const ResolveOptions& options) {
  const std::string& name = host.empty() ? service : host;
  Found found = abandonable(TaskName("getaddrinfo of " + name), &ask_system, host, service, options, 0);
  throw_failure(host, service, found);
  return std::move(found.addresses);
}

std::vector<Address> ports_of_service(const std::string& host, const std::string& service,
                                      const ResolveOptions& options) {
  ResolveOptions one_family = options;
  if (options.family == AF_UNSPEC) one_family.family = AF_INET;
  Found found = ask_system({}, service.empty() ? "0" : service, one_family, 0);
  throw_failure(host, service, found);
  return std::move(found.addresses);
}

bool is_number(const std::string& host, const ResolveOptions& options) {
  return ask_system(host, {}, options, AI_NUMERICHOST).status == 0;
}

std::optional<std::vector<Address>> addresses_of_numbers(const std::string& host, const std::string& service,
                                                         const ResolveOptions& options) {
  if (host.empty() && service.empty()) return std::nullopt;  // an error, which a lookup reports
  const Found found = ask_system(host, service, options, AI_NUMERICHOST | AI_NUMERICSERV);
  if (found.status != 0) return std::nullopt;
  return found.addresses;
}

}  // namespace tg::inline v0::detail
