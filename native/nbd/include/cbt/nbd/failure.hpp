// What went wrong on a connection, as a Status. Three kinds: the connection could not be made or broke
// (backend_unavailable), the other side broke the protocol (backend_protocol), the server refused a request (its errno,
// with the request's place).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cbt/status.hpp"

namespace cbt::nbd {

// What libnbd said last on this thread.
struct LibraryError {
  int error = 0; // errno, 0 when there is none
  std::string text;
};
[[nodiscard]] LibraryError last_library_error();

// "ENOSPC"; also the errnos that connections and NBD replies have.
[[nodiscard]] std::string error_name(int error);

// The connection failed with what libnbd says. `what` starts the sentence: "connecting to unix:/s".
Status connection_failure(std::string_view what, const LibraryError& cause);

// The server answered a request with an error.
Status server_error(std::string_view command, std::uint64_t offset, std::uint64_t length, int error);

// The server broke the protocol.
Status protocol_violation(std::string message);

Status closed();

} // namespace cbt::nbd
