// Codes, messages and number formats of the native side, in the words the TypeScript side uses.
#include "cbt/status.hpp"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <system_error>

namespace cbt {

const char* code_name(Code code) {
  switch (code) {
  case Code::ok: return "OK";
  case Code::invalid_argument: return "ERR_CBT_INVALID_ARGUMENT";
  case Code::unsupported: return "ERR_CBT_UNSUPPORTED";
  case Code::backend_unavailable: return "ERR_CBT_BACKEND_UNAVAILABLE";
  case Code::backend_protocol: return "ERR_CBT_BACKEND_PROTOCOL";
  case Code::timeout: return "ERR_CBT_TIMEOUT";
  case Code::closed: return "ERR_CBT_CLOSED";
  case Code::corrupt_image: return "ERR_CBT_CORRUPT_IMAGE";
  case Code::aborted: return "ERR_CBT_ABORTED";
  case Code::internal: return "ERR_CBT_INTERNAL";
  }
  return "ERR_CBT_INTERNAL";
}

Status&& Status::with(std::string name, std::uint64_t value) && {
  details_.push_back({std::move(name), static_cast<double>(value)});
  return std::move(*this);
}

Status&& Status::with(std::string name, std::string value) && {
  details_.push_back({std::move(name), std::move(value)});
  return std::move(*this);
}

Status&& Status::with(Detail detail) && {
  details_.push_back(std::move(detail));
  return std::move(*this);
}

Status invalid_argument(std::string_view argument, std::string_view received, std::string_view expected) {
  std::string message;
  message.append(argument).append(" is ").append(received).append(", expected ").append(expected);
  return Status(Code::invalid_argument, std::move(message))
      .with("argument", std::string(argument))
      .with("received", std::string(received))
      .with("expected", std::string(expected));
}

Status invalid_argument(std::string_view argument, double received, std::string_view expected) {
  return invalid_argument(argument, js_number(received), expected);
}

Status io_failure(std::string_view what, std::uint64_t offset_bytes, int error) {
  std::string message(what);
  message.append(" at byte ").append(std::to_string(offset_bytes)).append(" failed: ").append(errno_name(error));
  message.append(" (").append(std::generic_category().message(error)).append(")");
  return Status(Code::backend_unavailable, std::move(message))
      .with("errno", errno_name(error))
      .with("offsetBytes", offset_bytes);
}

Status aborted() {
  return {Code::aborted, "cancelled by the caller"};
}

std::string js_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == 0) return "0";
  char text[64];
  const double size = std::fabs(value);
  const auto format = size < 1e21 && size >= 1e-6 ? std::chars_format::fixed : std::chars_format::scientific;
  const auto result = std::to_chars(text, text + sizeof text, value, format);
  return {text, result.ptr};
}

std::string errno_name(int error) {
  switch (error) {
#define CBT_ERRNO(name)                                                                                                \
  case name: return #name;
    CBT_ERRNO(EACCES)
    CBT_ERRNO(EAGAIN)
    CBT_ERRNO(EBADF)
    CBT_ERRNO(EBADMSG)
    CBT_ERRNO(ECONNRESET)
    CBT_ERRNO(EFAULT)
    CBT_ERRNO(EINVAL)
    CBT_ERRNO(EIO)
    CBT_ERRNO(EISDIR)
    CBT_ERRNO(ENODATA)
    CBT_ERRNO(ENODEV)
    CBT_ERRNO(ENOLCK)
    CBT_ERRNO(ENOMEM)
    CBT_ERRNO(ENOSYS)
    CBT_ERRNO(ENOTCONN)
    CBT_ERRNO(ENXIO)
    CBT_ERRNO(EOPNOTSUPP)
    CBT_ERRNO(EOVERFLOW)
    CBT_ERRNO(EPERM)
    CBT_ERRNO(EREMOTEIO)
    CBT_ERRNO(ESPIPE)
    CBT_ERRNO(ESTALE)
    CBT_ERRNO(ETIMEDOUT)
    CBT_ERRNO(EUCLEAN)
#undef CBT_ERRNO
  default: return "errno " + std::to_string(error);
  }
}

} // namespace cbt
