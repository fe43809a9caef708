// The inner loops over words of bits, once portable and once for AVX2, chosen when the program runs. Bits lie
// as QEMU stores them: bit n in byte n >> 3, mask 1 << (n & 7), so eight bytes read little-endian are a word
// of 64 bits.
//
// A range begins and ends where a bit differs from the one before it, so scanning looks for edges:
//
//   bits    0 0 1 1 1 0 0 1        edges = bits ^ (bits << 1 | last bit of the word before)
//   edges   0 0 1 0 0 1 0 1        alternately the start and the end of a range
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cbt/status.hpp"

namespace cbt {

// State of a scan over consecutive words.
struct EdgeScan {
  explicit EdgeScan(double granularity_bytes);

  double granularity;
  double word_bytes;      // disk bytes that a word covers
  double base = 0;        // disk byte of the next word's first bit
  std::uint64_t last = 0; // the bit before the next word: 0 or 1
  double position[65];    // disk bytes of bit n within its word; [64] is read, never kept
};

struct BitOps {
  const char* name; // "avx2" or "portable"

  // Writes the disk bytes of all edges to `out` and says how many; stops early, at a word's border, when
  // fewer than kEdgeRoom values of room are left. `words_done` is how far it came. `room` is at least
  // kEdgeRoom.
  std::size_t (*scan_edges)(EdgeScan& scan, const std::uint8_t* bytes, std::size_t words, double* out, std::size_t room,
                            std::size_t& words_done);

  // Turns start, end, start, end, … into offset, length, offset, length, …
  void (*ends_to_lengths)(double* pairs, std::size_t pair_count);

  // Number of set bits.
  std::uint64_t (*count_bits)(const std::uint8_t* bytes, std::size_t words);

  // target |= source
  void (*or_bytes)(std::uint8_t* target, const std::uint8_t* source, std::size_t bytes);

  // Halves the resolution in place: bit n becomes bit 2n | bit 2n + 1. An even number of words.
  void (*fold_half)(std::uint8_t* bytes, std::size_t words);
};

// Sixteen words are taken at once, a word has at most 64 edges, and up to 8 values are written past the ones that
// count.
inline constexpr std::size_t kEdgeRoom = 16 * 64 + 8;

const BitOps& portable_bit_ops();

// Null where the processor or the build has none.
const BitOps* avx2_bit_ops();

// The fastest, or the one that `forced` (environment QEMU_CBT_SIMD; empty for none) names.
Status choose_bit_ops(std::string_view forced, const BitOps*& out);

} // namespace cbt
