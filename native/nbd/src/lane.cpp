// See lane.hpp.
#include "cbt/nbd/lane.hpp"

#include <libnbd.h>
#include <poll.h>

#include <algorithm>
#include <cstdlib>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <utility>

#include "cbt/limits.hpp"
#include "cbt/nbd/failure.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {
namespace {

using namespace std::chrono_literals;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>; // clang before 17 does not find this by itself

// libnbd looks at a server's certificate over a unix socket, where there is no host name, only from 1.20.3 on, and in
// the 1.18 line from 1.18.5 on (CVE-2024-7383). Older ones accept any.
bool verifies_without_host_name(nbd_handle* handle) {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned patch = 0;
  if (std::sscanf(nbd_get_version(handle), "%u.%u.%u", &major, &minor, &patch) < 2) return false;
  if (major != 1) return major > 1;
  if (minor == 18) return patch >= 5;
  return minor > 20 || (minor == 20 && patch >= 3);
}

bool over_unix_socket(const Target& target) {
  if (std::holds_alternative<UnixTarget>(target.address)) return true;
  const auto* uri = std::get_if<UriTarget>(&target.address);
  return uri != nullptr && uri->uri.starts_with("nbds+unix:");
}

} // namespace

int milliseconds_until(Clock::time_point moment) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(moment - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

// What libnbd calls back. The request belongs to libnbd until `release`, which it calls last and always.
struct Lane::Callbacks {
  static Request& of(void* user) { return *static_cast<Request*>(user); }

  static int refuse(Request& request, Status status, int* error) {
    if (request.violation.is_ok()) request.violation = std::move(status);
    *error = EPROTO;
    return -1;
  }

  static int chunk(void* user, const void*, std::size_t count, std::uint64_t offset, unsigned kind, int* error) {
    Request& request = of(user);
    if (kind == LIBNBD_READ_ERROR) return 0;
    Status status = request.coverage.add(offset, count);
    return status.is_ok() ? 0 : refuse(request, std::move(status), error);
  }

  static int extents(Request& request, const char* context, std::uint64_t offset, const ExtentReply& reply,
                     int* error) {
    if (*request.context != context) return 0;
    if (request.answered) {
      return refuse(request, protocol_violation(text("context ", context, " came twice in one reply")), error);
    }
    request.answered = true;
    if (offset != request.offset) return refuse(request, protocol_violation("extents of another place"), error);
    if (request.job->is_settled()) return 0;
    Status status = request.job->on_extents(request, reply);
    return status.is_ok() ? 0 : refuse(request, std::move(status), error);
  }

#ifdef LIBNBD_HAVE_NBD_AIO_BLOCK_STATUS_64
  static int extent(void* user, const char* context, std::uint64_t offset, nbd_extent* entries, std::size_t count,
                    int* error) {
    return extents(of(user), context, offset, {nullptr, entries, count}, error);
  }
#else
  static int extent(void* user, const char* context, std::uint64_t offset, std::uint32_t* entries, std::size_t count,
                    int* error) {
    if (count % 2 != 0) return refuse(of(user), protocol_violation("half an extent"), error);
    return extents(of(user), context, offset, {entries, nullptr, count / 2}, error);
  }
#endif

  static int completion(void* user, int* error) {
    Request& request = of(user);
    request.error = *error;
    request.completed = true;
    return 1; // libnbd forgets the command
  }

  static void release(void* user) {
    Request& request = of(user);
    request.lane->finished(&request);
  }
};

Lane::~Lane() {
  if (log_ != nullptr && handle_ != nullptr && !log_->wait_for_exit(0ms)) {
    signal_server(SIGTERM);
    if (!log_->wait_for_exit(read_only_ ? kReaderExit : kServerExit)) signal_server(SIGKILL);
  }
  nbd_close(handle_);
  while (take_done()) continue;
}

Status Lane::configure(const Target& target) {
  handle_ = nbd_create();
  if (handle_ == nullptr) return connection_failure("creating an NBD handle", last_library_error());
  nbd_handle* const handle = handle_;
  // Debug prints go to stderr and show names; LIBNBD_DEBUG in the environment may have set it.
  bool ok = nbd_set_debug(handle, false) == 0;
  ok = ok && nbd_set_strict_mode(handle, LIBNBD_STRICT_MASK) == 0;
  ok = ok && nbd_set_handshake_flags(handle, LIBNBD_HANDSHAKE_FLAG_MASK) == 0;
  ok = ok && nbd_set_request_structured_replies(handle, true) == 0;
  ok = ok && nbd_set_request_block_size(handle, true) == 0;
  // Coverage makes sure that every byte was sent; clearing the buffers first would only cost time.
  ok = ok && nbd_set_pread_initialize(handle, false) == 0;
#ifdef LIBNBD_HAVE_NBD_SET_REQUEST_EXTENDED_HEADERS
  ok = ok && nbd_set_request_extended_headers(handle, true) == 0;
#endif
  ok = ok && nbd_set_export_name(handle, target.export_name.c_str()) == 0;
  for (const std::string& context : target.contexts) ok = ok && nbd_add_meta_context(handle, context.c_str()) == 0;
  const bool with_tls = !std::holds_alternative<NoTls>(target.tls);
  ok = ok && nbd_set_tls(handle, with_tls ? LIBNBD_TLS_REQUIRE : LIBNBD_TLS_DISABLE) == 0;
  ok = ok && nbd_set_uri_allow_tls(handle, with_tls ? LIBNBD_TLS_REQUIRE : LIBNBD_TLS_DISABLE) == 0;
  ok = ok && nbd_set_uri_allow_transports(handle, LIBNBD_ALLOW_TRANSPORT_TCP | LIBNBD_ALLOW_TRANSPORT_UNIX) == 0;
  ok = ok && nbd_set_uri_allow_local_file(handle, false) == 0;
  if (const auto* x509 = std::get_if<X509>(&target.tls)) {
    if (x509->verify_peer && over_unix_socket(target) && !verifies_without_host_name(handle)) {
      return Status(Code::unsupported,
                    text("libnbd ", nbd_get_version(handle),
                         " cannot verify a server's certificate over a unix socket (1.20.3 can): use "
                         "TCP, PSK, or turn verification off"))
          .with("libnbd", nbd_get_version(handle));
    }
    ok = ok && nbd_set_tls_certificates(handle, x509->directory.c_str()) == 0;
    ok = ok && nbd_set_tls_verify_peer(handle, x509->verify_peer) == 0;
  }
  if (const auto* psk = std::get_if<Psk>(&target.tls)) {
    ok = ok && nbd_set_tls_psk_file(handle, psk->file.c_str()) == 0;
    ok = ok && nbd_set_tls_username(handle, psk->username.c_str()) == 0;
  }
  if (ok) return {};
  const LibraryError cause = last_library_error();
  return Status(Code::unsupported, text("libnbd does not take the settings for ", name_, ": ", cause.text));
}

Status Lane::connect(const Target& target) {
  const int result = std::visit(
      Overloaded{
          [&](const UnixTarget& unix_target) { return nbd_aio_connect_unix(handle_, unix_target.path.c_str()); },
          [&](const TcpTarget& tcp) {
            return nbd_aio_connect_tcp(handle_, tcp.host.c_str(), std::to_string(tcp.port).c_str());
          },
          [&](const UriTarget& uri) { return nbd_aio_connect_uri(handle_, uri.uri.c_str()); },
          [&](const CommandTarget& command) {
            log_ = ServerLog::create();
            std::vector<std::string> line = log_ != nullptr ? log_->wrap(command.arguments) : command.arguments;
            std::vector<char*> pointers;
            for (std::string& argument : line) pointers.push_back(argument.data());
            pointers.push_back(nullptr);
            return nbd_aio_connect_systemd_socket_activation(handle_, pointers.data());
          },
      },
      target.address);
  if (result == 0) return {};
  return connection_failure("connecting to " + name_, last_library_error());
}

Status Lane::start(const Target& target) {
  name_ = describe(target);
  CBT_TRY(configure(target));
  return connect(target);
}

bool Lane::is_ready() const {
  return nbd_aio_is_ready(handle_) == 1;
}

// While libnbd is in the middle of a reply or of sending, it calls itself processing and not ready.
bool Lane::is_talking() const {
  return is_ready() || nbd_aio_is_processing(handle_) == 1;
}

bool Lane::is_over() const {
  return nbd_aio_is_dead(handle_) == 1 || nbd_aio_is_closed(handle_) == 1;
}

Status Lane::inspect(const Target& target, ExportInfo& info) {
  const std::int64_t size = nbd_get_size(handle_);
  if (size < 0) return protocol_violation("a size of more than 2^63 - 1 bytes");
  if (static_cast<std::uint64_t>(size) > cbt::kMaxBytes) {
    return Status(Code::unsupported, text("the export has ", size, " bytes, the limit is ", cbt::kMaxBytes));
  }
  info.size = static_cast<std::uint64_t>(size);
  const auto block = [&](int which, std::uint64_t otherwise) {
    const std::int64_t bytes = nbd_get_block_size(handle_, which);
    return bytes > 0 ? static_cast<std::uint64_t>(bytes) : otherwise;
  };
  info.min_block = block(LIBNBD_SIZE_MINIMUM, 1);
  info.preferred_block = block(LIBNBD_SIZE_PREFERRED, 4096);
  info.max_payload = std::min(block(LIBNBD_SIZE_MAXIMUM, kMaxPayload), kMaxPayload);
  if (info.size % info.min_block != 0) {
    return protocol_violation(text("a size of ", size, " bytes with blocks of ", info.min_block));
  }
  info.max_payload -= info.max_payload % info.min_block;
  if (info.max_payload == 0) return protocol_violation("a largest block smaller than the smallest");
  info.read_only = read_only_ = nbd_is_read_only(handle_) == 1;
  info.can_flush = nbd_can_flush(handle_) == 1;
  info.can_fua = nbd_can_fua(handle_) == 1;
  info.can_trim = nbd_can_trim(handle_) == 1;
  info.can_zero = nbd_can_zero(handle_) == 1;
  info.can_multi_conn = nbd_can_multi_conn(handle_) == 1;
  info.structured_replies = nbd_get_structured_replies_negotiated(handle_) == 1;
#ifdef LIBNBD_HAVE_NBD_GET_EXTENDED_HEADERS_NEGOTIATED
  info.extended_headers = nbd_get_extended_headers_negotiated(handle_) == 1;
#endif
  info.tls = nbd_get_tls_negotiated(handle_) == 1;
  if (char* uri = nbd_get_uri(handle_)) {
    info.uri = uri;
    std::free(uri);
  }
  for (const std::string& context : target.contexts) {
    if (nbd_can_meta_context(handle_, context.c_str()) == 1) continue;
    return Status(Code::unsupported, text("the export at ", name_, " does not offer the context \"", context, "\"",
                                          info.structured_replies ? "" : " (the server has no structured replies)"))
        .with("context", context)
        .with("structuredReplies", info.structured_replies ? "yes" : "no");
  }
  return {};
}

int Lane::descriptor() const {
  return nbd_aio_get_fd(handle_);
}

short Lane::events() const {
  switch (nbd_aio_get_direction(handle_)) {
  case LIBNBD_AIO_DIRECTION_READ: return POLLIN;
  case LIBNBD_AIO_DIRECTION_WRITE: return POLLOUT;
  case LIBNBD_AIO_DIRECTION_BOTH: return POLLIN | POLLOUT;
  default: return 0;
  }
}

Status Lane::notify(short revents) {
  const short wanted = events();
  const bool broken = (revents & (POLLERR | POLLHUP)) != 0;
  int result = 0;
  // libnbd takes one word at a time, and only one it waits for; a broken socket answers both.
  if ((wanted & POLLIN) != 0 && (broken || (revents & POLLIN) != 0)) {
    result = nbd_aio_notify_read(handle_);
  } else if ((wanted & POLLOUT) != 0 && (broken || (revents & POLLOUT) != 0)) {
    result = nbd_aio_notify_write(handle_);
  }
  if (result == -1 || nbd_aio_is_dead(handle_) == 1) {
    return connection_failure("the connection to " + name_, last_library_error());
  }
  if (nbd_aio_is_closed(handle_) == 1) {
    return Status(Code::backend_unavailable, text("the NBD server closed the connection to ", name_));
  }
  return {};
}

void Lane::send(std::unique_ptr<Request> owned) {
  Request* const request = owned.release();
  request->lane = this;
  if (in_flight_++ == 0) last_progress_ = Clock::now();
  if (request->command == Command::read) request->coverage = Coverage(request->offset, request->length);
  // The completion is released last, also when the call fails; the request is not ours any more from here on.
  const nbd_completion_callback done{&Callbacks::completion, request, &Callbacks::release};
  const std::uint64_t offset = request->offset;
  const std::uint64_t length = request->length;
  const std::uint32_t flags = request->flags;
  switch (request->command) {
  case Command::read:
    nbd_aio_pread_structured(handle_, request->data, length, offset, {&Callbacks::chunk, request, nullptr}, done,
                             flags);
    break;
  case Command::write:
    nbd_aio_pwrite(handle_, request->data, length, offset, done, flags);
    break;
  case Command::zero:
    nbd_aio_zero(handle_, length, offset, done, flags);
    break;
  case Command::trim:
    nbd_aio_trim(handle_, length, offset, done, flags);
    break;
  case Command::flush: nbd_aio_flush(handle_, done, flags); break;
  case Command::block_status:
#ifdef LIBNBD_HAVE_NBD_AIO_BLOCK_STATUS_64
    nbd_aio_block_status_64(handle_, length, offset, {&Callbacks::extent, request, nullptr}, done, flags);
#else
    nbd_aio_block_status(handle_, length, offset, {&Callbacks::extent, request, nullptr}, done, flags);
#endif
    break;
  }
}

void Lane::finished(Request* request) {
  --in_flight_;
  last_progress_ = Clock::now();
  request->next_done = nullptr;
  if (!request->completed && request->violation.is_ok()) {
    // Never sent, or dropped with the handle.
    request->violation =
        Status(Code::internal, text("libnbd did not take a ", command_name(request->command), " of ", request->length,
                                    " bytes at ", request->offset, ": ", last_library_error().text));
  }
  *last_done_ = request;
  last_done_ = &request->next_done;
}

std::unique_ptr<Request> Lane::take_done() {
  std::unique_ptr<Request> request(first_done_);
  if (request == nullptr) return request;
  first_done_ = request->next_done;
  if (first_done_ == nullptr) last_done_ = &first_done_;
  if (!request->violation.is_ok() || request->error != 0) return request;
  if (request->command == Command::read && !request->coverage.is_complete()) {
    request->violation = protocol_violation(text("a read of ", request->length, " bytes at ", request->offset,
                                                 " was answered up to byte ", request->coverage.front()));
  }
  if (request->command == Command::block_status && !request->answered) {
    request->violation = protocol_violation(
        text("a block status reply at ", request->offset, " is without context \"", *request->context, "\""));
  }
  return request;
}

void Lane::disconnect() {
  if (is_ready()) nbd_aio_disconnect(handle_, 0);
}

void Lane::signal_server(int signal) {
  nbd_kill_subprocess(handle_, signal);
}

} // namespace cbt::nbd
