// Checks of numbers from JavaScript, and the words they refuse with.
#include <cmath>
#include <limits>

#include "cbt/arguments.hpp"
#include "check.hpp"

using namespace cbt;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLast = 9007199254740991.0;

std::string ranges(const std::vector<double>& values) {
  RangeView view;
  return check_ranges("a", values.data(), values.size(), view).message();
}

} // namespace

TEST("js_number prints as JavaScript does") {
  CHECK_EQ(js_number(0), "0");
  CHECK_EQ(js_number(-0.0), "0");
  CHECK_EQ(js_number(1.5), "1.5");
  CHECK_EQ(js_number(100000), "100000");
  CHECK_EQ(js_number(kLast), "9007199254740991");
  CHECK_EQ(js_number(1e21), "1e+21");
  CHECK_EQ(js_number(-1e300), "-1e+300");
  CHECK_EQ(js_number(kNaN), "NaN");
  CHECK_EQ(js_number(-kInfinity), "-Infinity");
}

TEST("windows: bytes are exact integers in order, caps at least one") {
  ByteWindow window;
  CHECK(check_window(0, kLast, kInfinity, window).is_ok());
  CHECK_EQ(window.end, kMaxBytes);
  CHECK_EQ(window.max_ranges, kAllRanges);
  CHECK(check_window(5, 5, 1, window).is_ok());
  for (const double bad : {-1.0, 0.5, kNaN, kInfinity, -kInfinity, kLast + 1}) {
    CHECK(!check_window(bad, kLast, 1, window).is_ok());
    CHECK(!check_window(0, bad, 1, window).is_ok());
  }
  CHECK_EQ(check_window(6, 5, 1, window).message(), "startBytes is 6, expected at most endBytes (5)");
  for (const double bad : {0.0, -1.0, 1.5, kNaN, -kInfinity, kLast + 1})
    CHECK(!check_window(0, 5, bad, window).is_ok());
}

TEST("granularities: powers of two from 512 bytes to 2 GiB") {
  std::uint64_t out = 0;
  for (unsigned power = 0; power < 53; ++power) {
    const double value = std::ldexp(1.0, static_cast<int>(power));
    CHECK_EQ(check_granularity("g", value, out).is_ok(), power >= 9 && power <= 31);
    CHECK(!check_granularity("g", value * 1.5, out).is_ok());
  }
  CHECK_EQ(check_granularity("g", 513, out).message(), "g is 513, expected a power of two from 512 to 2147483648");
  for (const double bad : {kNaN, kInfinity, -512.0, 0.0}) CHECK(!check_granularity("g", bad, out).is_ok());
}

TEST("clusters of bits: multiples of a sector") {
  std::uint64_t out = 0;
  for (const double good : {512.0, 1536.0, 65536.0, 2199023255552.0})
    CHECK(check_cluster_bytes("c", good, out).is_ok());
  for (const double bad : {0.0, 511.0, 513.0, 2199023255552.0 + 512, kNaN, kInfinity, -512.0}) {
    CHECK(!check_cluster_bytes("c", bad, out).is_ok());
  }
}

TEST("descriptors and counts of segments") {
  int fd = -1;
  CHECK(check_file_descriptor("fd", 0, fd).is_ok());
  CHECK(check_file_descriptor("fd", 2147483647.0, fd).is_ok());
  for (const double bad : {-1.0, 0.5, 2147483648.0, kNaN}) CHECK(!check_file_descriptor("fd", bad, fd).is_ok());
  CHECK(check_segment_count(65535).is_ok());
  CHECK_EQ(check_segment_count(65536).message(), "segments is \"65536 segments\", expected at most 65535");
}

TEST("ranges: pairs, exact, positive, ascending, apart") {
  CHECK_EQ(ranges({}), "");
  CHECK_EQ(ranges({0, 1, 2, 1}), "");
  CHECK_EQ(ranges({0, kLast}), "");
  CHECK_EQ(ranges({0}), "a is \"1 numbers\", expected pairs of offset and length");
  const std::string inexact = ", expected a range of exact, positive length";
  CHECK_EQ(ranges({0, 1, 5, 0}), "a[1] is \"5+0\"" + inexact);
  CHECK_EQ(ranges({0, 1.5}), "a[0] is \"0+1.5\"" + inexact);
  CHECK_EQ(ranges({0.5, 1}), "a[0] is \"0.5+1\"" + inexact);
  CHECK_EQ(ranges({kNaN, 1}), "a[0] is \"NaN+1\"" + inexact);
  CHECK_EQ(ranges({0, kInfinity}), "a[0] is \"0+Infinity\"" + inexact);
  CHECK_EQ(ranges({1, kLast}), "a[0] is \"1+9007199254740991\"" + inexact);
  CHECK_EQ(ranges({-1, 3}), "a[0] is \"-1+3\", expected to start after -1");
  CHECK_EQ(ranges({0, 1, 1, 1}), "a[1] is \"1+1\", expected to start after 1");
  CHECK_EQ(ranges({5, 1, 0, 1}), "a[1] is \"0+1\", expected to start after 6");
}

TEST_MAIN()
