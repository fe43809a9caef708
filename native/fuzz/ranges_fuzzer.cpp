// Range lists of any numbers: refused exactly when they break their promise, and combined as their bytes say.
#include <cmath>

#include "cbt/bitmap_paint.hpp"
#include "cbt/range_algebra.hpp"
#include "page_check.hpp"

using namespace cbt;

namespace {

constexpr std::uint64_t kDisk = 4096;
using Bytes = std::vector<bool>;

std::vector<double> draw_values(fuzz::Input& input) {
  std::vector<double> values;
  double at = 0;
  for (std::uint64_t i = input.byte() % 40; i > 0; --i) {
    const std::uint8_t kind = input.byte();
    if (kind < 240) { // mostly a range that fits behind the one before
      at += static_cast<double>(kind % 60);
      const double length = static_cast<double>(input.byte());
      values.push_back(at);
      values.push_back(length);
      at += length;
    } else {
      values.push_back(kind % 2 == 0 ? input.any_double() : static_cast<double>(input.number(2)));
      if (kind % 3 != 0) values.push_back(input.any_double());
    }
  }
  return values;
}

bool promised(const std::vector<double>& values) {
  if (values.size() % 2 != 0) return false;
  constexpr double last = 9007199254740991.0;
  double previous = -1;
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const double offset = values[i];
    const double length = values[i + 1];
    if (!std::isfinite(offset) || !std::isfinite(length) || offset != std::floor(offset) ||
        length != std::floor(length))
      return false;
    if (std::fabs(offset) > last || length <= 0 || offset + length > last || offset <= previous) return false;
    previous = offset + length;
  }
  return true;
}

Bytes bytes_of(const std::vector<double>& values) {
  Bytes bytes(kDisk);
  for (std::size_t i = 0; i < values.size(); i += 2) {
    for (double at = values[i]; at < values[i] + values[i + 1] && at < static_cast<double>(kDisk); ++at) {
      bytes[static_cast<std::size_t>(at)] = true;
    }
  }
  return bytes;
}

void must_be(const Bytes& bytes, const ByteWindow& window, const Status& status, const RangePage& page) {
  MUST(status.is_ok());
  const auto all = oracle::ranges_of([&](std::uint64_t byte) { return bytes[byte]; }, 1, window);
  MUST(oracle::read(page) == oracle::page_of(all, window));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  ByteWindow window;
  window.end = input.below(kDisk + 1);
  window.start = input.flag() ? 0 : input.below(window.end + 1);
  window.max_ranges = input.flag() ? kAllRanges : 1 + input.byte() % 8;
  const std::uint64_t granularity = std::uint64_t{512} << (input.byte() % 2);
  const std::uint64_t most = 1 + input.number(2);
  const std::vector<double> a = draw_values(input);
  const std::vector<double> b = draw_values(input);
  RangeView left;
  RangeView right;
  const bool good = check_ranges("a", a.data(), a.size(), left).is_ok();
  MUST(good == promised(a));
  if (!good || !check_ranges("b", b.data(), b.size(), right).is_ok()) return 0;

  const Bytes in_a = bytes_of(a);
  const Bytes in_b = bytes_of(b);
  Bytes joined(kDisk), common(kDisk), rest(kDisk), aligned(kDisk);
  for (std::size_t at = 0; at < kDisk; ++at) {
    joined[at] = in_a[at] || in_b[at];
    common[at] = in_a[at] && in_b[at];
    rest[at] = in_a[at] && !in_b[at];
    if (in_a[at] && !aligned[at]) {
      const std::size_t first = at / granularity * granularity;
      for (std::size_t k = first; k < first + granularity; ++k) aligned[k] = true;
    }
  }
  RangePage pages[6];
  must_be(joined, window, union_ranges(left, right, window, {}, pages[0]), pages[0]);
  must_be(common, window, intersect_ranges(left, right, window, {}, pages[1]), pages[1]);
  must_be(rest, window, subtract_ranges(left, right, window, {}, pages[2]), pages[2]);
  must_be(in_a, window, clip_ranges(left, window, {}, pages[3]), pages[3]);
  must_be(aligned, window, align_ranges(left, granularity, window, {}, pages[4]), pages[4]);

  MUST(split_ranges(left, most, window, {}, pages[5]).is_ok());
  const oracle::Ranges clipped = oracle::ranges_of([&](std::uint64_t at) { return in_a[at]; }, 1, window);
  oracle::Ranges pieces;
  for (const oracle::Range& range : clipped) {
    for (std::uint64_t at = 0; at < range.length; at += most) {
      pieces.push_back({range.offset + at, std::min(most, range.length - at)});
    }
  }
  MUST(oracle::read(pages[5]) == oracle::page_of(pieces, window));

  const ByteWindow painted{window.start / granularity * granularity, window.end, 1};
  Block block;
  MUST(paint_ranges(left, granularity, painted, {}, block).is_ok());
  for (std::uint64_t bit = 0; bit < block.bytes * 8; ++bit) {
    bool any = false;
    for (std::uint64_t at = painted.start + bit * granularity;
         at < std::min(painted.start + (bit + 1) * granularity, painted.end); ++at) {
      any |= in_a[at];
    }
    MUST(((static_cast<std::uint8_t*>(block.data)[bit / 8] >> (bit % 8)) & 1) == (any ? 1 : 0));
  }
  free_block(block);
  return 0;
}
