// See target.hpp. Text goes to C functions: a zero byte would cut it short, and then another file or export than the
// caller checked would be opened.
#include "cbt/nbd/target.hpp"

#include <string_view>

#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>; // clang before 17 does not find this by itself

Status check_text(std::string_view argument, const std::string& value, std::size_t least, std::size_t most) {
  if (value.find('\0') != std::string::npos) {
    return invalid_argument(argument, "text with a zero byte", "text without zero bytes");
  }
  if (value.size() < least || value.size() > most) {
    return invalid_argument(argument, text(value.size(), " bytes long"), text(least, " to ", most, " bytes of UTF-8"));
  }
  return {};
}

struct UriParts {
  std::string_view scheme;
  std::string_view authority;
  std::string_view query;
};

UriParts split_uri(std::string_view uri) {
  UriParts parts;
  const std::size_t colon = uri.find("://");
  if (colon == std::string_view::npos) return parts;
  parts.scheme = uri.substr(0, colon);
  const std::string_view rest = uri.substr(colon + 3);
  parts.authority = rest.substr(0, rest.find_first_of("/?#"));
  if (const std::size_t mark = rest.find('?'); mark != std::string_view::npos) parts.query = rest.substr(mark + 1);
  return parts;
}

// What libnbd would take from a URI but the caller has to say elsewhere: passwords, and files to read.
Status check_uri(const std::string& uri, bool with_tls) {
  CBT_TRY(check_text("uri", uri, 1, kMaxUri));
  const UriParts parts = split_uri(uri);
  const bool secure = parts.scheme == "nbds" || parts.scheme == "nbds+unix";
  if (!secure && parts.scheme != "nbd" && parts.scheme != "nbd+unix") {
    return invalid_argument("uri", "another scheme", "nbd://, nbds://, nbd+unix:// or nbds+unix://");
  }
  const std::size_t at = parts.authority.rfind('@');
  if (at != std::string_view::npos && parts.authority.substr(0, at).find(':') != std::string_view::npos) {
    return invalid_argument("uri", "one with a password", "a URI without secrets");
  }
  if (parts.query.find("tls-") != std::string_view::npos) {
    return invalid_argument("uri", "one that names TLS files", "TLS files in the tls option");
  }
  if (secure && !with_tls) return invalid_argument("tls", "undefined", "x509 or psk, because the URI asks for TLS");
  if (!secure && with_tls)
    return invalid_argument("uri", "one without TLS", "nbds:// or nbds+unix://, because tls is given");
  return {};
}

Status check_arguments(const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.size() > kMaxArguments) {
    return invalid_argument("arguments", text(arguments.size(), " arguments"), text("1 to ", kMaxArguments));
  }
  for (const std::string& argument : arguments) CBT_TRY(check_text("arguments", argument, 0, 128 * 1024 - 1));
  return check_text("arguments[0]", arguments[0], 1, 4095);
}

Status check_address(const Target& target) {
  const bool with_tls = !std::holds_alternative<NoTls>(target.tls);
  if (const auto* socket = std::get_if<UnixTarget>(&target.address)) {
    return check_text("path", socket->path, 1, kMaxSocketPath);
  }
  if (const auto* tcp = std::get_if<TcpTarget>(&target.address)) {
    if (tcp->port == 0) return invalid_argument("port", 0.0, "1 to 65535");
    return check_text("host", tcp->host, 1, 255);
  }
  if (const auto* uri = std::get_if<UriTarget>(&target.address)) return check_uri(uri->uri, with_tls);
  if (with_tls) return invalid_argument("tls", "given", "none for a server of our own");
  const auto& command = std::get<CommandTarget>(target.address);
  CBT_TRY(check_text("name", command.name, 0, kMaxWireText));
  return check_arguments(command.arguments);
}

Status check_tls(const Target& target) {
  if (const auto* x509 = std::get_if<X509>(&target.tls))
    return check_text("tls.certificates", x509->directory, 1, 4000);
  if (const auto* psk = std::get_if<Psk>(&target.tls)) {
    CBT_TRY(check_text("tls.file", psk->file, 1, 4095));
    return check_text("tls.username", psk->username, 1, 255);
  }
  return {};
}

} // namespace

Status check_target(const Target& target) {
  CBT_TRY(check_address(target));
  CBT_TRY(check_tls(target));
  CBT_TRY(check_text("exportName", target.export_name, 0, kMaxWireText));
  if (target.contexts.size() > kMaxContexts) {
    return invalid_argument("contexts", text(target.contexts.size(), " names"), text("at most ", kMaxContexts));
  }
  for (const std::string& context : target.contexts) CBT_TRY(check_text("contexts", context, 1, kMaxWireText));
  if (target.connections < 1 || target.connections > kMaxConnections) {
    return invalid_argument("connections", static_cast<double>(target.connections), text("1 to ", kMaxConnections));
  }
  return {};
}

std::string describe(const Target& target) {
  return std::visit(Overloaded{
                        [](const UnixTarget& unix_target) { return "unix:" + unix_target.path; },
                        [](const TcpTarget& tcp) { return text(tcp.host, ":", tcp.port); },
                        [](const UriTarget& uri) { return uri.uri; },
                        [](const CommandTarget& command) {
                          if (!command.name.empty()) return command.name;
                          const std::string& program = command.arguments.front();
                          return program.substr(program.rfind('/') + 1);
                        },
                    },
                    target.address);
}

} // namespace cbt::nbd
