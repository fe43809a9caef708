// Range lists against sets of bytes.
#include <random>

#include "cbt/bitmap_paint.hpp"
#include "cbt/range_algebra.hpp"
#include "check.hpp"
#include "oracle.hpp"

using namespace cbt;

namespace {

constexpr std::uint64_t kDisk = 3000; // bytes; a set is one bool a byte

struct Set {
  std::vector<double> values;
  std::vector<bool> bytes = std::vector<bool>(kDisk + 2048);
  [[nodiscard]] RangeView view() const {
    RangeView view;
    CHECK(check_ranges("ranges", values.data(), values.size(), view).is_ok());
    return view;
  }
};

Set random_set(std::mt19937_64& random) {
  Set set;
  const std::uint64_t scale = 1 + random() % 300;
  std::uint64_t at = random() % scale;
  while (at < kDisk && set.values.size() < 400) {
    const std::uint64_t length = 1 + random() % scale;
    const std::uint64_t end = std::min(at + length, kDisk);
    set.values.push_back(static_cast<double>(at));
    set.values.push_back(static_cast<double>(end - at));
    for (std::uint64_t byte = at; byte < end; ++byte) set.bytes[byte] = true;
    at = end + 1 + random() % scale;
  }
  return set;
}

ByteWindow random_window(std::mt19937_64& random) {
  const std::uint64_t start = random() % 3 == 0 ? 0 : random() % kDisk;
  const std::uint64_t end = random() % 3 == 0 ? kDisk + 500 : start + random() % (kDisk - start + 1);
  return {start, end, random() % 2 == 0 ? kAllRanges : 1 + random() % 8};
}

oracle::Page expected(const std::vector<bool>& bytes, const ByteWindow& window) {
  const auto all = oracle::ranges_of([&](std::uint64_t byte) { return byte < bytes.size() && bytes[byte]; }, 1, window);
  return oracle::page_of(all, window);
}

std::vector<bool> combine(const Set& a, const Set& b, bool (*belongs)(bool, bool)) {
  std::vector<bool> result(a.bytes.size());
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = belongs(a.bytes[i], b.bytes[i]);
  return result;
}

} // namespace

TEST("union, intersect, subtract and clip are what their bytes say") {
  std::mt19937_64 random(21);
  for (int round = 0; round < 1500; ++round) {
    const Set a = random_set(random);
    const Set b = random_set(random);
    const ByteWindow window = random_window(random);
    RangePage joined, common, rest, clipped;
    CHECK(union_ranges(a.view(), b.view(), window, {}, joined).is_ok());
    CHECK_EQ(oracle::read(joined), expected(combine(a, b, [](bool x, bool y) { return x || y; }), window));
    CHECK(intersect_ranges(a.view(), b.view(), window, {}, common).is_ok());
    CHECK_EQ(oracle::read(common), expected(combine(a, b, [](bool x, bool y) { return x && y; }), window));
    CHECK(subtract_ranges(a.view(), b.view(), window, {}, rest).is_ok());
    CHECK_EQ(oracle::read(rest), expected(combine(a, b, [](bool x, bool y) { return x && !y; }), window));
    CHECK(clip_ranges(a.view(), window, {}, clipped).is_ok());
    CHECK_EQ(oracle::read(clipped), expected(a.bytes, window));
  }
}

TEST("align widens to granules, also across the window's edges") {
  std::mt19937_64 random(22);
  for (int round = 0; round < 1000; ++round) {
    const Set set = random_set(random);
    const ByteWindow window = random_window(random);
    const std::uint64_t granularity = std::uint64_t{512} << (random() % 3);
    std::vector<bool> bytes(set.bytes.size());
    for (std::uint64_t first = 0; first < bytes.size(); first += granularity) {
      const std::uint64_t end = std::min<std::uint64_t>(first + granularity, bytes.size());
      bool any = false;
      for (std::uint64_t at = first; at < end; ++at) any |= set.bytes[at];
      for (std::uint64_t at = first; at < end; ++at) bytes[at] = any;
    }
    RangePage page;
    CHECK(align_ranges(set.view(), granularity, window, {}, page).is_ok());
    CHECK_EQ(oracle::read(page), expected(bytes, window));
  }
}

TEST("split cuts from the clipped start on") {
  std::mt19937_64 random(23);
  for (int round = 0; round < 1000; ++round) {
    const Set set = random_set(random);
    const ByteWindow window = random_window(random);
    const std::uint64_t most = 1 + random() % 400;
    oracle::Ranges pieces;
    for (const oracle::Range& range : expected(set.bytes, {window.start, window.end, kAllRanges}).ranges) {
      for (std::uint64_t at = 0; at < range.length; at += most) {
        pieces.push_back({range.offset + at, std::min(most, range.length - at)});
      }
    }
    RangePage page;
    CHECK(split_ranges(set.view(), most, window, {}, page).is_ok());
    CHECK_EQ(oracle::read(page), oracle::page_of(pieces, window));
  }
}

TEST("paint sets the bit of every granule that holds a byte") {
  std::mt19937_64 random(24);
  for (int round = 0; round < 1000; ++round) {
    const Set set = random_set(random);
    const std::uint64_t start = random() % 4 * 512;
    const std::uint64_t end = start + random() % (kDisk + 500 - start);
    Block block;
    CHECK(paint_ranges(set.view(), 512, {start, end, 1}, {}, block).is_ok());
    const auto* bits = static_cast<const std::uint8_t*>(block.data);
    CHECK_EQ(block.bytes, ((end - start + 511) / 512 + 7) / 8);
    for (std::uint64_t bit = 0; bit < block.bytes * 8; ++bit) {
      bool any = false;
      for (std::uint64_t at = start + bit * 512; at < std::min(start + (bit + 1) * 512, end); ++at)
        any |= set.bytes[at];
      CHECK_EQ((bits[bit / 8] >> (bit % 8) & 1) != 0, any);
    }
    free_block(block);
  }
}

TEST("paint refuses a window that needs more than 4 GiB of bits, and a start within a granule") {
  Block block;
  const Status status = paint_ranges({}, 512, {0, kMaxBytes, 1}, {}, block);
  CHECK(status.code() == Code::unsupported);
  CHECK(block.data == nullptr);
  CHECK(check_paint_start(512, {1024, 2000, 1}).is_ok());
  CHECK_EQ(check_paint_start(512, {1000, 2000, 1}).message(),
           "startBytes is 1000, expected a multiple of granularityBytes (512)");
}

TEST("numbers that change under us give nonsense at worst") {
  // As shared memory may after its check: unordered, inexact, negative, no numbers at all.
  const double values[] = {5, 1e300, -7, std::numeric_limits<double>::quiet_NaN(), 100, -50, 3, 0.25, 90, 1e17};
  const RangeView view{values, 5};
  RangePage pages[6];
  const ByteWindow window{0, 1 << 20, kAllRanges};
  CHECK(union_ranges(view, view, window, {}, pages[0]).is_ok());
  CHECK(intersect_ranges(view, view, window, {}, pages[1]).is_ok());
  CHECK(subtract_ranges(view, view, window, {}, pages[2]).is_ok());
  CHECK(clip_ranges(view, window, {}, pages[3]).is_ok());
  CHECK(align_ranges(view, 512, window, {}, pages[4]).is_ok());
  CHECK(split_ranges(view, 65536, window, {}, pages[5]).is_ok());
  Block block;
  CHECK(paint_ranges(view, 512, window, {}, block).is_ok());
  free_block(block);
}

TEST("a set cancel cell ends the work") {
  const std::int32_t stop = 1;
  const CancelToken cancel(&stop);
  const double values[] = {0, 5, 100, 5};
  const RangeView view{values, 2};
  const ByteWindow window{0, 1000, kAllRanges};
  RangePage page;
  Block block;
  CHECK(union_ranges(view, view, window, cancel, page).code() == Code::aborted);
  CHECK(intersect_ranges(view, view, window, cancel, page).code() == Code::aborted);
  CHECK(subtract_ranges(view, view, window, cancel, page).code() == Code::aborted);
  CHECK(clip_ranges(view, window, cancel, page).code() == Code::aborted);
  CHECK(align_ranges(view, 512, window, cancel, page).code() == Code::aborted);
  CHECK(split_ranges(view, 1, window, cancel, page).code() == Code::aborted);
  CHECK(paint_ranges(view, 512, {0, 1024, 1}, cancel, block).code() == Code::aborted);
}

TEST_MAIN()
