// The inner loops in plain C++, for every processor; also the oracle of the AVX2 ones.
#include "cbt/bit_ops.hpp"
#include "cbt/bits.hpp"

#include <bit>

namespace cbt {
namespace {

constexpr std::size_t kSkipWords = 8; // looked at together when nothing changes

std::size_t scan_edges(EdgeScan& scan, const std::uint8_t* bytes, std::size_t words, double* out, std::size_t room,
                       std::size_t& words_done) {
  double* const begin = out;
  double* const last_start = out + (room - kEdgeRoom);
  std::uint64_t last = scan.last;
  std::size_t i = 0;
  while (i < words) {
    const std::uint64_t same = std::uint64_t{0} - last;
    while (i + kSkipWords <= words) {
      std::uint64_t different = 0;
      for (std::size_t k = 0; k < kSkipWords; ++k) different |= load_le64(bytes + 8 * (i + k)) ^ same;
      if (different != 0) break;
      i += kSkipWords;
    }
    const std::size_t stop = i + kSkipWords < words ? i + kSkipWords : words;
    for (; i < stop; ++i) {
      if (out > last_start) [[unlikely]]
        goto full;
      const std::uint64_t word = load_le64(bytes + 8 * i);
      std::uint64_t edges = word ^ (word << 1 | last);
      last = word >> 63;
      const double base = scan.base + static_cast<double>(i) * scan.word_bytes;
      while (edges != 0) {
        *out++ = base + scan.position[std::countr_zero(edges)];
        edges &= edges - 1;
      }
    }
  }
full:
  scan.last = last;
  scan.base += static_cast<double>(i) * scan.word_bytes;
  words_done = i;
  return static_cast<std::size_t>(out - begin);
}

void ends_to_lengths(double* pairs, std::size_t pair_count) {
  for (std::size_t i = 0; i < pair_count; ++i) pairs[2 * i + 1] -= pairs[2 * i];
}

std::uint64_t count_bits(const std::uint8_t* bytes, std::size_t words) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < words; ++i) {
    count += static_cast<std::uint64_t>(std::popcount(load_le64(bytes + 8 * i)));
  }
  return count;
}

void or_bytes(std::uint8_t* target, const std::uint8_t* source, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) target[i] |= source[i];
}

// The even bits of a word, packed into its low half.
std::uint64_t pack_even_bits(std::uint64_t word) {
  word &= 0x5555555555555555;
  word = (word | word >> 1) & 0x3333333333333333;
  word = (word | word >> 2) & 0x0f0f0f0f0f0f0f0f;
  word = (word | word >> 4) & 0x00ff00ff00ff00ff;
  word = (word | word >> 8) & 0x0000ffff0000ffff;
  return (word | word >> 16) & 0x00000000ffffffff;
}

void fold_half(std::uint8_t* bytes, std::size_t words) {
  for (std::size_t i = 0; i < words / 2; ++i) {
    const std::uint64_t low = load_le64(bytes + 16 * i);
    const std::uint64_t high = load_le64(bytes + 16 * i + 8);
    store_le64(bytes + 8 * i, pack_even_bits(low | low >> 1) | pack_even_bits(high | high >> 1) << 32);
  }
}

} // namespace

const BitOps& portable_bit_ops() {
  static constexpr BitOps ops = {"portable", scan_edges, ends_to_lengths, count_bits, or_bytes, fold_half};
  return ops;
}

} // namespace cbt
