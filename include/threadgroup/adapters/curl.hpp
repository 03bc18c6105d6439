// SPDX-License-Identifier: Apache-2.0
// libcurl's easy interface: a stopped transfer throws `Stopped`. Needs libcurl and `threadgroup::interpose`.
#pragma once

#include <curl/curl.h>

#include <threadgroup/thread_utils.hpp>

namespace tg::inline v0::adapters {

/// Makes the transfers of one easy handle stoppable, while the object lives.
///
///     const tg::adapters::StoppableCurl stoppable(easy);
///     const CURLcode code = stoppable(curl_easy_perform(easy));   // throws tg::Stopped
///
/// Waits are ended by `threadgroup::interpose`. The progress callback of the handle, which the object takes, ends a
/// transfer that never waits; without the component it ends the others, too, within a second.
///
/// Requires: the handle has no progress callback of its own, and outlives the object.
/// Guarantees: after a stop the handle can be used again; libcurl has closed the connection.
/// Thread safety: as the handle's.
class StoppableCurl {
 public:
  /// Takes the progress callback.
  explicit StoppableCurl(CURL* easy) noexcept : easy_(easy) {
    curl_easy_setopt(easy_, CURLOPT_XFERINFOFUNCTION, &ask);
    curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 0L);
  }
  ~StoppableCurl() {
    curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(easy_, CURLOPT_XFERINFOFUNCTION, nullptr);
  }
  StoppableCurl(const StoppableCurl&) = delete;
  StoppableCurl& operator=(const StoppableCurl&) = delete;

  /// Returns the code. Throws `Stopped` if it is an error and the caller is stopped: libcurl has several codes for that,
  /// among them CURLE_BAD_FUNCTION_ARGUMENT, CURLE_RECV_ERROR and CURLE_ABORTED_BY_CALLBACK.
  CURLcode operator()(CURLcode code) const {
    if (code != CURLE_OK) thread_utils::throw_if_event_set();
    return code;
  }

 private:
  static int ask(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return thread_utils::event_is_set() ? 1 : 0;
  }
  CURL* const easy_;
};

}  // namespace tg::inline v0::adapters
