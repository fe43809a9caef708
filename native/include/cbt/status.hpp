// What a native call says about itself: a code from the library's closed set, a message, and facts for
// programs. The core returns it and never throws; the binding turns it into a JavaScript error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace cbt {

enum class Code : std::uint8_t {
  ok,
  invalid_argument,
  unsupported,
  backend_unavailable,
  backend_protocol,
  timeout,
  closed,
  corrupt_image,
  aborted,
  internal,
};

// The name JavaScript knows the code by, such as "ERR_CBT_CORRUPT_IMAGE".
[[nodiscard]] const char* code_name(Code code);

struct Detail {
  std::string name;
  std::variant<double, std::string> value;
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  // Adds a fact; returns itself so that facts can be chained onto a new status.
  Status&& with(std::string name, std::uint64_t value) &&;
  Status&& with(std::string name, std::string value) &&;
  Status&& with(Detail detail) &&;

  [[nodiscard]] bool is_ok() const { return code_ == Code::ok; }
  [[nodiscard]] Code code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  [[nodiscard]] const std::vector<Detail>& details() const { return details_; }

 private:
  Code code_ = Code::ok;
  std::string message_;
  std::vector<Detail> details_;
};

// "argument is received, expected expected": the same words as the TypeScript side's invalidArgument.
Status invalid_argument(std::string_view argument, std::string_view received, std::string_view expected);
Status invalid_argument(std::string_view argument, double received, std::string_view expected);

// "what at byte offset failed: EIO"; the errno's name is a fact of its own.
Status io_failure(std::string_view what, std::uint64_t offset_bytes, int error);

Status aborted();

// A number as JavaScript prints it.
[[nodiscard]] std::string js_number(double value);

// "EIO", or "errno 4242" for one we have no name for.
[[nodiscard]] std::string errno_name(int error);

} // namespace cbt

// Leaves the function with the status if it is not ok.
#define CBT_TRY(expression)                                                                                            \
  do {                                                                                                                 \
    if (auto cbt_status_ = (expression); !cbt_status_.is_ok()) return cbt_status_;                                     \
  } while (false)
