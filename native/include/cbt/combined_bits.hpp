// The OR of all segments of a query, told in order as pieces: stretches that are clean or dirty throughout,
// and words.
//
//   segment a   | clean        | mixed  | clean     |
//   segment b   | clean | mixed         | dirty     |
//   pieces      | clean | words ........| dirty     |
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cbt/segment_reader.hpp"

namespace cbt {

struct BitPiece {
  enum class Kind : std::uint8_t { clean, dirty, words };
  Kind kind = Kind::clean;
  std::uint64_t first = 0; // bits of the query
  std::uint64_t end = 0;
  // Of `words`: bit 0 of the first word is `first` rounded down to a multiple of 64. Bits outside [first,
  // end) are garbage, and there are such bits only in memory that may be written.
  const std::uint8_t* bytes = nullptr;
  std::size_t word_count = 0;
  std::uint8_t* writable = nullptr;
};

class CombinedBits {
 public:
  explicit CombinedBits(const BitmapQuery& query);

  // First bit that the window touches, and the one after the last.
  [[nodiscard]] std::uint64_t first_bit() const { return first_bit_; }
  [[nodiscard]] std::uint64_t end_bit() const { return end_bit_; }

  // The piece that begins at `bit`; polls for cancellation.
  Status next(std::uint64_t bit, BitPiece& piece);

 private:
  Status combine(BitPiece& piece);

  const CancelToken cancel_;
  const std::uint64_t first_bit_;
  const std::uint64_t end_bit_;
  const std::unique_ptr<std::uint8_t[]> scratch_;
  std::vector<SegmentReader> readers_;
  std::vector<SegmentReader*> mixed_; // the readers that a piece of words needs
  std::unique_ptr<std::uint8_t[]> window_;
};

} // namespace cbt
