// How far are the scans from what the memory itself allows?
//
// Expected: a scan of uniform bits costs a plain read of the same bytes; a scan of alternating bits costs a plain loop
// that fills the same output; everything else lies between. So each case is timed next to its control in the same run,
// and the ratio is what counts, not the milliseconds. Fresh memory each time: page faults count on both sides. The
// median of several runs is shown with its fastest and slowest.
//
//   scan_bench [runs]      QEMU_CBT_SIMD=portable for the portable loops
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "cbt/bitmap_scan.hpp"
#include "cbt/bits.hpp"

using namespace cbt;

namespace {

constexpr std::uint64_t kGranularity = 65536;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;

int runs = 15;
volatile std::uint64_t consumed; // keeps the compiler from dropping a result

struct Times {
  double median, least, most; // milliseconds
};

// `work` is timed, `after` is not.
Times timed(
    const std::function<void()>& work, const std::function<void()>& after = [] {}) {
  std::vector<double> times;
  for (int i = -2; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    after();
    if (i >= 0) times.push_back(took.count());
  }
  std::sort(times.begin(), times.end());
  return {times[times.size() / 2], times.front(), times.back()};
}

void show(const char* name, const Times& times) {
  std::printf("  %-58s %8.2f ms  (%.2f to %.2f)\n", name, times.median, times.least, times.most);
}

void ratio(const char* name, const Times& times, const Times& control) {
  std::printf("  %-58s %8.2f x\n", name, times.median / control.median);
}

BitmapQuery query_for(const BitmapSegment& segment, std::uint64_t disk_bytes, const BitOps& ops) {
  BitmapQuery query;
  query.segments = {&segment, 1};
  query.granularity = segment.granularity;
  query.window = {0, disk_bytes, kAllRanges};
  query.ops = &ops;
  return query;
}

BitmapSegment in_memory(const std::vector<std::uint8_t>& bytes) {
  return {kGranularity, MemoryBits{bytes.data(), bytes.size(), 0}};
}

std::size_t range_count = 0;

Times time_scan(const BitmapSegment& segment, std::uint64_t disk_bytes, const BitOps& ops) {
  const BitmapQuery query = query_for(segment, disk_bytes, ops);
  Block block;
  return timed(
      [&] {
        RangePage page;
        if (!scan_bitmaps(query, page).is_ok()) std::abort();
        range_count = page.ranges.size() / 2;
        block = page.ranges.release();
      },
      [&] { free_block(block); });
}

Times time_count(const BitmapSegment& segment, std::uint64_t disk_bytes, const BitOps& ops) {
  const BitmapQuery query = query_for(segment, disk_bytes, ops);
  return timed([&] {
    std::uint64_t bytes = 0;
    if (!count_bitmaps(query, bytes).is_ok()) std::abort();
    consumed = bytes;
  });
}

std::vector<std::uint8_t> bits_in_runs(std::uint64_t bits, double share, std::uint64_t mean) {
  std::vector<std::uint8_t> bytes(bits / 8);
  std::mt19937_64 random(20161120);
  const auto mean_gap = static_cast<std::uint64_t>(static_cast<double>(mean) * (1 / share - 1));
  for (std::uint64_t at = random() % (2 * mean_gap); at < bits;) {
    const std::uint64_t end = std::min(bits, at + 1 + random() % (2 * mean - 1));
    set_bits(bytes.data(), at, end);
    at = end + 1 + random() % (2 * mean_gap);
  }
  return bytes;
}

void uniform_bits(const BitOps& ops) {
  constexpr std::size_t bytes = std::size_t{32} << 20;
  constexpr std::uint64_t disk = bytes * 8 * kGranularity;
  std::printf("32 MiB of uniform bits (16 TiB at 64 KiB), in memory\n");
  for (const int fill : {0x00, 0xff}) {
    const std::vector<std::uint8_t> bits(bytes, static_cast<std::uint8_t>(fill));
    const Times read = timed([&] {
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < bytes; i += 8) {
        std::uint64_t word;
        std::memcpy(&word, bits.data() + i, 8);
        sum += word;
      }
      consumed = sum;
    });
    const Times scan = time_scan(in_memory(bits), disk, ops);
    show("control: sum of its 64-bit words", read);
    show(fill == 0 ? "all clean" : "all dirty", scan);
    ratio(fill == 0 ? "all clean / control (target 1.5)" : "all dirty / control (target 1.8)", scan, read);
    show("count", time_count(in_memory(bits), disk, ops));
  }
}

void alternating_bits(const BitOps& ops) {
  const std::vector<std::uint8_t> bits(kTiB / kGranularity / 8, 0x55);
  const std::size_t values = bits.size() * 8;
  std::printf("1 TiB of alternating blocks\n");
  const auto fill = [&](double* out) {
    for (std::size_t i = 0; i < values / 2; ++i) {
      out[2 * i] = static_cast<double>(2 * i) * static_cast<double>(kGranularity);
      out[2 * i + 1] = static_cast<double>(kGranularity);
    }
    consumed = static_cast<std::uint64_t>(out[values / 3]);
  };
  double* plain = nullptr;
  const Times control = timed(
      [&] {
        plain = static_cast<double*>(std::malloc(values * sizeof(double)));
        fill(plain);
      },
      [&] { std::free(plain); });
  const Times huge_control = timed(
      [&] {
        plain = static_cast<double*>(std::aligned_alloc(std::size_t{2} << 20, values * sizeof(double)));
        madvise(plain, values * sizeof(double), MADV_HUGEPAGE);
        fill(plain);
      },
      [&] { std::free(plain); });
  const Times scan = time_scan(in_memory(bits), kTiB, ops);
  show("control: plain loop that fills the output", control);
  show("control: the same on huge pages", huge_control);
  show("scan (target 60 ms)", scan);
  ratio("scan / plain loop (target 1.5)", scan, control);
  ratio("scan / plain loop on huge pages", scan, huge_control);
  std::printf("  %-58s %zu\n", "ranges", range_count);
}

void random_bits(const BitOps& ops) {
  std::vector<std::uint8_t> bits(kTiB / kGranularity / 8);
  std::mt19937_64 random(7);
  for (std::uint64_t bit = 0; bit < bits.size() * 8; ++bit) {
    if (random() % 10 == 0) set_bits(bits.data(), bit, bit + 1);
  }
  std::printf("1 TiB, 10 %% of the blocks at random\n");
  show("scan (target 12 ms)", time_scan(in_memory(bits), kTiB, ops));
  std::printf("  %-58s %zu\n", "ranges", range_count);
}

// Bits in the clusters of a page-cached file, as a qcow2 image has them.
void stored_bits(const BitOps& ops) {
  constexpr std::size_t cluster = 65536;
  const std::uint64_t disk = 16 * kTiB;
  char path[] = "/tmp/scan-bench-XXXXXX";
  const int fd = mkstemp(path);
  if (fd < 0) std::abort();
  unlink(path);
  std::printf("16 TiB, 5 %% of the blocks dirty in runs, in the clusters of a page-cached file\n");
  for (const std::uint64_t mean : {std::uint64_t{32}, std::uint64_t{4096}}) {
    const std::vector<std::uint8_t> bits = bits_in_runs(disk / kGranularity, 0.05, mean);
    std::vector<double> table(bits.size() / cluster);
    std::size_t at = cluster;
    for (std::size_t i = 0; i < table.size(); ++i) {
      const std::uint8_t* from = bits.data() + i * cluster;
      if (std::all_of(from, from + cluster, [](std::uint8_t byte) { return byte == 0; })) continue;
      if (pwrite(fd, from, cluster, static_cast<off_t>(at)) != static_cast<ssize_t>(cluster)) std::abort();
      table[i] = static_cast<double>(at);
      at += cluster;
    }
    const BitmapSegment segment{kGranularity, StoredBits{fd, cluster, table.data(), table.size(), 0}};
    std::vector<std::uint8_t> buffer(std::size_t{256} << 10);
    const Times read = timed([&] {
      for (std::size_t offset = cluster; offset < at; offset += buffer.size()) {
        consumed = static_cast<std::uint64_t>(pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset)));
      }
    });
    std::printf("  runs of %llu blocks on average\n", static_cast<unsigned long long>(mean));
    show("control: pread of the same clusters", read);
    const Times scan = time_scan(segment, disk, ops);
    show("scan (target 10 ms)", scan);
    ratio("scan / pread", scan, read);
    std::printf("  %-58s %zu\n", "ranges", range_count);
    std::vector<BitmapSegment> eight(8, segment);
    for (std::size_t i = 0; i < eight.size(); ++i) eight[i].granularity = kGranularity >> i;
    BitmapQuery query = query_for(segment, disk, ops);
    query.segments = eight;
    show("OR of 8 segments of 64 KiB down to 512 bytes", timed([&] {
           RangePage page;
           if (!scan_bitmaps(query, page).is_ok()) std::abort();
           consumed = page.ranges.size();
         }));
  }
  close(fd);
}

void clean_table(const BitOps& ops) {
  const std::vector<double> table(kTiB * 64 / 512 / 8 / 65536, 0);
  const BitmapSegment segment{512, StoredBits{0, 65536, table.data(), table.size(), 0}};
  std::printf("64 TiB at 512 bytes, every cluster clean by its table\n");
  show("scan", time_scan(segment, 64 * kTiB, ops));
}

} // namespace

int main(int argc, char** argv) {
  if (argc > 1) runs = std::max(1, std::atoi(argv[1]));
  const char* forced = std::getenv("QEMU_CBT_SIMD");
  const BitOps* ops = nullptr;
  if (const Status status = choose_bit_ops(forced == nullptr ? "" : forced, ops); !status.is_ok()) {
    std::fprintf(stderr, "%s\n", status.message().c_str());
    return 2;
  }
  std::printf("loops: %s, median of %d runs\n", ops->name, runs);
  uniform_bits(*ops);
  alternating_bits(*ops);
  random_bits(*ops);
  stored_bits(*ops);
  clean_table(*ops);
  return 0;
}
