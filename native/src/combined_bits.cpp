// See combined_bits.hpp. O(segments) per piece plus the words of mixed stretches; memory is one window and
// one scratch.
#include "cbt/combined_bits.hpp"

#include <algorithm>

#include "cbt/bits.hpp"

namespace cbt {
namespace {

// Bits of one window of words: 256 KiB, which stays in a second-level cache until it is scanned.
constexpr std::uint64_t kWindowBits = std::uint64_t{1} << 21;
// In place nothing is copied; the window only bounds the time between two polls for cancellation.
constexpr std::uint64_t kInPlaceBits = std::uint64_t{1} << 23;

} // namespace

CombinedBits::CombinedBits(const BitmapQuery& query)
    : cancel_(query.cancel), first_bit_(query.window.start / query.granularity),
      end_bit_(divide_up(query.window.end, query.granularity)),
      scratch_(new std::uint8_t[SegmentReader::kScratchBytes]) {
  readers_.reserve(query.segments.size());
  for (std::size_t i = 0; i < query.segments.size(); ++i) readers_.emplace_back(query, i, scratch_.get());
}

Status CombinedBits::next(std::uint64_t bit, BitPiece& piece) {
  if (cancel_.requested()) return aborted();
  piece = {BitPiece::Kind::clean, bit, end_bit_};
  mixed_.clear();
  std::uint64_t mixed_end = bit;
  for (SegmentReader& reader : readers_) {
    const BitRun run = reader.run_at(bit);
    if (run.kind == BitRun::Kind::dirty) {
      piece = {BitPiece::Kind::dirty, bit, std::min(run.end, end_bit_)};
      return {};
    }
    if (run.kind == BitRun::Kind::clean) {
      piece.end = std::min(piece.end, run.end);
    } else {
      mixed_.push_back(&reader);
      mixed_end = std::max(mixed_end, run.end);
    }
  }
  if (mixed_.empty()) return {};
  piece.kind = BitPiece::Kind::words;
  if (readers_.size() == 1) {
    std::uint64_t words = 0;
    piece.bytes = readers_[0].in_place(bit, std::min(end_bit_, bit + kInPlaceBits), words);
    if (piece.bytes != nullptr) {
      piece.word_count = words;
      piece.end = bit + 64 * words;
      return {};
    }
  }
  // Up to the end of the window, of what is mixed, or of a clean stretch of the others.
  piece.end = std::min({piece.end, mixed_end, bit / 64 * 64 + kWindowBits});
  return combine(piece);
}

Status CombinedBits::combine(BitPiece& piece) {
  if (!window_) window_.reset(new std::uint8_t[kWindowBits / 8]); // every word is written before it is read
  bool fresh = true;
  for (SegmentReader* reader : mixed_) {
    if (cancel_.requested()) return aborted();
    CBT_TRY(reader->or_into(window_.get(), piece.first, piece.end, fresh));
    fresh = false;
  }
  piece.bytes = piece.writable = window_.get();
  piece.word_count = divide_up(piece.end, 64) - piece.first / 64;
  return {};
}

} // namespace cbt
