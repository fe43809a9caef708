// See failure.hpp. libnbd leaves errno at 0 for every broken rule of the protocol, but also where a connection or a TLS
// session ended early; those are told apart by its sentence.
#include "cbt/nbd/failure.hpp"

#include <libnbd.h>

#include <cerrno>
#include <utility>

#include "cbt/text.hpp"

namespace cbt::nbd {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// A connection that ended in the middle, a name that is not known, or TLS that could not be agreed on.
bool is_no_connection(std::string_view text) {
  return contains(text, "disconnected unexpectedly") || contains(text, "connection is closed") ||
         contains(text, "gnutls") || contains(text, "getaddrinfo") || contains(text, "TLS");
}

} // namespace

LibraryError last_library_error() {
  const char* text = nbd_get_error();
  std::string_view sentence = text == nullptr ? "no reason given" : text;
  // The name of the function that was called says nothing to a user.
  if (const std::size_t colon = sentence.find(": "); sentence.starts_with("nbd_") && colon != std::string_view::npos) {
    sentence.remove_prefix(colon + 2);
  }
  return {nbd_get_errno(), std::string(sentence)};
}

std::string error_name(int error) {
  switch (error) {
#define CBT_ERRNO(name)                                                                                                \
  case name: return #name;
    CBT_ERRNO(EADDRNOTAVAIL)
    CBT_ERRNO(ECONNABORTED)
    CBT_ERRNO(ECONNREFUSED)
    CBT_ERRNO(EHOSTUNREACH)
    CBT_ERRNO(ENAMETOOLONG)
    CBT_ERRNO(ENETUNREACH)
    CBT_ERRNO(ENOENT)
    CBT_ERRNO(ENOSPC)
    CBT_ERRNO(ENOTDIR)
    CBT_ERRNO(EPIPE)
    CBT_ERRNO(EPROTO)
    CBT_ERRNO(ERANGE)
    CBT_ERRNO(EROFS)
    CBT_ERRNO(ESHUTDOWN)
#undef CBT_ERRNO
  case ENOTSUP: return "ENOTSUP";
  default: return errno_name(error);
  }
}

Status connection_failure(std::string_view what, const LibraryError& cause) {
  const bool broken_rule = (cause.error == 0 && !is_no_connection(cause.text)) || cause.error == EPROTO;
  const Code code = broken_rule ? Code::backend_protocol : Code::backend_unavailable;
  Status status(code, text(what, " failed: ", cause.text));
  if (cause.error == 0) return status;
  return std::move(status).with("errno", error_name(cause.error));
}

Status server_error(std::string_view command, std::uint64_t offset, std::uint64_t length, int error) {
  const Code code = error == ENOTSUP ? Code::unsupported : Code::backend_unavailable;
  return Status(code,
                text("the NBD server refused ", command, " of ", length, " bytes at ", offset, ": ", error_name(error)))
      .with("errno", error_name(error))
      .with("command", std::string(command))
      .with("offsetBytes", offset)
      .with("lengthBytes", length);
}

Status protocol_violation(std::string message) {
  return {Code::backend_protocol, "the NBD server broke the protocol: " + std::move(message)};
}

Status closed() {
  return {Code::closed, "the NBD connection is closed"};
}

} // namespace cbt::nbd
