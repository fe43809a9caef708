// Small helpers on bits as QEMU stores them; the same on hosts of either byte order.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace cbt {

inline std::uint64_t load_le64(const std::uint8_t* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

inline void store_le64(std::uint8_t* bytes, std::uint64_t word) {
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  std::memcpy(bytes, &word, sizeof word);
}

inline std::uint64_t load_be64(const std::uint8_t* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
  return word;
}

// Sets bits [first, end). Whole bytes at once.
inline void set_bits(std::uint8_t* bytes, std::uint64_t first, std::uint64_t end) {
  if (first >= end) return;
  const std::uint64_t first_byte = first / 8;
  const std::uint64_t last_byte = (end - 1) / 8;
  const auto head = static_cast<std::uint8_t>(0xff << (first % 8));
  const auto tail = static_cast<std::uint8_t>(0xff >> (7 - (end - 1) % 8));
  if (first_byte == last_byte) {
    bytes[first_byte] |= head & tail;
    return;
  }
  bytes[first_byte] |= head;
  std::memset(bytes + first_byte + 1, 0xff, last_byte - first_byte - 1);
  bytes[last_byte] |= tail;
}

constexpr std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) {
  return value / by + (value % by != 0 ? 1 : 0);
}

} // namespace cbt
