// SPDX-License-Identifier: Apache-2.0
// cpp-httplib as the server, and its certificate.
#include "foreign/web_server.hpp"

#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <thread>

#include "support/eventually.hpp"

namespace tg::test {
namespace {

using namespace std::chrono_literals;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Certificate self_signed(EVP_PKEY* key) {
  Certificate certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  const std::string text = "localhost";
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(text.data()),
                             static_cast<int>(text.size()), -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key, EVP_sha256());
  return certificate;
}

// One byte in two milliseconds, until the client is gone.
bool drip(std::size_t, httplib::DataSink& sink) {
  leave_time(2ms);
  return sink.is_writable() && sink.write("x", 1);
}

bool say_nothing(std::size_t, httplib::DataSink& sink) {
  while (sink.is_writable()) leave_time(5ms);
  return false;
}

}  // namespace

struct WebServer::Running {
  Key key{EVP_EC_gen("P-256"), &EVP_PKEY_free};
  Certificate certificate = self_signed(key.get());
  std::unique_ptr<httplib::Server> server;
  int port = 0;
  std::thread thread;
};

WebServer::WebServer(bool tls) : running_(std::make_unique<Running>()) {
  Running& running = *running_;
  if (tls)
    running.server = std::make_unique<httplib::SSLServer>(running.certificate.get(), running.key.get());
  else running.server = std::make_unique<httplib::Server>();
  httplib::Server& server = *running.server;
  server.new_task_queue = [] { return new httplib::ThreadPool(32); };
  server.set_keep_alive_max_count(1);
  server.Get("/quick", [](const httplib::Request&, httplib::Response& answer) {
    answer.set_content("ok", "text/plain");
  });
  server.Get("/large", [](const httplib::Request&, httplib::Response& answer) {
    answer.set_content(std::string(300'000, 'x'), "text/plain");
  });
  server.Get("/slow", [](const httplib::Request&, httplib::Response& answer) {
    answer.set_content_provider("text/plain", drip);
  });
  server.Get("/never", [](const httplib::Request&, httplib::Response& answer) {
    answer.set_content_provider("text/plain", say_nothing);
  });
  running.port = server.bind_to_any_port("127.0.0.1");
  running.thread = std::thread([&server] { server.listen_after_bind(); });
  eventually([&server] { return server.is_running(); });
}

WebServer::~WebServer() {
  running_->server->stop();
  running_->thread.join();
}

int WebServer::port() const { return running_->port; }

std::string WebServer::random_path(unsigned random) {
  constexpr std::array<const char*, 8> kPaths{"/quick", "/large", "/slow",  "/slow",
                                              "/slow",  "/never", "/never", "/never"};
  return kPaths[random % kPaths.size()];
}

}  // namespace tg::test
