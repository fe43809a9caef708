// See arguments.hpp. The sentences match lib/core/rangePage.ts, so that both kernels refuse in the same
// words.
#include "cbt/arguments.hpp"
#include "cbt/text.hpp"

#include <cmath>
#include <string>

namespace cbt {
namespace {

const double kMaxBytesAsDouble = static_cast<double>(kMaxBytes);

// NaN and infinities fail both comparisons or the last.
bool is_integer(double value, double least, double most) {
  return value >= least && value <= most && value == std::trunc(value);
}

// Text that was received is quoted, as JSON does it.
std::string pair_text(double offset, double length) {
  return text("\"", js_number(offset), "+", js_number(length), "\"");
}

} // namespace

Status check_integer(std::string_view argument, double value, std::uint64_t least, std::uint64_t most,
                     std::uint64_t& out) {
  if (!is_integer(value, static_cast<double>(least), static_cast<double>(most))) {
    return invalid_argument(argument, value, text("an integer from ", least, " to ", most));
  }
  out = static_cast<std::uint64_t>(value);
  return {};
}

Status check_byte_count(std::string_view argument, double value, std::uint64_t& out) {
  return check_integer(argument, value, 0, kMaxBytes, out);
}

Status check_window(double start, double end, double max_ranges, ByteWindow& out) {
  CBT_TRY(check_byte_count("startBytes", start, out.start));
  CBT_TRY(check_byte_count("endBytes", end, out.end));
  if (out.start > out.end) {
    return invalid_argument("startBytes", start, text("at most endBytes (", out.end, ")"));
  }
  if (std::isinf(max_ranges) && max_ranges > 0) {
    out.max_ranges = kAllRanges;
    return {};
  }
  if (!is_integer(max_ranges, 1, kMaxBytesAsDouble)) {
    return invalid_argument("maxRanges", max_ranges, "an integer of at least 1, or Infinity");
  }
  out.max_ranges = static_cast<std::uint64_t>(max_ranges);
  return {};
}

Status check_granularity(std::string_view argument, double value, std::uint64_t& out) {
  const bool in_range = is_integer(value, static_cast<double>(kMinGranularity), static_cast<double>(kMaxGranularity));
  const std::uint64_t integer = in_range ? static_cast<std::uint64_t>(value) : 0;
  if (!in_range || (integer & (integer - 1)) != 0) {
    return invalid_argument(argument, value, text("a power of two from ", kMinGranularity, " to ", kMaxGranularity));
  }
  out = integer;
  return {};
}

Status check_segment_count(std::size_t count) {
  if (count <= kMaxSegments) return {};
  return invalid_argument("segments", text("\"", count, " segments\""), text("at most ", kMaxSegments));
}

Status check_cluster_bytes(std::string_view argument, double value, std::uint64_t& out) {
  const bool in_range = is_integer(value, static_cast<double>(kMinClusterBytes), static_cast<double>(kMaxClusterBytes));
  if (!in_range || static_cast<std::uint64_t>(value) % kMinClusterBytes != 0) {
    return invalid_argument(argument, value, text("a multiple of 512 from 512 to ", kMaxClusterBytes));
  }
  out = static_cast<std::uint64_t>(value);
  return {};
}

Status check_file_descriptor(std::string_view argument, double value, int& out) {
  std::uint64_t integer = 0;
  CBT_TRY(check_integer(argument, value, 0, 0x7fffffff, integer));
  out = static_cast<int>(integer);
  return {};
}

Status check_ranges(std::string_view argument, const double* values, std::size_t value_count, RangeView& out) {
  if (value_count % 2 != 0) {
    return invalid_argument(argument, text("\"", value_count, " numbers\""), "pairs of offset and length");
  }
  const RangeView view{values, value_count / 2};
  double previous_end = -1;
  for (std::size_t i = 0; i < view.count; ++i) {
    const double offset = view.offset(i);
    const double length = view.length(i);
    const double end = offset + length;
    const bool exact = is_integer(offset, -kMaxBytesAsDouble, kMaxBytesAsDouble) &&
                       is_integer(length, 1, kMaxBytesAsDouble) && end <= kMaxBytesAsDouble;
    if (!exact || offset <= previous_end) [[unlikely]] {
      return invalid_argument(text(argument, "[", i, "]"), pair_text(offset, length),
                              exact ? text("to start after ", js_number(previous_end))
                                    : "a range of exact, positive length");
    }
    previous_end = end;
  }
  out = view;
  return {};
}

} // namespace cbt
