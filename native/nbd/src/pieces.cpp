#include "cbt/nbd/pieces.hpp"

#include "cbt/text.hpp"

namespace cbt::nbd {

Status take_ranges(const RangeView& view, std::vector<Range>& ranges) {
  ranges.reserve(view.count);
  std::uint64_t previous_end = 0;
  for (std::size_t i = 0; i < view.count; ++i) {
    // The memory may change under us; what was read is what is checked and used.
    const double offset = view.offset(i);
    const double length = view.length(i);
    Range range;
    if (!check_byte_count("", offset, range.offset).is_ok() ||
        !check_integer("", length, 1, cbt::kMaxBytes, range.length).is_ok() ||
        range.length > cbt::kMaxBytes - range.offset) {
      return invalid_argument(text("ranges[", i, "]"), text("\"", js_number(offset), "+", js_number(length), "\""),
                              "a range of exact, positive length");
    }
    if (range.offset < previous_end) {
      return invalid_argument(text("ranges[", i, "]"), text("\"", range.offset, "+", range.length, "\""),
                              text("to start at ", previous_end, " or later"));
    }
    previous_end = range.offset + range.length;
    ranges.push_back(range);
  }
  return {};
}

Status check_inside(const std::vector<Range>& ranges, const ExportInfo& info) {
  for (const Range& range : ranges) {
    if (range.offset <= info.size && range.length <= info.size - range.offset) continue;
    return invalid_argument("ranges", text("\"", range.offset, "+", range.length, "\""),
                            text("inside the export of ", info.size, " bytes"));
  }
  return {};
}

std::uint64_t fit_piece(std::uint64_t piece_bytes, const ExportInfo& info) {
  // Pieces are cut at multiples of their size, so widening one to whole blocks never makes it longer than that.
  const std::uint64_t fit = std::min(piece_bytes, info.max_payload);
  return std::max(fit - fit % info.min_block, info.min_block);
}

std::uint64_t total_bytes(const std::vector<Range>& ranges) {
  std::uint64_t total = 0;
  for (const Range& range : ranges) total += range.length;
  return total;
}

Status check_blocks(const std::vector<Range>& ranges, const ExportInfo& info, const char* what) {
  for (const Range& range : ranges) {
    if (range.offset % info.min_block == 0 && range.length % info.min_block == 0) continue;
    return invalid_argument(what, text("\"", range.offset, "+", range.length, "\""),
                            text("multiples of the export's block of ", info.min_block, " bytes"));
  }
  return {};
}

} // namespace cbt::nbd
