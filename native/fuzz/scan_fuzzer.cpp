// Bitmaps in memory and in the clusters of a hostile file, scanned and counted by every inner loop, against one bit at
// a time.
#include <cmath>

#include "cbt/bitmap_scan.hpp"
#include "cbt/bits.hpp"
#include "page_check.hpp"

using namespace cbt;
using fuzz::Unit;

namespace {

struct Segment {
  std::uint64_t granularity = 0;
  std::vector<std::uint8_t> bytes; // in memory
  std::uint64_t cluster = 0;       // above 0: in the file
  std::vector<double> table;
  std::vector<std::uint8_t> part; // what the query needs, and not a byte more, so that reading past it is seen
  std::vector<double> table_part;
};

Segment draw_segment(fuzz::Input& input) {
  Segment segment;
  segment.granularity = std::uint64_t{512} << (input.byte() % 7);
  const std::uint64_t kind = input.byte() % 4;
  if (kind == 0) {
    segment.bytes = input.bytes(input.byte());
    return segment;
  }
  segment.cluster = 512 * kind;
  segment.table.resize(input.byte() % 6);
  for (double& entry : segment.table) {
    switch (input.byte() % 5) {
    case 0: entry = 0; break;
    case 1: entry = 1; break;
    case 2: entry = static_cast<double>(input.number(1) * 16); break;
    case 3: entry = static_cast<double>(input.number(2)); break;
    default: entry = input.any_double(); break;
    }
  }
  return segment;
}

Unit bit_of(const Segment& segment, const std::vector<std::uint8_t>& file, std::uint64_t bit) {
  if (segment.cluster == 0) return oracle::bit_at(segment.bytes, bit) ? Unit::in : Unit::out;
  const std::uint64_t cluster = bit / 8 / segment.cluster;
  if (cluster >= segment.table.size() || segment.table[cluster] == 0) return Unit::out;
  const double entry = segment.table[cluster];
  if (entry == 1) return Unit::in;
  const bool exact = entry >= 0 && entry + static_cast<double>(segment.cluster) <= 9007199254740991.0;
  if (!exact || std::floor(entry) != entry) return Unit::bad;
  const std::uint64_t at = static_cast<std::uint64_t>(entry) + bit / 8 % segment.cluster;
  if (at >= file.size()) return Unit::bad;
  return (file[at] >> (bit % 8) & 1) != 0 ? Unit::in : Unit::out;
}

// A granule is in when any bit of it is; it cannot be known when none is and some cannot be read, which `bad` tells.
Unit granule_of(const std::vector<Segment>& segments, const std::vector<std::uint8_t>& file, std::uint64_t granularity,
                std::uint64_t granule, bool& bad) {
  bool in = false;
  bool unknown = false;
  for (const Segment& segment : segments) {
    const std::uint64_t fold = granularity / segment.granularity;
    for (std::uint64_t bit = granule * fold; bit < (granule + 1) * fold; ++bit) {
      const Unit unit = bit_of(segment, file, bit);
      in |= unit == Unit::in;
      unknown |= unit == Unit::bad;
    }
  }
  bad |= unknown;
  return in ? Unit::in : unknown ? Unit::bad : Unit::out;
}

BitmapSegment give(Segment& segment, int fd, std::uint64_t granularity, const ByteWindow& window) {
  const ByteSpan needed = needed_bytes(segment.granularity, granularity, window);
  if (segment.cluster == 0) {
    const std::uint64_t first = std::min<std::uint64_t>(needed.first, segment.bytes.size());
    const std::uint64_t end = std::clamp<std::uint64_t>(needed.end, first, segment.bytes.size());
    segment.part = {segment.bytes.data() + first, segment.bytes.data() + end};
    return {segment.granularity, MemoryBits{segment.part.data(), segment.part.size(), needed.first}};
  }
  const std::uint64_t first = std::min<std::uint64_t>(needed.first / segment.cluster, segment.table.size());
  const std::uint64_t end =
      std::clamp<std::uint64_t>(divide_up(needed.end, segment.cluster), first, segment.table.size());
  segment.table_part = {segment.table.data() + first, segment.table.data() + end};
  return {segment.granularity, StoredBits{fd, segment.cluster, segment.table_part.data(), segment.table_part.size(),
                                          needed.first / segment.cluster}};
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  std::uint64_t granularity = std::uint64_t{512} << (input.byte() % 8);
  ByteWindow window;
  window.end = input.below(1 << 22);
  window.start = input.flag() ? 0 : input.below(window.end + 1);
  window.max_ranges = input.flag() ? kAllRanges : 1 + input.byte() % 16;
  std::vector<Segment> segments(input.byte() % 5);
  for (Segment& segment : segments) {
    segment = draw_segment(input);
    granularity = std::max(granularity, segment.granularity);
  }
  const std::vector<std::uint8_t> blob = input.rest();
  const oracle::MemoryFile file(blob);
  std::vector<BitmapSegment> given;
  for (Segment& segment : segments) given.push_back(give(segment, file.fd(), granularity, window));

  bool bad = false;
  std::vector<Unit> granules(divide_up(window.end, granularity));
  for (std::uint64_t i = window.start / granularity; i < granules.size(); ++i) {
    granules[i] = granule_of(segments, blob, granularity, i, bad);
  }
  const auto unit_of = [&](std::uint64_t granule) { return granules[granule]; };
  for (const BitOps* ops : oracle::all_bit_ops()) {
    BitmapQuery query;
    query.segments = given;
    query.granularity = granularity;
    query.window = window;
    query.ops = ops;
    RangePage page;
    const Status scanned = scan_bitmaps(query, page);
    fuzz::check_page(unit_of, granularity, window, bad, scanned, page);
    std::uint64_t bytes = 0;
    const Status counted = count_bitmaps(query, bytes);
    if (counted.is_ok()) {
      const auto in = [&](std::uint64_t granule) {
        MUST(granules[granule] != Unit::bad);
        return granules[granule] == Unit::in;
      };
      MUST(bytes == oracle::bytes_in(oracle::ranges_of(in, granularity, window)));
    } else {
      RangePage none;
      fuzz::check_page(unit_of, granularity, window, bad, counted, none);
    }
  }
  return 0;
}
