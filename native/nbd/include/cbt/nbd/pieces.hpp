// Cuts a range list into requests. Cuts are at multiples of the piece size, so that they fall on the server's blocks.
//
//   ranges   [==============]      [===]
//   pieces   [==|====|====|=]      [=|=]
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cbt/arguments.hpp"
#include "cbt/nbd/lane.hpp"

namespace cbt::nbd {

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// A range list of the caller, checked: exact, ascending, disjoint; ranges may touch.
Status take_ranges(const RangeView& view, std::vector<Range>& ranges);

// Refuses ranges past the end of the export.
Status check_inside(const std::vector<Range>& ranges, const ExportInfo& info);

// The piece size that the caller asked for, as far as the server takes it; whole blocks.
[[nodiscard]] std::uint64_t fit_piece(std::uint64_t piece_bytes, const ExportInfo& info);

// Sum of the lengths.
[[nodiscard]] std::uint64_t total_bytes(const std::vector<Range>& ranges);

// Offsets and lengths a server with whole blocks only can take; for changes, which cannot be widened.
Status check_blocks(const std::vector<Range>& ranges, const ExportInfo& info, const char* what);

class PieceCutter {
 public:
  PieceCutter() = default;
  PieceCutter(const std::vector<Range>* ranges, std::uint64_t piece_bytes)
      : ranges_(ranges), piece_bytes_(piece_bytes) {}

  [[nodiscard]] bool is_done() const { return index_ == ranges_->size(); }
  // The next piece; call only when not done.
  Range next() {
    const Range& range = (*ranges_)[index_];
    const std::uint64_t offset = range.offset + used_;
    const std::uint64_t cut = offset - offset % piece_bytes_ + piece_bytes_;
    const std::uint64_t length = std::min(cut - offset, range.length - used_);
    used_ += length;
    if (used_ == range.length) {
      ++index_;
      used_ = 0;
    }
    return {offset, length};
  }

 private:
  const std::vector<Range>* ranges_ = nullptr;
  std::uint64_t piece_bytes_ = 0;
  std::size_t index_ = 0;
  std::uint64_t used_ = 0; // of the range at index_
};

} // namespace cbt::nbd
