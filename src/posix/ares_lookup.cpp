// SPDX-License-Identifier: Apache-2.0
// One channel of c-ares for one lookup.
#include "posix/ares_lookup.hpp"

#if TG_USE_CARES

#include <ares.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include <threadgroup/errors.hpp>
#include <threadgroup/posix.hpp>
#include <threadgroup/thread_utils.hpp>

#include "event/wait_note.hpp"
#include "posix/system_lookup.hpp"
#include "runtime/own_calls.hpp"

namespace tg::inline v0::detail {

namespace {

class AresLookup {
 public:
  AresLookup(const std::string& host, const std::string& service) : host_(host), service_(service) {}
  AresLookup(const AresLookup&) = delete;
  AresLookup& operator=(const AresLookup&) = delete;
  // Closes the sockets, and calls `on_answer` if there was no answer.
  ~AresLookup() {
    if (channel_ != nullptr) ::ares_destroy(channel_);
  }

  std::vector<Address> run(const ResolveOptions& options, const std::string& servers) {
    throw_if_stopped();
    ports_ = ports_of_service(host_, service_, options);
    expect(::ares_init(&channel_));
    if (!servers.empty()) expect(::ares_set_servers_ports_csv(channel_, servers.c_str()));
    const int stop = stop_fd();
    ares_addrinfo_hints hints{};
    hints.ai_family = options.family;
    hints.ai_socktype = SOCK_STREAM;  // each address once
    ::ares_getaddrinfo(channel_, host_.c_str(), nullptr, &hints, &on_answer, this);
    const WaitNote note("an answer from a name server");
    while (!has_ended_) advance(stop);
    if (exception_) std::rethrow_exception(exception_);
    expect(status_);
    return std::move(addresses_);
  }

 private:
  void throw_if_stopped() const {
    if (const std::optional<Reason> reason = thread_utils::reason())
      throw Stopped("the lookup of '" + host_ + "' was stopped: " + reason->str(), *reason);
  }
  void expect(int status) const {
    if (status == ARES_SUCCESS) return;
    throw_if_stopped();  // if the program has replaced the calls of c-ares by ones that a stop ends, it says something else
    if (status == ARES_ENOMEM) throw std::bad_alloc();
    throw ResolveError(host_, service_, ::ares_strerror(status), is_temporary(status));
  }
  // As `getaddrinfo`, which says EAI_AGAIN for these.
  static bool is_temporary(int status) {
    constexpr std::array kTemporary = {ARES_ETIMEOUT, ARES_ECONNREFUSED, ARES_ESERVFAIL,
                                       ARES_EREFUSED, ARES_ENOTIMP,      ARES_EBADRESP};
    return std::find(kTemporary.begin(), kTemporary.end(), status) != kTemporary.end();
  }

  static void on_answer(void* self, int status, int, ares_addrinfo* answer) noexcept {
    static_cast<AresLookup*>(self)->take(status, answer);
  }
  void take(int status, ares_addrinfo* answer) noexcept {
    has_ended_ = true;
    status_ = status;
    if (answer == nullptr) return;
    try {
      for (const ares_addrinfo_node* one = answer->nodes; one != nullptr; one = one->ai_next) add(*one);
    } catch (...) {
      exception_ = std::current_exception();
    }
    ::ares_freeaddrinfo(answer);
  }

  // With each type and port of the service, as the system does.
  void add(const ares_addrinfo_node& one) {
    for (const Address& port : ports_) {
      sockaddr_storage bytes{};
      std::memcpy(&bytes, one.ai_addr, std::min<std::size_t>(one.ai_addrlen, sizeof bytes));
      if (bytes.ss_family == AF_INET) reinterpret_cast<sockaddr_in&>(bytes).sin_port = htons(port.port());
      if (bytes.ss_family == AF_INET6) reinterpret_cast<sockaddr_in6&>(bytes).sin6_port = htons(port.port());
      addresses_.emplace_back(reinterpret_cast<const sockaddr*>(&bytes), one.ai_addrlen, port.type(),
                              port.protocol());
    }
  }

  // Waits for a socket, the next time-out of c-ares, or a stop.
  void advance(int stop) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const auto wanted = static_cast<unsigned>(::ares_getsock(channel_, sockets.data(), ARES_GETSOCK_MAXNUM));
    std::array<pollfd, ARES_GETSOCK_MAXNUM + 1> polled{};
    polled[0] = {stop, POLLIN, 0};
    nfds_t count = 1;
    for (unsigned i = 0; i < sockets.size(); ++i) {
      const int events = (ARES_GETSOCK_READABLE(wanted, i) != 0 ? POLLIN : 0) |
                         (ARES_GETSOCK_WRITABLE(wanted, i) != 0 ? POLLOUT : 0);
      if (events != 0) polled[count++] = {sockets[i], static_cast<short>(events), 0};
    }
    timeval left{};
    const bool has_timeout = ::ares_timeout(channel_, nullptr, &left) != nullptr;
    const int milliseconds =
        has_timeout ? static_cast<int>(left.tv_sec * 1000 + left.tv_usec / 1000 + 1) : -1;
    if (runtime::own::poll(polled.data(), count, milliseconds) < 0) {
      if (errno == EINTR) return;
      const int error = errno;
      throw_if_stopped();
      throw std::system_error(error, std::generic_category(), "tg::resolve: poll");
    }
    if (polled[0].revents != 0) throw_if_stopped();
    for (nfds_t i = 1; i < count; ++i) {
      const short events = polled[i].revents;
      if (events == 0) continue;
      ::ares_process_fd(channel_, (events & ~POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD,
                        (events & POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD);
    }
    ::ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // its time-outs
  }

  const std::string& host_;
  const std::string& service_;
  std::vector<Address> ports_;
  ares_channel channel_ = nullptr;
  bool has_ended_ = false;
  int status_ = ARES_SUCCESS;
  std::vector<Address> addresses_;
  std::exception_ptr exception_;
};

}  // namespace

std::vector<Address> look_up_by_ares(const std::string& host, const std::string& service,
                                     const ResolveOptions& options, const std::string& servers) {
  return AresLookup(host, service).run(options, servers);
}

}  // namespace tg::inline v0::detail

#endif
