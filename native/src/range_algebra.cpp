// See range_algebra.hpp. The inputs have been checked; still every number is clamped as it is read, because
// shared memory can change under us: the answer may then be nonsense, the memory stays sound.
#include "cbt/range_algebra.hpp"

#include <algorithm>

#include "cbt/page_builder.hpp"

namespace cbt {
namespace {

struct Span {
  std::uint64_t start;
  std::uint64_t end;
};
constexpr Span kNone{~std::uint64_t{0}, ~std::uint64_t{0}};

std::uint64_t to_bytes(double value) {
  if (!(value >= 0)) return 0;
  if (!(value <= static_cast<double>(kMaxBytes))) return kMaxBytes;
  return static_cast<std::uint64_t>(value);
}

// Walks a list from the first range that ends after `from`.
class Cursor {
 public:
  Cursor(const RangeView& ranges, std::uint64_t from) : ranges_(ranges) {
    std::size_t low = 0;
    std::size_t high = ranges.count;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (to_bytes(ranges.end(middle)) <= from) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    index_ = low;
    load();
  }

  [[nodiscard]] bool done() const { return index_ >= ranges_.count; }
  // kNone when done.
  [[nodiscard]] const Span& span() const { return span_; }
  void advance() {
    ++index_;
    load();
  }

 private:
  void load() {
    if (done()) {
      span_ = kNone;
      return;
    }
    const double offset = ranges_.offset(index_);
    span_ = {to_bytes(offset), to_bytes(offset + ranges_.length(index_))};
  }

  const RangeView ranges_;
  std::size_t index_ = 0;
  Span span_ = kNone;
};

// True once every 65536 steps when the caller wants out.
class Poll {
 public:
  explicit Poll(const CancelToken& cancel) : cancel_(cancel) {}
  [[nodiscard]] bool stop() { return (steps_++ & 0xffff) == 0 && cancel_.requested(); }

 private:
  const CancelToken cancel_;
  std::uint64_t steps_ = 0;
};

} // namespace

Status union_ranges(const RangeView& a, const RangeView& b, const ByteWindow& window, const CancelToken& cancel,
                    RangePage& page) {
  PageBuilder builder(window, page);
  Cursor left(a, window.start);
  Cursor right(b, window.start);
  Poll poll(cancel);
  while (!left.done() || !right.done()) {
    if (poll.stop()) return aborted();
    Cursor& next = left.span().start <= right.span().start ? left : right;
    if (!builder.push(next.span().start, next.span().end)) break;
    next.advance();
  }
  return builder.finish();
}

Status intersect_ranges(const RangeView& a, const RangeView& b, const ByteWindow& window, const CancelToken& cancel,
                        RangePage& page) {
  PageBuilder builder(window, page);
  Cursor left(a, window.start);
  Cursor right(b, window.start);
  Poll poll(cancel);
  while (!left.done() && !right.done()) {
    if (poll.stop()) return aborted();
    const std::uint64_t start = std::max(left.span().start, right.span().start);
    const std::uint64_t end = std::min(left.span().end, right.span().end);
    if (start < end && !builder.push(start, end)) break;
    if (start >= window.end) break;
    (left.span().end <= right.span().end ? left : right).advance();
  }
  return builder.finish();
}

Status subtract_ranges(const RangeView& a, const RangeView& b, const ByteWindow& window, const CancelToken& cancel,
                       RangePage& page) {
  PageBuilder builder(window, page);
  Cursor kept(a, window.start);
  Cursor removed(b, window.start);
  Poll poll(cancel);
  for (; !kept.done() && kept.span().start < window.end; kept.advance()) {
    std::uint64_t start = kept.span().start;
    const std::uint64_t end = kept.span().end;
    while (start < end) {
      if (poll.stop()) return aborted();
      while (!removed.done() && removed.span().end <= start) {
        if (poll.stop()) return aborted();
        removed.advance();
      }
      const std::uint64_t hole = std::min(removed.span().start, end);
      if (start < hole && !builder.push(start, hole)) return builder.finish();
      start = hole == end ? end : removed.span().end;
    }
  }
  return builder.finish();
}

Status clip_ranges(const RangeView& ranges, const ByteWindow& window, const CancelToken& cancel, RangePage& page) {
  PageBuilder builder(window, page);
  Poll poll(cancel);
  for (Cursor cursor(ranges, window.start); !cursor.done(); cursor.advance()) {
    if (poll.stop()) return aborted();
    if (!builder.push(cursor.span().start, cursor.span().end)) break;
  }
  return builder.finish();
}

Status align_ranges(const RangeView& ranges, std::uint64_t granularity, const ByteWindow& window,
                    const CancelToken& cancel, RangePage& page) {
  PageBuilder builder(window, page);
  Poll poll(cancel);
  // A range that ends in the granule of the window's start is widened into the window.
  const std::uint64_t from = window.start / granularity * granularity;
  for (Cursor cursor(ranges, from); !cursor.done(); cursor.advance()) {
    if (poll.stop()) return aborted();
    const std::uint64_t start = cursor.span().start / granularity * granularity;
    const std::uint64_t end = (cursor.span().end + granularity - 1) / granularity * granularity;
    if (!builder.push(start, end)) break;
  }
  return builder.finish();
}

Status split_ranges(const RangeView& ranges, std::uint64_t max_bytes, const ByteWindow& window,
                    const CancelToken& cancel, RangePage& page) {
  PageBuilder builder(window, page, PageBuilder::Touching::keep);
  Poll poll(cancel);
  for (Cursor cursor(ranges, window.start); !cursor.done(); cursor.advance()) {
    std::uint64_t start = std::max(cursor.span().start, window.start);
    const std::uint64_t end = std::min(cursor.span().end, window.end);
    if (start >= window.end) break;
    for (; start < end; start += std::min(max_bytes, end - start)) {
      if (poll.stop()) return aborted();
      if (!builder.push(start, start + std::min(max_bytes, end - start))) return builder.finish();
    }
  }
  return builder.finish();
}

} // namespace cbt
