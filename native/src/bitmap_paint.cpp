// See bitmap_paint.hpp.
#include "cbt/bitmap_paint.hpp"

#include <algorithm>

#include "cbt/bits.hpp"
#include "cbt/text.hpp"

namespace cbt {
namespace {

constexpr std::size_t kRangesPerPoll = 1 << 16;

} // namespace

Status check_paint_start(std::uint64_t granularity, const ByteWindow& window) {
  if (window.start % granularity == 0) return {};
  return invalid_argument("startBytes", static_cast<double>(window.start),
                          text("a multiple of granularityBytes (", granularity, ")"));
}

Status paint_ranges(const RangeView& ranges, std::uint64_t granularity, const ByteWindow& window,
                    const CancelToken& cancel, Block& bits) {
  const std::uint64_t bytes = divide_up(divide_up(window.end - window.start, granularity), 8);
  if (bytes > kMaxAnswerBytes) {
    return Status(Code::unsupported, text("the window needs ", bytes, " bytes of bits, the limit is ", kMaxAnswerBytes,
                                          "; ask for it in smaller windows"))
        .with("bytes", bytes)
        .with("limitBytes", kMaxAnswerBytes);
  }
  bits = allocate_zeroed(bytes);
  if (bits.data == nullptr) {
    return Status(Code::backend_unavailable, text("no memory for ", bytes, " bytes of bits"))
        .with("errno", "ENOMEM")
        .with("bytes", bytes);
  }
  const auto window_start = static_cast<double>(window.start);
  const auto window_end = static_cast<double>(window.end);
  for (std::size_t i = 0; i < ranges.count; ++i) {
    if (i % kRangesPerPoll == 0 && cancel.requested()) {
      free_block(bits);
      bits = {};
      return aborted();
    }
    double start = ranges.offset(i);
    double end = start + ranges.length(i);
    if (!(start >= window_start)) start = window_start;
    if (!(end <= window_end)) end = window_end;
    if (!(start < end)) continue;
    const std::uint64_t first_bit = (static_cast<std::uint64_t>(start) - window.start) / granularity;
    const std::uint64_t end_bit = divide_up(static_cast<std::uint64_t>(end) - window.start, granularity);
    set_bits(static_cast<std::uint8_t*>(bits.data), first_bit, end_bit);
  }
  return {};
}

} // namespace cbt
