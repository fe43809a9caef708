// The growing answer: what is put in comes out, however large; limits and lack of memory are errors, and nothing leaks.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "cbt/bitmap_scan.hpp"
#include "cbt/page_builder.hpp"
#include "cbt/range_algebra.hpp"
#include "check.hpp"
#include "oracle.hpp"

using namespace cbt;

#if defined(__SANITIZE_ADDRESS__)
#define CBT_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CBT_UNDER_ASAN 1
#endif
#endif

namespace {

// Fills a buffer with 0, 1, 2, … and gives it away.
bool fill_and_release(std::size_t values, std::uint64_t expected_at_most) {
  RangeBuffer buffer;
  buffer.expect_at_most(expected_at_most);
  for (std::size_t i = 0; i < values; ++i) {
    if (!buffer.reserve(1).is_ok()) return false;
    *buffer.tail() = static_cast<double>(i);
    buffer.advance(1);
  }
  const Block block = buffer.release();
  bool same = block.bytes == values * sizeof(double) && buffer.size() == 0;
  const auto* data = static_cast<const double*>(block.data);
  for (std::size_t i = 0; i < values && same; ++i) same = data[i] == static_cast<double>(i);
  free_block(block);
  return same;
}

// Runs in a process of its own, so that a limit binds nobody else.
template <class Work>
bool in_child(const Work& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work() ? 0 : 1);
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#ifndef CBT_UNDER_ASAN
bool limit_address_space(std::uint64_t bytes) {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t limit = pages * 4096 + bytes;
  const rlimit both = {limit, limit};
  return setrlimit(RLIMIT_AS, &both) == 0;
}

std::uint64_t resident_bytes() {
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> size >> resident;
  return resident * 4096;
}
#endif

} // namespace

TEST("any number of values survives growing and the way out") {
  for (const std::size_t values : {0, 1, 511, 512, 513, 65535, 65536, 65537, 70000, 1000000}) {
    CHECK(fill_and_release(values, kAllRanges));
    CHECK(fill_and_release(values, values));
    CHECK(fill_and_release(values, 0)); // an estimate that was too low
  }
}

#ifndef CBT_UNDER_ASAN
TEST("without address space for the largest answer it grows step by step, and ends in an error") {
  CHECK(in_child([] { return limit_address_space(std::uint64_t{64} << 20) && fill_and_release(3000000, kAllRanges); }));
  CHECK(in_child([] {
    if (!limit_address_space(std::uint64_t{64} << 20)) return false;
    RangeBuffer buffer;
    Status status;
    while (status.is_ok()) {
      status = buffer.reserve(1000);
      if (status.is_ok()) {
        std::memset(buffer.tail(), 1, 8000);
        buffer.advance(1000);
      }
    }
    return status.code() == Code::backend_unavailable && status.message().find("no memory for an answer of ") == 0;
  }));
}

TEST("ten thousand answers leave nothing behind") {
  const std::vector<std::uint8_t> bits(20000, 0x55);
  const std::vector<BitmapSegment> segments = {{512, MemoryBits{bits.data(), bits.size(), 0}}};
  BitmapQuery query;
  query.segments = segments;
  query.granularity = 512;
  query.window = {0, bits.size() * 8 * 512, kAllRanges};
  query.ops = oracle::all_bit_ops().back();
  std::uint64_t after_warmup = 0;
  for (int i = 0; i < 10000; ++i) {
    RangePage page;
    if (!scan_bitmaps(query, page).is_ok()) CHECK(false);
    if (i % 2 == 0) free_block(page.ranges.release());
    if (i == 1000) after_warmup = resident_bytes();
  }
  CHECK(resident_bytes() < after_warmup + (std::uint64_t{8} << 20));
}
#endif

TEST("an answer of more than 2^28 ranges is refused, not attempted") {
  RangeBuffer buffer;
  CHECK(buffer.reserve(16).is_ok());
  const Status status = buffer.reserve(std::size_t{1} << 30);
  CHECK(status.code() == Code::unsupported);
  CHECK(status.message().find("more than 4294967296 bytes") != std::string::npos);
  CHECK_EQ(buffer.size(), 0u);
}

TEST("a page builder clips, joins and stops at the cap") {
  RangePage page;
  PageBuilder builder({10, 100, 2}, page);
  CHECK(builder.push(0, 5));
  CHECK(builder.push(8, 12));
  CHECK(builder.push(12, 20));
  CHECK(builder.fits(30));
  CHECK(builder.push(30, 40));
  CHECK(!builder.fits(41));
  CHECK(builder.push(40, 45));
  CHECK(!builder.push(60, 70));
  CHECK(builder.finish().is_ok());
  CHECK_EQ(oracle::read(page), (oracle::Page{{{10, 10}, {30, 15}}, 60}));
}

TEST("zeroed memory is zero and of the size that was asked for") {
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{524288}, std::size_t{524289}, std::size_t{5} << 20}) {
    const Block block = allocate_zeroed(bytes);
    CHECK(block.data != nullptr);
    CHECK_EQ(block.bytes, bytes);
    const auto* data = static_cast<const std::uint8_t*>(block.data);
    CHECK(std::all_of(data, data + bytes, [](std::uint8_t byte) { return byte == 0; }));
    free_block(block);
  }
}

TEST_MAIN()
