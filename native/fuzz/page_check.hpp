// Whether a page is right, when parts of the input may be unreadable: each unit of the window is in the set, is not, or
// is not known.
#pragma once

#include "../test/oracle.hpp"
#include "cbt/arguments.hpp"
#include "cbt/status.hpp"
#include "input.hpp"

namespace fuzz {

enum class Unit : std::uint8_t { out, in, bad };

// `unit_of(n)` tells about bytes [n * unit, (n + 1) * unit). A good page is exact as far as it goes, stops only where
// the next range begins, and has nothing unknown in it; a failed one needs a reason: something `bad` in reach of the
// query.
template <class UnitOf>
void check_page(const UnitOf& unit_of, std::uint64_t unit, const cbt::ByteWindow& window, bool bad,
                const cbt::Status& status, const cbt::RangePage& page) {
  if (!status.is_ok()) {
    MUST(bad);
    MUST(status.code() == cbt::Code::corrupt_image || status.code() == cbt::Code::invalid_argument);
    MUST(!status.message().empty());
    return;
  }
  const oracle::Page read = oracle::read(page);
  MUST(read.next_bytes <= window.end);
  const auto in = [&](std::uint64_t n) {
    const Unit what = unit_of(n);
    MUST(what != Unit::bad);
    return what == Unit::in;
  };
  const cbt::ByteWindow told{window.start, read.next_bytes, cbt::kAllRanges};
  MUST(read.ranges == oracle::ranges_of(in, unit, told));
  MUST(read.ranges.size() <= window.max_ranges);
  if (read.next_bytes < window.end) {
    MUST(read.ranges.size() == window.max_ranges);
    MUST(unit_of(read.next_bytes / unit) == Unit::in);
    MUST(read.ranges.back().offset + read.ranges.back().length < read.next_bytes);
  }
}

} // namespace fuzz
