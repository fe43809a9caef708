// Ranges as decimal text, for maps of millions of ranges that go to a file or a pipe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cbt/arguments.hpp"
#include "cbt/cancel.hpp"
#include "cbt/range_buffer.hpp"
#include "cbt/status.hpp"

namespace cbt {

// What stands around the two numbers of a range.
struct RangeStyle {
  std::string before;
  std::string between;
  std::string after;
};

// Bytes of one part of a style.
inline constexpr std::size_t kMaxStyleBytes = 64;

Status check_style_part(std::string_view argument, const std::string& part);

// before offset between length after, for each range in order. O(bytes of text).
Status format_ranges(const RangeView& ranges, const RangeStyle& style, const CancelToken& cancel, Block& out);

} // namespace cbt
