// Scanning and counting bitmaps, from memory and from clusters of a file, against one granule at a time.
#include <fcntl.h>

#include <random>

#include "cbt/bitmap_scan.hpp"
#include "cbt/bits.hpp"
#include "check.hpp"
#include "oracle.hpp"

using namespace cbt;
using oracle::MemoryFile;

namespace {

using Bytes = std::vector<std::uint8_t>;

// What a segment is made of. `first_byte` and `first_entry`: only the part from there on is given away.
struct Made {
  std::uint64_t granularity = 0;
  Bytes bits;
  int fd = -1; // below 0: in memory
  std::uint64_t cluster = 0;
  std::vector<double> table;
  ByteSpan given{0, kMaxBytes};

  [[nodiscard]] BitmapSegment segment() const {
    if (fd < 0) {
      const std::uint64_t first = std::min<std::uint64_t>(given.first, bits.size());
      const std::uint64_t end = std::clamp<std::uint64_t>(given.end, first, bits.size());
      return {granularity, MemoryBits{bits.data() + first, end - first, given.first}};
    }
    const std::uint64_t first = std::min<std::uint64_t>(given.first / cluster, table.size());
    const std::uint64_t end = std::clamp<std::uint64_t>(divide_up(given.end, cluster), first, table.size());
    return {granularity, StoredBits{fd, cluster, table.data() + first, end - first, given.first / cluster}};
  }
};

Bytes random_bits(std::mt19937_64& random, std::uint64_t count) {
  Bytes bytes(divide_up(count, 8));
  const unsigned style = static_cast<unsigned>(random() % 5);
  if (style == 4) std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xff});
  for (std::uint64_t bit = 0; bit < count && style < 4;) {
    const std::uint64_t run = 1 + random() % (std::uint64_t{1} << (random() % (style * 4 + 1)));
    if (random() % 2 == 0) set_bits(bytes.data(), bit, std::min(bit + run, count));
    bit += run;
  }
  return bytes;
}

Made in_memory(std::uint64_t granularity, Bytes bits) {
  Made made;
  made.granularity = granularity;
  made.bits = std::move(bits);
  return made;
}

// Bits in clusters: uniform ones in the table, the others in the file, some next to each other and some not.
Made in_file(std::mt19937_64& random, MemoryFile& file, std::uint64_t granularity, Bytes bits, std::uint64_t cluster) {
  Made made;
  made.granularity = granularity;
  made.fd = file.fd();
  made.cluster = cluster;
  bits.resize(divide_up(bits.size(), cluster) * cluster);
  made.bits = std::move(bits);
  made.table.resize(made.bits.size() / cluster);
  std::vector<std::size_t> order(made.table.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (random() % 2 == 0) std::shuffle(order.begin(), order.end(), random);
  for (const std::size_t i : order) {
    const auto from = made.bits.begin() + static_cast<std::ptrdiff_t>(i * cluster);
    const Bytes content(from, from + static_cast<std::ptrdiff_t>(cluster));
    if (std::all_of(content.begin(), content.end(), [](auto byte) { return byte == 0; })) continue;
    const bool full = std::all_of(content.begin(), content.end(), [](auto byte) { return byte == 0xff; });
    made.table[i] = full ? 1 : static_cast<double>(file.append(content));
  }
  return made;
}

BitmapQuery query_of(const std::vector<BitmapSegment>& segments, std::uint64_t granularity, const ByteWindow& window,
                     const BitOps* ops) {
  BitmapQuery query;
  query.segments = segments;
  query.granularity = granularity;
  for (const BitmapSegment& segment : segments) query.granularity = std::max(query.granularity, segment.granularity);
  query.window = window;
  query.ops = ops;
  return query;
}

// What the segments say, granule by granule.
oracle::Ranges expected(const std::vector<Made>& made, std::uint64_t granularity, const ByteWindow& window) {
  const std::uint64_t granules = divide_up(window.end, granularity);
  std::vector<bool> dirty(granules);
  for (const Made& one : made) {
    const std::uint64_t fold = granularity / one.granularity;
    for (std::uint64_t bit = 0; bit < one.bits.size() * 8 && bit / fold < granules; ++bit) {
      if (oracle::bit_at(one.bits, bit)) dirty[bit / fold] = true;
    }
  }
  return oracle::ranges_of([&](std::uint64_t granule) { return dirty[granule]; }, granularity, window);
}

void compare(const std::vector<Made>& made, std::uint64_t asked, const ByteWindow& window) {
  std::vector<BitmapSegment> segments;
  for (const Made& one : made) segments.push_back(one.segment());
  for (const BitOps* ops : oracle::all_bit_ops()) {
    const BitmapQuery query = query_of(segments, asked, window, ops);
    const oracle::Ranges all = expected(made, query.granularity, window);
    RangePage page;
    CHECK_EQ(scan_bitmaps(query, page).message(), "");
    CHECK_EQ(oracle::read(page), oracle::page_of(all, window));
    std::uint64_t bytes = 0;
    CHECK_EQ(count_bitmaps(query, bytes).message(), "");
    CHECK_EQ(bytes, oracle::bytes_in(all));
  }
}

std::uint64_t some_size(std::mt19937_64& random, std::uint64_t unit) {
  // Around multiples of bytes, words and clusters of bits.
  const std::uint64_t borders[] = {1, 8, 64, 512, 1024, 4096, 8192, 12288};
  const std::uint64_t border = borders[random() % std::size(borders)] * (1 + random() % 3);
  return std::max<std::uint64_t>(1, border * unit + random() % 5 - 2);
}

} // namespace

TEST("sizes at byte, word and cluster borders, plus and minus one bit and one byte") {
  std::mt19937_64 random(11);
  for (const std::uint64_t bits :
       {1u, 7u, 8u, 9u, 63u, 64u, 65u, 127u, 128u, 129u, 1023u, 1024u, 1025u, 4095u, 4096u, 4097u, 8191u, 8192u}) {
    for (int round = 0; round < 4; ++round) {
      MemoryFile file;
      const std::vector<Made> memory = {in_memory(512, random_bits(random, bits))};
      const std::vector<Made> stored = {in_file(random, file, 512, memory[0].bits, 512)};
      for (const std::uint64_t end : {bits * 512 - 1, bits * 512, bits * 512 + 1, bits * 512 + 40000}) {
        compare(memory, 512, {0, end, kAllRanges});
        compare(stored, 512, {0, end, kAllRanges});
        compare(stored, 512, {std::min(end, random() % (bits * 512)), end, 1 + random() % 9});
      }
    }
  }
}

TEST("segments of all kinds and granularities together, through any window and cap") {
  std::mt19937_64 random(12);
  for (int round = 0; round < 600; ++round) {
    MemoryFile file;
    const std::uint64_t disk = some_size(random, 512);
    std::vector<Made> made;
    for (std::uint64_t i = random() % 5; i > 0; --i) {
      const std::uint64_t granularity = std::uint64_t{512} << (random() % (random() % 2 == 0 ? 3 : 14));
      // Shorter than the disk, or longer.
      const std::uint64_t bits = divide_up(disk, granularity) * (1 + random() % 4) / 2 + random() % 3;
      Bytes bytes = random_bits(random, bits);
      if (random() % 3 == 0) {
        made.push_back(in_memory(granularity, std::move(bytes)));
      } else {
        made.push_back(in_file(random, file, granularity, std::move(bytes), random() % 2 == 0 ? 512 : 1536));
      }
    }
    const std::uint64_t start = random() % 2 == 0 ? 0 : random() % (disk + 1);
    const std::uint64_t end = random() % 2 == 0 ? disk : start + random() % (disk - start + 1);
    const std::uint64_t cap = random() % 2 == 0 ? kAllRanges : 1 + random() % 12;
    compare(made, std::uint64_t{512} << (random() % 8), {start, end, cap});
  }
}

TEST("long bitmaps, over several windows of work") {
  std::mt19937_64 random(13);
  for (int round = 0; round < 6; ++round) {
    MemoryFile file;
    const std::uint64_t bits = (std::uint64_t{5} << 20) + random() % 100;
    const std::uint64_t cluster = 65536;
    std::vector<Made> made;
    made.push_back(in_file(random, file, 512, random_bits(random, bits), cluster));
    if (round % 3 != 0) made.push_back(in_file(random, file, 512, random_bits(random, bits / 2), 512));
    if (round % 3 == 2) made.push_back(in_memory(1024, random_bits(random, bits / 2)));
    compare(made, 512, {random() % 100000, bits * 512 - random() % 1000, kAllRanges});
    compare({in_memory(512, random_bits(random, bits * 2))}, 512, {513, bits * 1024, 100000});
  }
}

TEST("every fold up to 2^22") {
  std::mt19937_64 random(14);
  for (unsigned power = 0; power <= 22; ++power) {
    const std::uint64_t granularity = std::uint64_t{512} << power;
    MemoryFile file;
    const std::uint64_t bits = std::min<std::uint64_t>(std::uint64_t{3} << power, std::uint64_t{1} << 23) + 17;
    const std::vector<Made> made = {in_file(random, file, 512, random_bits(random, bits), 1536)};
    compare(made, granularity, {granularity / 2 + 3, bits * 512 + 7, kAllRanges});
    compare({in_memory(512, made[0].bits)}, granularity, {0, bits * 512, 2});
  }
}

TEST("memory and tables of which only the needed part is there") {
  std::mt19937_64 random(15);
  for (int round = 0; round < 300; ++round) {
    MemoryFile file;
    const std::uint64_t disk = some_size(random, 512);
    const std::uint64_t granularity = std::uint64_t{512} << (random() % 4);
    const std::uint64_t asked = std::uint64_t{512} << (random() % 8);
    const std::uint64_t start = random() % disk;
    const ByteWindow window{start, start + random() % (disk - start) + 1, kAllRanges};
    Made memory = in_memory(granularity, random_bits(random, divide_up(disk, granularity)));
    Made stored = in_file(random, file, granularity, memory.bits, 512);
    memory.given = stored.given = needed_bytes(granularity, std::max(granularity, asked), window);
    compare({memory}, asked, window);
    compare({stored}, asked, window);
  }
}

TEST("pages follow one another without a gap") {
  std::mt19937_64 random(16);
  const Made made = in_memory(512, random_bits(random, 3000));
  const std::vector<BitmapSegment> segments = {made.segment()};
  for (const std::uint64_t cap : {1u, 2u, 3u, 7u, 100u}) {
    oracle::Ranges all;
    std::uint64_t at = 5;
    while (at < 3000 * 512) {
      RangePage page;
      CHECK(scan_bitmaps(query_of(segments, 512, {at, 3000 * 512, cap}, &portable_bit_ops()), page).is_ok());
      const oracle::Page read = oracle::read(page);
      CHECK(read.next_bytes > at && read.ranges.size() <= cap);
      all.insert(all.end(), read.ranges.begin(), read.ranges.end());
      at = read.next_bytes;
    }
    CHECK(all == expected({made}, 512, {5, 3000 * 512, kAllRanges}));
  }
}

TEST("no segment, and an empty window, hold nothing") {
  RangePage page;
  CHECK(scan_bitmaps(query_of({}, 512, {0, 1000, 1}, &portable_bit_ops()), page).is_ok());
  CHECK_EQ(page.next_bytes, 1000u);
  const Made made = in_memory(512, Bytes(8, 0xff));
  for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{513}, kMaxBytes}) {
    RangePage empty;
    CHECK(scan_bitmaps(query_of({made.segment()}, 512, {at, at, 1}, &portable_bit_ops()), empty).is_ok());
    CHECK_EQ(empty.ranges.size(), 0u);
    CHECK_EQ(empty.next_bytes, at);
  }
}

TEST("a table that says all clean or all dirty for 8 PiB is answered without reading") {
  const std::vector<double> table(1024, 1);
  const std::vector<double> clean(1024, 0);
  const StoredBits dirty_bits{-1, std::uint64_t{1} << 41, table.data(), table.size(), 0};
  const StoredBits clean_bits{-1, 65536, clean.data(), clean.size(), 0};
  for (const BitOps* ops : oracle::all_bit_ops()) {
    RangePage page;
    const std::vector<BitmapSegment> both = {{512, clean_bits}, {512, dirty_bits}};
    CHECK_EQ(scan_bitmaps(query_of(both, 512, {1, kMaxBytes, kAllRanges}, ops), page).message(), "");
    CHECK_EQ(oracle::read(page), (oracle::Page{{{1, kMaxBytes - 1}}, kMaxBytes}));
    std::uint64_t bytes = 0;
    CHECK(count_bitmaps(query_of(both, 512, {1, kMaxBytes, kAllRanges}, ops), bytes).is_ok());
    CHECK_EQ(bytes, kMaxBytes - 1);
  }
}

TEST("a cluster past the end of the file is a corrupt image, where the window needs it") {
  MemoryFile file;
  const std::uint64_t at = file.append(Bytes(100, 0x01));
  const std::vector<double> table = {0, static_cast<double>(at)};
  const std::vector<BitmapSegment> segments = {{512, StoredBits{file.fd(), 512, table.data(), table.size(), 0}}};
  const auto scan = [&](std::uint64_t bytes_of_bits) {
    RangePage page;
    return scan_bitmaps(query_of(segments, 512, {0, (4096 + bytes_of_bits * 8) * 512, kAllRanges}, &portable_bit_ops()),
                        page);
  };
  CHECK(scan(100).is_ok());
  const Status status = scan(101);
  CHECK(status.code() == Code::corrupt_image);
  CHECK(status.message().find("bitmap cluster 1 of segment 0 at byte 512") == 0);
}

TEST("a failed read names the errno and the offset") {
  const int directory = open("/", O_RDONLY | O_CLOEXEC);
  const std::vector<double> table = {4096};
  for (const auto& [fd, name] : {std::pair{directory, "EISDIR"}, std::pair{1 << 20, "EBADF"}}) {
    RangePage page;
    const std::vector<BitmapSegment> segments = {{512, StoredBits{fd, 512, table.data(), table.size(), 0}}};
    const Status status = scan_bitmaps(query_of(segments, 512, {0, 512, 1}, &portable_bit_ops()), page);
    CHECK(status.code() == Code::backend_unavailable);
    CHECK(status.message().find(name) != std::string::npos && status.message().find("4096") != std::string::npos);
  }
  close(directory);
}

TEST("a bad table entry is refused when it is reached") {
  for (const double entry : {-1.0, 1.5, 9007199254740992.0, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity(), 9007199254740991.0 - 100}) {
    MemoryFile file(Bytes(4096));
    const std::vector<double> table = {512, entry};
    const std::vector<BitmapSegment> segments = {{512, StoredBits{file.fd(), 512, table.data(), table.size(), 0}}};
    for (const BitOps* ops : oracle::all_bit_ops()) {
      RangePage page;
      CHECK(scan_bitmaps(query_of(segments, 512, {0, 4096 * 512, 1}, ops), page).is_ok());
      const Status status = scan_bitmaps(query_of(segments, 512, {0, 4097 * 512, 1}, ops), page);
      CHECK(status.code() == Code::invalid_argument);
      CHECK(status.message().find("segments[0].bits.table[1] is ") == 0);
    }
  }
}

TEST("a window that is scanned in two parts is what its halves are, joined") {
  std::mt19937_64 random(20);
  constexpr std::uint64_t bits = (std::uint64_t{1} << 26) + 777;
  for (int round = 0; round < 6; ++round) {
    Bytes bytes(divide_up(bits, 8));
    // Round 0 and 1: all clean, all dirty; then runs, sparse at first, so that some go over the middle.
    if (round == 1) std::fill(bytes.begin(), bytes.end(), std::uint8_t{0xff});
    for (std::uint64_t bit = 0; bit < bits && round > 1;) {
      const std::uint64_t run = 1 + random() % (std::uint64_t{1} << (24 - 4 * round));
      if (random() % 2 == 0) set_bits(bytes.data(), bit, std::min(bit + run, bits));
      bit += run;
    }
    if (round > 1) set_bits(bytes.data(), bits / 2 - (std::uint64_t{1} << 21), bits / 2 + 5);
    const Made made = in_memory(512, bytes);
    const std::vector<BitmapSegment> segments = {made.segment()};
    const std::uint64_t start = round % 2 == 0 ? 0 : 700;
    const std::uint64_t end = bits * 512 - 100;
    RangePage whole;
    CHECK(scan_bitmaps(query_of(segments, 512, {start, end, kAllRanges}, oracle::all_bit_ops()[0]), whole).is_ok());
    // A cap, however high, keeps the scan on one thread.
    RangePage single;
    CHECK(scan_bitmaps(query_of(segments, 512, {start, end, bits}, oracle::all_bit_ops()[0]), single).is_ok());
    CHECK_EQ(whole.next_bytes, single.next_bytes);
    CHECK_EQ(whole.ranges.size(), single.ranges.size());
    CHECK(std::equal(whole.ranges.data(), whole.ranges.data() + whole.ranges.size(), single.ranges.data()));
  }
}

TEST("what fails in either part of a window fails the scan, the first part's reason first") {
  constexpr std::uint64_t cluster = std::uint64_t{2} << 20;
  const MemoryFile file(Bytes(4096, 0x55));
  for (const auto& [first, second, bad] :
       {std::tuple{-1.0, 1.5, "table[0]"}, {0.0, 1.5, "table[4]"}, {-1.0, 1.0, "table[0]"}}) {
    const std::vector<double> table = {first, 0, 0, 0, second};
    const std::vector<BitmapSegment> segments = {{512, StoredBits{file.fd(), cluster, table.data(), table.size(), 0}}};
    RangePage page;
    const Status status =
        scan_bitmaps(query_of(segments, 512, {0, 5 * cluster * 8 * 512, kAllRanges}, &portable_bit_ops()), page);
    CHECK(status.code() == Code::invalid_argument);
    CHECK(status.message().find(bad) != std::string::npos);
  }
}

TEST("a set cancel cell ends the work") {
  const std::int32_t stop = 1;
  const Made made = in_memory(512, Bytes(64, 0x55));
  BitmapQuery query = query_of({made.segment()}, 512, {0, 1 << 20, kAllRanges}, &portable_bit_ops());
  const std::vector<BitmapSegment> segments = {made.segment()};
  query.segments = segments;
  query.cancel = CancelToken(&stop);
  RangePage page;
  std::uint64_t bytes = 0;
  CHECK(scan_bitmaps(query, page).code() == Code::aborted);
  CHECK(count_bitmaps(query, bytes).code() == Code::aborted);
}

TEST_MAIN()
