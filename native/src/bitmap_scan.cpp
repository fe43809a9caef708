// See bitmap_scan.hpp. Edges go straight into the answer as disk bytes; every second one is then turned from
// an end into a length while it is still in the first-level cache.
#include "cbt/bitmap_scan.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <system_error>
#include <thread>

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

Status scan_part(const BitmapQuery& query, RangePage& page) {
  CombinedBits bits(query);
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

// Puts the ranges of the part behind ours; a range that runs over the border becomes one.
Status append(RangeBuffer& ranges, RangeBuffer& part) {
  std::size_t from = 0;
  if (ranges.size() != 0 && part.size() != 0) {
    double* const last = ranges.tail() - 2;
    if (last[0] + last[1] == part.data()[0]) {
      last[1] += part.data()[1];
      from = 2;
    }
  }
  const std::size_t values = part.size() - from;
  if (values == 0) return {};
  CBT_TRY(ranges.reserve(values));
  std::memcpy(ranges.tail(), part.data() + from, values * sizeof(double));
  ranges.advance(values);
  return {};
}

// Bits from which on a second thread pays: the reading of eight megabytes takes far longer than its start.
constexpr std::uint64_t kBitsForTwo = std::uint64_t{1} << 26;

constexpr std::uint64_t kMiddleUnit = std::uint64_t{1} << 21;

// The window cut in the middle, at a border of whole windows of words; the second part on a thread of its own.
Status scan_in_two(const BitmapQuery& query, std::uint64_t middle_bit, RangePage& page) {
  BitmapQuery first = query;
  BitmapQuery second = query;
  first.window.end = second.window.start = middle_bit * query.granularity;
  RangePage second_page;
  Status second_status;
  std::thread other;
  try {
    other = std::thread([&]() noexcept {
      try {
        second_status = scan_part(second, second_page);
      } catch (const std::bad_alloc&) {
        second_status = Status(Code::backend_unavailable, "no memory for the work").with("errno", "ENOMEM");
      }
    });
  } catch (const std::system_error&) { // no more threads to be had
    return scan_part(query, page);
  }
  Status status;
  try {
    status = scan_part(first, page);
  } catch (...) {
    other.join();
    throw;
  }
  other.join();
  if (!status.is_ok()) return status;
  if (!second_status.is_ok()) return second_status;
  page.next_bytes = second_page.next_bytes;
  return append(page.ranges, second_page.ranges);
}

} // namespace

Status scan_bitmaps(const BitmapQuery& query, RangePage& page) {
  if (query.segments.empty() || query.window.start == query.window.end) {
    page.next_bytes = query.window.end;
    return {};
  }
  // A page with a cap ends where its ranges are used up, which only the part before can tell.
  const std::uint64_t first_bit = query.window.start / query.granularity;
  const std::uint64_t bits = divide_up(query.window.end, query.granularity) - first_bit;
  if (query.window.max_ranges == kAllRanges && bits >= kBitsForTwo && std::thread::hardware_concurrency() > 1) {
    return scan_in_two(query, (first_bit + bits / 2) / kMiddleUnit * kMiddleUnit, page);
  }
  return scan_part(query, page);
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
