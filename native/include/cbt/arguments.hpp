// Checks of everything a caller hands over as a JavaScript number. The core works on the integers these
// produce, so no unchecked number gets past this file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "cbt/limits.hpp"
#include "cbt/status.hpp"

namespace cbt {

// The part of a set that is asked for: bytes [start, end), at most max_ranges ranges (kAllRanges for no
// limit).
struct ByteWindow {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t max_ranges = 0;
};
inline constexpr std::uint64_t kAllRanges = ~std::uint64_t{0};

// Offset and length pairs, ascending and disjoint. May be memory that JavaScript writes at the same time:
// every number is read once, and nothing that memory safety needs follows from an earlier look at it.
struct RangeView {
  const double* values = nullptr;
  std::size_t count = 0; // of ranges, half the number of values

  [[nodiscard]] double offset(std::size_t index) const { return load(2 * index); }
  [[nodiscard]] double length(std::size_t index) const { return load(2 * index + 1); }
  [[nodiscard]] double end(std::size_t index) const { return offset(index) + length(index); }

 private:
  [[nodiscard]] double load(std::size_t index) const {
    double value;
    __atomic_load(values + index, &value, __ATOMIC_RELAXED);
    return value;
  }
};

Status check_byte_count(std::string_view argument, double value, std::uint64_t& out);
Status check_window(double start, double end, double max_ranges, ByteWindow& out);
Status check_granularity(std::string_view argument, double value, std::uint64_t& out);
Status check_file_descriptor(std::string_view argument, double value, int& out);

Status check_segment_count(std::size_t count);
Status check_cluster_bytes(std::string_view argument, double value, std::uint64_t& out);

// An integer from `least` to `most`, both below 2^53.
Status check_integer(std::string_view argument, double value, std::uint64_t least, std::uint64_t most,
                     std::uint64_t& out);

// The promise of a range list, checked whole: exact integers, positive lengths, ascending, no two touching.
// O(n). `value_count` is the number of doubles.
Status check_ranges(std::string_view argument, const double* values, std::size_t value_count, RangeView& out);

} // namespace cbt
