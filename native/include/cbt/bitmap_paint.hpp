// Ranges to bits, the way back: for bitmaps that other software wants (bit maps of an SDK, files of bits).
#pragma once

#include <cstdint>

#include "cbt/arguments.hpp"
#include "cbt/cancel.hpp"
#include "cbt/range_buffer.hpp"
#include "cbt/status.hpp"

namespace cbt {

// The window's start must be a multiple of the granularity.
Status check_paint_start(std::uint64_t granularity, const ByteWindow& window);

// Bit n is set when a byte of [start + n * granularity, start + (n + 1) * granularity) is in a range. Spare bits of the
// last byte are clean. O(ranges + bytes of bits).
Status paint_ranges(const RangeView& ranges, std::uint64_t granularity, const ByteWindow& window,
                    const CancelToken& cancel, Block& bits);

} // namespace cbt
