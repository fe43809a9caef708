// The algebra of range lists, each a single pass over its inputs from the window's start on.
//
//   a            [=======]      [====]
//   b                 [=====]           [==]
//   union        [==========]   [====]  [==]
//   intersect         [==]
//   subtract     [====]         [====]
#pragma once

#include <cstdint>

#include "cbt/arguments.hpp"
#include "cbt/cancel.hpp"
#include "cbt/range_buffer.hpp"
#include "cbt/status.hpp"

namespace cbt {

Status union_ranges(const RangeView& a, const RangeView& b, const ByteWindow& window, const CancelToken& cancel,
                    RangePage& page);
Status intersect_ranges(const RangeView& a, const RangeView& b, const ByteWindow& window, const CancelToken& cancel,
                        RangePage& page);
// What is in `a` and not in `b`.
Status subtract_ranges(const RangeView& a, const RangeView& b, const ByteWindow& window, const CancelToken& cancel,
                       RangePage& page);
Status clip_ranges(const RangeView& ranges, const ByteWindow& window, const CancelToken& cancel, RangePage& page);

// Every range widened outward to multiples of the granularity, merged, clipped to the window.
Status align_ranges(const RangeView& ranges, std::uint64_t granularity, const ByteWindow& window,
                    const CancelToken& cancel, RangePage& page);

// Ranges clipped to the window, then cut from their start on so that none is longer than `max_bytes`. The one
// answer whose neighbours may touch.
Status split_ranges(const RangeView& ranges, std::uint64_t max_bytes, const ByteWindow& window,
                    const CancelToken& cancel, RangePage& page);

} // namespace cbt
