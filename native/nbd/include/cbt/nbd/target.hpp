// What to connect to, and how: plain data with its checks. Nothing here reaches a log or a command line but `describe`,
// which leaves secrets out.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cbt/status.hpp"

namespace cbt::nbd {

struct UnixTarget {
  std::string path;
};
struct TcpTarget {
  std::string host;
  std::uint16_t port = 10809;
};
// nbd://, nbds://, nbd+unix://, nbds+unix://; has the export's name in itself.
struct UriTarget {
  std::string uri;
};
// A server that libnbd starts and hands a listening socket (systemd socket activation); it ends with the connection.
struct CommandTarget {
  std::vector<std::string> arguments; // the program first
  std::string name;                   // what messages call it; the program's name where this is empty
};

struct NoTls {};
struct X509 {
  std::string directory; // ca-cert.pem, and client-cert.pem and client-key.pem where the server asks for them
  bool verify_peer = true;
};
struct Psk {
  std::string file; // "username:hex key" lines
  std::string username;
};

struct Target {
  std::variant<UnixTarget, TcpTarget, UriTarget, CommandTarget> address;
  std::variant<NoTls, X509, Psk> tls;
  std::string export_name;
  std::vector<std::string> contexts; // every one of them must be there
  std::size_t connections = 1;       // as many as the server shares the export with; a command has one
  std::uint32_t connect_timeout_ms = 10'000;
  std::uint32_t request_timeout_ms = 60'000; // without any reply while requests wait; 0 for ever
};

Status check_target(const Target& target);

// "unix:/path" and the like, for messages.
[[nodiscard]] std::string describe(const Target& target);

} // namespace cbt::nbd
