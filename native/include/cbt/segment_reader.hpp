// One segment, read at the granularity of the query. Bits of the query are called coarse; a coarse bit is
// `fold` bits of the segment.
//
//   cluster table   | 0 | 0 | offset | offset | 1 | 1 |
//   runs            | clean |      mixed      | dirty |      skipped, read, filled
#pragma once

#include <cstddef>
#include <cstdint>

#include "cbt/segments.hpp"

namespace cbt {

struct BitRun {
  enum class Kind : std::uint8_t { clean, dirty, mixed };
  Kind kind = Kind::clean;
  std::uint64_t end = 0; // of the run; in bits or bytes as said where it is used
};

class SegmentReader {
 public:
  // Readers that are used one after the other share one scratch of kScratchBytes.
  SegmentReader(const BitmapQuery& query, std::size_t index, std::uint8_t* scratch);

  // Stays in a second-level cache together with the window it is folded into.
  static constexpr std::uint64_t kScratchBytes = std::uint64_t{256} << 10;

  // What begins at coarse bit `bit`. The end is past `bit`, and may lie past the query's last bit.
  BitRun run_at(std::uint64_t bit);

  // ORs coarse bits [first, end) into `target`, whose bit 0 is `first` rounded down to a multiple of 64. Bits
  // outside [first, end) but in the same bytes may be set too. With `fresh` the target holds garbage, and
  // every word that [first, end) touches is overwritten.
  Status or_into(std::uint8_t* target, std::uint64_t first, std::uint64_t end, bool fresh);

  // The memory of coarse bits [bit, bit + 64 * words), when they lie there ready to scan; null otherwise.
  [[nodiscard]] const std::uint8_t* in_place(std::uint64_t bit, std::uint64_t end, std::uint64_t& words) const;

 private:
  // The run that holds byte `byte` of the segment's bits; its end is in bytes.
  BitRun byte_run_at(std::uint64_t byte);
  static BitRun find_run(const MemoryBits& memory, std::uint64_t byte);
  BitRun find_run(const StoredBits& stored, std::uint64_t byte) const;
  static double entry(const StoredBits& stored, std::uint64_t cluster);
  static BitRun::Kind kind_of(double entry);
  // Where a mixed cluster is; a bad entry is refused here, when it is needed.
  Status offset_of(const StoredBits& stored, std::uint64_t cluster, std::uint64_t& offset) const;
  // Bytes [first, end) of a mixed run.
  Status read(std::uint64_t first, std::uint64_t end, std::uint8_t* target);
  Status read_clusters(const StoredBits& stored, std::uint64_t first, std::uint64_t end, std::uint8_t* target);
  Status or_same(std::uint8_t* target, std::uint64_t first, std::uint64_t end, bool fresh);
  Status or_folded(std::uint8_t* target, std::uint64_t first, std::uint64_t end);
  Status fold_mixed(std::uint8_t* target, std::uint64_t base, std::uint64_t first_byte, std::uint64_t end_byte);

  const BitmapSegment& segment_;
  const BitOps& ops_;
  const CancelToken cancel_;
  const std::size_t index_;
  const std::uint64_t fold_;       // bits of the segment in a coarse bit: a power of two
  const std::uint64_t limit_byte_; // no byte from here on is ever needed
  std::uint64_t run_first_ = 0;    // the run found last, so that a table is walked once
  BitRun byte_run_;
  std::uint8_t* const scratch_;
};

} // namespace cbt
