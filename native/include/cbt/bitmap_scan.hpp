// Bits to ranges: what a set of dirty bitmaps says about a window of the disk.
#pragma once

#include <cstdint>

#include "cbt/range_buffer.hpp"
#include "cbt/segments.hpp"

namespace cbt {

// OR of the segments as ranges clipped to the window. O(words + ranges); bounded memory besides the answer.
Status scan_bitmaps(const BitmapQuery& query, RangePage& page);

// Bytes that scan_bitmaps would list in the window.
Status count_bitmaps(const BitmapQuery& query, std::uint64_t& bytes);

} // namespace cbt
