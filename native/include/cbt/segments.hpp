// Dirty bitmaps as a query takes them: bits in memory, or in the clusters of an open file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include "cbt/arguments.hpp"
#include "cbt/bit_ops.hpp"
#include "cbt/cancel.hpp"
#include "cbt/status.hpp"

namespace cbt {

// Bits in memory, perhaps only those that a window needs: data[0] is byte `first_byte` of the bitmap, and no
// byte before it is ever asked for. Bytes past the end are clean.
struct MemoryBits {
  const std::uint8_t* data = nullptr;
  std::size_t bytes = 0;
  std::uint64_t first_byte = 0;
};

// Bits in clusters of a file. A table entry is 0 (all clean), 1 (all dirty) or a byte offset in the file; it is checked
// when it is used. Clusters past the table's end are clean. The table may be only what a window needs: table[0] is the
// entry of cluster `first_entry`, and none before it is ever asked for.
struct StoredBits {
  int fd = -1;
  std::uint64_t cluster_bytes = 0;
  const double* table = nullptr;
  std::size_t table_entries = 0;
  std::uint64_t first_entry = 0;
};

struct BitmapSegment {
  std::uint64_t granularity = 0;
  std::variant<MemoryBits, StoredBits> bits;
};

// OR of the segments at `granularity`, which is no finer than that of any of them.
struct BitmapQuery {
  std::span<const BitmapSegment> segments;
  std::uint64_t granularity = 0;
  ByteWindow window;
  const BitOps* ops = nullptr;
  CancelToken cancel;
};

// Bytes [first, end) of a bitmap, of which bit 0 covers disk byte 0.
struct ByteSpan {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

// What of a segment's bits the query reads: the whole bits at the query's granularity that the window
// touches.
[[nodiscard]] ByteSpan needed_bytes(std::uint64_t segment_granularity, std::uint64_t query_granularity,
                                    const ByteWindow& window);

} // namespace cbt
