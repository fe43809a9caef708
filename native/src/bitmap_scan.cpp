// See bitmap_scan.hpp. Edges go straight into the answer as disk bytes; every second one is then turned from
// an end into a length while it is still in the first-level cache.
#include "cbt/bitmap_scan.hpp"

#include <algorithm>

#include "cbt/bits.hpp"
#include "cbt/combined_bits.hpp"

namespace cbt {
namespace {

// Edges written between two looks at the cap: 32 KiB.
constexpr std::size_t kEdgesAtOnce = 4096;

class EdgeSink {
 public:
  EdgeSink(const BitmapQuery& query, RangePage& page)
      : ops_(*query.ops), window_(query.window), page_(page), scan_(static_cast<double>(query.granularity)),
        max_edges_(query.window.max_ranges > kMaxAnswerBytes ? kAllRanges : 2 * query.window.max_ranges) {}

  // The page holds as many ranges as it may, and the start of the next one is known.
  [[nodiscard]] bool full() const { return page_.ranges.size() > max_edges_; }

  // All bits from `bit` on are `value`, up to whatever comes next.
  Status level(std::uint64_t bit, std::uint64_t value) {
    if (scan_.last == value) return {};
    scan_.last = value;
    CBT_TRY(page_.ranges.reserve(1));
    *page_.ranges.tail() = static_cast<double>(bit) * scan_.granularity;
    page_.ranges.advance(1);
    convert();
    return {};
  }

  Status words(const BitPiece& piece) {
    if (piece.writable != nullptr) blank_ends(piece);
    scan_.base = static_cast<double>(piece.first / 64) * scan_.word_bytes;
    const std::uint8_t* bytes = piece.bytes;
    std::size_t left = piece.word_count;
    while (left > 0 && !full()) {
      CBT_TRY(page_.ranges.reserve(kEdgesAtOnce));
      std::size_t done = 0;
      const std::size_t edges = ops_.scan_edges(scan_, bytes, left, page_.ranges.tail(), kEdgesAtOnce, done);
      page_.ranges.advance(edges);
      convert();
      bytes += 8 * done;
      left -= done;
    }
    return {};
  }

  // Closes the last range, keeps what fits, and clips to the window.
  Status finish() {
    RangeBuffer& ranges = page_.ranges;
    page_.next_bytes = window_.end;
    if (full()) {
      page_.next_bytes = static_cast<std::uint64_t>(ranges.data()[max_edges_]);
      ranges.truncate(max_edges_);
    } else if (ranges.size() % 2 != 0) {
      CBT_TRY(ranges.reserve(1));
      *ranges.tail() = static_cast<double>(window_.end);
      ranges.advance(1);
      convert();
    }
    const auto start = static_cast<double>(window_.start);
    if (ranges.size() != 0 && ranges.data()[0] < start) {
      ranges.data()[1] -= start - ranges.data()[0];
      ranges.data()[0] = start;
    }
    return {};
  }

 private:
  // Bits before the piece repeat the bit before them and bits after it its last bit, so that neither makes an
  // edge.
  void blank_ends(const BitPiece& piece) {
    if (const std::uint64_t head = piece.first % 64; head != 0) {
      const std::uint64_t outside = ~std::uint64_t{0} >> (64 - head);
      const std::uint64_t word = load_le64(piece.writable);
      store_le64(piece.writable, scan_.last != 0 ? word | outside : word & ~outside);
    }
    if (const std::uint64_t tail = piece.end % 64; tail != 0) {
      std::uint8_t* const at = piece.writable + 8 * (piece.word_count - 1);
      const std::uint64_t outside = ~std::uint64_t{0} << tail;
      const std::uint64_t word = load_le64(at);
      store_le64(at, (word >> (tail - 1) & 1) != 0 ? word | outside : word & ~outside);
    }
  }

  void convert() {
    const std::size_t pairs = page_.ranges.size() / 2;
    ops_.ends_to_lengths(page_.ranges.data() + 2 * converted_, pairs - converted_);
    converted_ = pairs;
  }

  const BitOps& ops_;
  const ByteWindow window_;
  RangePage& page_;
  EdgeScan scan_;
  const std::uint64_t max_edges_;
  std::size_t converted_ = 0; // pairs
};

std::uint64_t count_piece(const BitOps& ops, const BitPiece& piece) {
  if (piece.writable != nullptr) {
    if (const std::uint64_t head = piece.first % 64; head != 0) {
      store_le64(piece.writable, load_le64(piece.writable) & ~std::uint64_t{0} << head);
    }
    if (const std::uint64_t tail = piece.end % 64; tail != 0) {
      std::uint8_t* const at = piece.writable + 8 * (piece.word_count - 1);
      store_le64(at, load_le64(at) & ~std::uint64_t{0} >> (64 - tail));
    }
  }
  return ops.count_bits(piece.bytes, piece.word_count);
}

bool bit_in_piece(const BitPiece& piece, std::uint64_t bit) {
  if (piece.kind != BitPiece::Kind::words) return piece.kind == BitPiece::Kind::dirty;
  const std::uint64_t index = bit - piece.first / 64 * 64;
  return (piece.bytes[index / 8] >> (index % 8) & 1) != 0;
}

} // namespace

Status scan_bitmaps(const BitmapQuery& query, RangePage& page) {
  CombinedBits bits(query);
  if (query.segments.empty() || query.window.start == query.window.end) {
    page.next_bytes = query.window.end;
    return {};
  }
  const std::uint64_t bit_count = bits.end_bit() - bits.first_bit();
  page.ranges.expect_at_most(std::min(bit_count, 2 * std::min(query.window.max_ranges, kMaxBytes)) + kEdgesAtOnce);
  EdgeSink sink(query, page);
  std::uint64_t bit = bits.first_bit();
  while (bit < bits.end_bit() && !sink.full()) {
    BitPiece piece;
    CBT_TRY(bits.next(bit, piece));
    if (piece.kind == BitPiece::Kind::words) {
      CBT_TRY(sink.words(piece));
    } else {
      CBT_TRY(sink.level(bit, piece.kind == BitPiece::Kind::dirty ? 1 : 0));
    }
    bit = piece.end;
  }
  return sink.finish();
}

Status count_bitmaps(const BitmapQuery& query, std::uint64_t& bytes) {
  bytes = 0;
  if (query.segments.empty() || query.window.start == query.window.end) return {};
  CombinedBits bits(query);
  const std::uint64_t first = bits.first_bit();
  const std::uint64_t last = bits.end_bit() - 1;
  std::uint64_t outside = 0; // bytes of the first and last granule that lie outside the window
  for (std::uint64_t bit = first; bit <= last;) {
    BitPiece piece;
    CBT_TRY(bits.next(bit, piece));
    if (piece.kind == BitPiece::Kind::words) {
      bytes += count_piece(*query.ops, piece) * query.granularity;
    } else if (piece.kind == BitPiece::Kind::dirty) {
      bytes += (piece.end - piece.first) * query.granularity;
    }
    if (piece.first == first && bit_in_piece(piece, first)) {
      outside += query.window.start - first * query.granularity;
    }
    if (piece.end > last && bit_in_piece(piece, last)) {
      outside += (last + 1) * query.granularity - query.window.end;
    }
    bit = piece.end;
  }
  bytes -= outside;
  return {};
}

} // namespace cbt
