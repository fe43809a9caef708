// The inner loops for x86-64 processors with AVX2. Compiled for them by function attributes, so that the file
// needs no compiler flags of its own and nothing of it runs elsewhere.
#include "cbt/bit_ops.hpp"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>

#include <array>
#include <cstring>

#define CBT_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define CBT_AVX2_INLINE __attribute__((target("avx2,bmi,bmi2,popcnt"), always_inline)) inline

namespace cbt {
namespace {

// For every byte the positions of its set bits, in order; the places left over hold 0.
constexpr auto kBitPositions = [] {
  std::array<std::array<std::uint8_t, 8>, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned found = 0;
    for (unsigned bit = 0; bit < 8; ++bit) {
      if ((byte >> bit & 1) != 0) table[byte][found++] = static_cast<std::uint8_t>(bit);
    }
  }
  return table;
}();

CBT_AVX2_INLINE __m256i load256(const std::uint8_t* bytes) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
}

CBT_AVX2_INLINE std::uint64_t load64(const std::uint8_t* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

constexpr unsigned kBlockWords = 16; // looked at together

// True when the words of a block equal `same` throughout.
CBT_AVX2_INLINE bool all_same(const std::uint8_t* bytes, __m256i same) {
  const __m256i a = _mm256_xor_si256(load256(bytes), same);
  const __m256i b = _mm256_xor_si256(load256(bytes + 32), same);
  const __m256i c = _mm256_xor_si256(load256(bytes + 64), same);
  const __m256i d = _mm256_xor_si256(load256(bytes + 96), same);
  const __m256i different = _mm256_or_si256(_mm256_or_si256(a, b), _mm256_or_si256(c, d));
  return _mm256_testz_si256(different, different) != 0;
}

// Up to N edges: N are written, the ones past the last edge are garbage that the next word overwrites.
template <unsigned N>
CBT_AVX2_INLINE void write_few(std::uint64_t edges, double base, const double* position, double* out) {
  for (unsigned k = 0; k < N; ++k) {
    out[k] = base + position[_tzcnt_u64(edges)];
    edges = _blsr_u64(edges);
  }
}

// Many edges: eight values a byte, advancing by the number that count.
CBT_AVX2_INLINE double* write_many(std::uint64_t edges, double base, double granularity, double* out) {
  const __m256d scale = _mm256_set1_pd(granularity);
  __m256d start = _mm256_set1_pd(base);
  const __m256d byte_step = _mm256_set1_pd(8 * granularity);
  for (unsigned k = 0; k < 8; ++k) {
    const auto byte = static_cast<std::uint8_t>(edges >> (8 * k));
    const __m128i packed = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kBitPositions[byte].data()));
    const __m256i bits = _mm256_cvtepu8_epi32(packed);
    const __m256d low = _mm256_cvtepi32_pd(_mm256_castsi256_si128(bits));
    const __m256d high = _mm256_cvtepi32_pd(_mm256_extracti128_si256(bits, 1));
    _mm256_storeu_pd(out, _mm256_add_pd(start, _mm256_mul_pd(low, scale)));
    _mm256_storeu_pd(out + 4, _mm256_add_pd(start, _mm256_mul_pd(high, scale)));
    start = _mm256_add_pd(start, byte_step);
    out += __builtin_popcount(byte);
  }
  return out;
}

// The edges of one word. Writes up to eight values more than it counts.
CBT_AVX2_INLINE double* write_edges(std::uint64_t edges, double base, const EdgeScan& scan, double* out) {
  const auto count = static_cast<unsigned>(__builtin_popcountll(edges));
  if (count <= 4) {
    write_few<4>(edges, base, scan.position, out);
    return out + count;
  }
  if (count <= 8) {
    write_few<8>(edges, base, scan.position, out);
    return out + count;
  }
  return write_many(edges, base, scan.granularity, out);
}

// The edges of a block of words, the word before it included in memory; a bit of the answer for each word that has any.
CBT_AVX2_INLINE unsigned block_edges(const std::uint8_t* bytes, std::uint64_t* edges) {
  const __m256i none = _mm256_setzero_si256();
  unsigned without = 0;
  for (unsigned k = 0; k < kBlockWords; k += 4) {
    const __m256i words = load256(bytes + 8 * k);
    const __m256i before = _mm256_srli_epi64(load256(bytes + 8 * k - 8), 63);
    const __m256i four = _mm256_xor_si256(words, _mm256_or_si256(_mm256_slli_epi64(words, 1), before));
    _mm256_store_si256(reinterpret_cast<__m256i*>(edges + k), four);
    const __m256d is_none = _mm256_castsi256_pd(_mm256_cmpeq_epi64(four, none));
    without |= static_cast<unsigned>(_mm256_movemask_pd(is_none)) << k;
  }
  return without ^ ((1u << kBlockWords) - 1);
}

CBT_AVX2 std::size_t scan_edges(EdgeScan& scan, const std::uint8_t* bytes, std::size_t words, double* out,
                                std::size_t room, std::size_t& words_done) {
  double* const begin = out;
  double* const last_start = out + (room - kEdgeRoom);
  alignas(32) std::uint64_t edges[kBlockWords];
  std::uint64_t last = scan.last;
  std::size_t i = 0;
  const auto base_of = [&](std::size_t index) { return scan.base + static_cast<double>(index) * scan.word_bytes; };
  while (i < words && out <= last_start) {
    if (i != 0 && i + kBlockWords <= words) {
      unsigned with = block_edges(bytes + 8 * i, edges);
      if (with == 0) { // nothing changes here: skip for as long as nothing does
        const __m256i same = _mm256_set1_epi64x(-static_cast<long long>(last));
        do i += kBlockWords;
        while (i + kBlockWords <= words && all_same(bytes + 8 * i, same));
        continue;
      }
      for (; with != 0; with = _blsr_u32(with)) {
        const unsigned k = _tzcnt_u32(with);
        out = write_edges(edges[k], base_of(i + k), scan, out);
      }
      i += kBlockWords;
    } else { // the first word, whose neighbour is not in memory, and the last few
      const std::uint64_t word = load64(bytes + 8 * i);
      out = write_edges(word ^ (word << 1 | last), base_of(i), scan, out);
      ++i;
    }
    last = load64(bytes + 8 * i - 8) >> 63;
  }
  scan.last = last;
  scan.base = base_of(i);
  words_done = i;
  return static_cast<std::size_t>(out - begin);
}

CBT_AVX2 void ends_to_lengths(double* pairs, std::size_t pair_count) {
  const __m256d odd = _mm256_castsi256_pd(_mm256_setr_epi64x(0, -1, 0, -1));
  std::size_t i = 0;
  for (; i + 2 <= pair_count; i += 2) {
    const __m256d two = _mm256_loadu_pd(pairs + 2 * i);
    const __m256d starts = _mm256_and_pd(_mm256_movedup_pd(two), odd);
    _mm256_storeu_pd(pairs + 2 * i, _mm256_sub_pd(two, starts));
  }
  for (; i < pair_count; ++i) pairs[2 * i + 1] -= pairs[2 * i];
}

CBT_AVX2 std::uint64_t count_bits(const std::uint8_t* bytes, std::size_t words) {
  // Four counters, because popcnt has a latency of three.
  std::uint64_t counts[4] = {0, 0, 0, 0};
  std::size_t i = 0;
  for (; i + 4 <= words; i += 4) {
    for (std::size_t k = 0; k < 4; ++k) {
      counts[k] += static_cast<std::uint64_t>(__builtin_popcountll(load64(bytes + 8 * (i + k))));
    }
  }
  for (; i < words; ++i) counts[0] += static_cast<std::uint64_t>(__builtin_popcountll(load64(bytes + 8 * i)));
  return counts[0] + counts[1] + counts[2] + counts[3];
}

CBT_AVX2 void or_bytes(std::uint8_t* target, const std::uint8_t* source, std::size_t bytes) {
  std::size_t i = 0;
  for (; i + 32 <= bytes; i += 32) {
    const __m256i both = _mm256_or_si256(load256(target + i), load256(source + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + i), both);
  }
  for (; i < bytes; ++i) target[i] |= source[i];
}

template <int Shift>
CBT_AVX2_INLINE __m256i close_gaps(__m256i lanes, long long kept) {
  return _mm256_and_si256(_mm256_or_si256(lanes, _mm256_srli_epi64(lanes, Shift)), _mm256_set1_epi64x(kept));
}

// The even bits of each 64-bit lane, packed into its low half.
CBT_AVX2_INLINE __m256i pack_even_bits(__m256i lanes) {
  lanes = _mm256_and_si256(lanes, _mm256_set1_epi64x(0x5555555555555555));
  lanes = close_gaps<1>(lanes, 0x3333333333333333);
  lanes = close_gaps<2>(lanes, 0x0f0f0f0f0f0f0f0f);
  lanes = close_gaps<4>(lanes, 0x00ff00ff00ff00ff);
  lanes = close_gaps<8>(lanes, 0x0000ffff0000ffff);
  return close_gaps<16>(lanes, 0x00000000ffffffff);
}

CBT_AVX2 void fold_half(std::uint8_t* bytes, std::size_t words) {
  // Four words become two: their packed halves are the 32-bit lanes 0, 2, 4 and 6.
  const __m256i even_lanes = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
  std::size_t i = 0;
  for (; i + 4 <= words; i += 4) {
    const __m256i four = load256(bytes + 8 * i);
    const __m256i packed = pack_even_bits(_mm256_or_si256(four, _mm256_srli_epi64(four, 1)));
    const __m256i two = _mm256_permutevar8x32_epi32(packed, even_lanes);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + 4 * i), _mm256_castsi256_si128(two));
  }
  for (; i + 2 <= words; i += 2) {
    const std::uint64_t low = load64(bytes + 8 * i);
    const std::uint64_t high = load64(bytes + 8 * i + 8);
    const std::uint64_t word =
        _pext_u64(low | low >> 1, 0x5555555555555555) | _pext_u64(high | high >> 1, 0x5555555555555555) << 32;
    std::memcpy(bytes + 4 * i, &word, sizeof word);
  }
}

} // namespace

const BitOps* avx2_bit_ops() {
  static constexpr BitOps ops = {"avx2", scan_edges, ends_to_lengths, count_bits, or_bytes, fold_half};
  static const bool usable = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi") != 0 &&
                             __builtin_cpu_supports("bmi2") != 0 && __builtin_cpu_supports("popcnt") != 0;
  return usable ? &ops : nullptr;
}

} // namespace cbt

#else

namespace cbt {
const BitOps* avx2_bit_ops() {
  return nullptr;
}
} // namespace cbt

#endif
