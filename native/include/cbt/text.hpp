// Puts messages together from text and whole numbers.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace cbt {

inline void append_text(std::string& target, std::string_view part) {
  target.append(part);
}
void append_text(std::string& target, std::integral auto part) {
  target.append(std::to_string(part));
}

template <class... Parts>
[[nodiscard]] std::string text(const Parts&... parts) {
  std::string result;
  (append_text(result, parts), ...);
  return result;
}

} // namespace cbt
