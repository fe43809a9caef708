// The inner loops, portable and AVX2, against one bit at a time.
#include <random>

#include "cbt/bit_ops.hpp"
#include "cbt/bits.hpp"
#include "check.hpp"
#include "oracle.hpp"

using namespace cbt;

namespace {

using Bytes = std::vector<std::uint8_t>;

// Words of one character each: empty, full, sparse, striped, dense, random.
Bytes some_words(std::mt19937_64& random, std::size_t words) {
  Bytes bytes(words * 8);
  const unsigned style = static_cast<unsigned>(random() % 7);
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t word = 0;
    switch (style) {
    case 0: break;
    case 1: word = ~std::uint64_t{0}; break;
    case 2: word = random() % 8 == 0 ? std::uint64_t{1} << (random() % 64) : 0; break;
    case 3: word = 0x5555555555555555; break;
    case 4: word = random() | random() | random(); break;
    case 5: word = random() % 20 == 0 ? random() : (i / 24 % 2 == 0 ? 0 : ~std::uint64_t{0}); break;
    default: word = random(); break;
    }
    store_le64(bytes.data() + 8 * i, word);
  }
  return bytes;
}

std::vector<double> edges_of(const Bytes& bytes, std::uint64_t last, double base, double granularity) {
  std::vector<double> edges;
  bool previous = last != 0;
  for (std::uint64_t bit = 0; bit < bytes.size() * 8; ++bit) {
    if (oracle::bit_at(bytes, bit) == previous) continue;
    previous = !previous;
    edges.push_back(base + static_cast<double>(bit) * granularity);
  }
  return edges;
}

} // namespace

TEST("scan_edges finds every edge, whatever the words, the bit before and the room") {
  std::mt19937_64 random(1);
  for (const BitOps* ops : oracle::all_bit_ops()) {
    for (int round = 0; round < 4000; ++round) {
      const std::size_t words = random() % 70;
      const std::size_t shift = random() % 8; // at any alignment
      const Bytes bytes = some_words(random, words);
      Bytes placed(shift);
      placed.insert(placed.end(), bytes.begin(), bytes.end());
      const double granularity = static_cast<double>(std::uint64_t{512} << (random() % 23));
      EdgeScan scan(granularity);
      const double base = static_cast<double>(random() % 1000) * scan.word_bytes;
      scan.base = base;
      scan.last = random() % 2;
      const std::vector<double> expected = edges_of(bytes, scan.last, base, granularity);
      std::vector<double> found;
      std::size_t done = 0;
      while (done < words) {
        const std::size_t room = kEdgeRoom + random() % 200;
        std::vector<double> out(room, -1); // its end is watched by the sanitizer
        std::size_t step = 0;
        const std::size_t count =
            ops->scan_edges(scan, placed.data() + shift + 8 * done, words - done, out.data(), room, step);
        CHECK(step > 0);
        if (step == 0) return;
        found.insert(found.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count));
        done += step;
      }
      CHECK(found == expected);
      CHECK_EQ(scan.base, base + static_cast<double>(words) * scan.word_bytes);
      if (words > 0) CHECK_EQ(scan.last, std::uint64_t{bytes.back()} >> 7);
    }
  }
}

TEST("scan_edges is exact up to the last offset") {
  for (const BitOps* ops : oracle::all_bit_ops()) {
    EdgeScan scan(static_cast<double>(kMaxGranularity));
    scan.base = static_cast<double>((std::uint64_t{1} << 53) - 64 * kMaxGranularity);
    Bytes bytes(8, 0x55);
    std::vector<double> out(kEdgeRoom);
    std::size_t done = 0;
    CHECK_EQ(ops->scan_edges(scan, bytes.data(), 1, out.data(), out.size(), done), 64u);
    for (std::uint64_t i = 0; i < 64; ++i) {
      CHECK_EQ(static_cast<std::uint64_t>(out[i]), (std::uint64_t{1} << 53) - (64 - i) * kMaxGranularity);
    }
  }
}

TEST("ends_to_lengths turns any number of pairs") {
  for (const BitOps* ops : oracle::all_bit_ops()) {
    for (std::size_t count = 0; count < 20; ++count) {
      std::vector<double> pairs;
      for (std::size_t i = 0; i < count; ++i) {
        pairs.push_back(static_cast<double>(i * 100));
        pairs.push_back(static_cast<double>(i * 100 + i + 1));
      }
      ops->ends_to_lengths(pairs.data(), count);
      for (std::size_t i = 0; i < count; ++i) {
        CHECK_EQ(pairs[2 * i], static_cast<double>(i * 100));
        CHECK_EQ(pairs[2 * i + 1], static_cast<double>(i + 1));
      }
    }
  }
}

TEST("count_bits counts") {
  std::mt19937_64 random(2);
  for (const BitOps* ops : oracle::all_bit_ops()) {
    for (std::size_t words = 0; words < 50; ++words) {
      const Bytes bytes = some_words(random, words);
      std::uint64_t expected = 0;
      for (std::uint64_t bit = 0; bit < words * 64; ++bit) expected += oracle::bit_at(bytes, bit) ? 1 : 0;
      CHECK_EQ(ops->count_bits(bytes.data(), words), expected);
    }
  }
}

TEST("or_bytes joins") {
  std::mt19937_64 random(3);
  for (const BitOps* ops : oracle::all_bit_ops()) {
    for (std::size_t size = 0; size < 100; ++size) {
      Bytes a(size), b(size), expected(size);
      for (std::size_t i = 0; i < size; ++i) {
        a[i] = static_cast<std::uint8_t>(random());
        b[i] = static_cast<std::uint8_t>(random());
        expected[i] = a[i] | b[i];
      }
      ops->or_bytes(a.data(), b.data(), size);
      CHECK(a == expected);
    }
  }
}

TEST("fold_half joins neighbouring bits") {
  std::mt19937_64 random(4);
  for (const BitOps* ops : oracle::all_bit_ops()) {
    for (std::size_t words = 0; words < 40; words += 2) {
      for (int round = 0; round < 20; ++round) {
        const Bytes bytes = some_words(random, words);
        Bytes folded = bytes;
        ops->fold_half(folded.data(), words);
        for (std::uint64_t bit = 0; bit < words * 32; ++bit) {
          CHECK_EQ(oracle::bit_at(folded, bit), oracle::bit_at(bytes, 2 * bit) || oracle::bit_at(bytes, 2 * bit + 1));
        }
      }
    }
  }
}

TEST("set_bits sets exactly its bits") {
  for (std::uint64_t first = 0; first < 40; ++first) {
    for (std::uint64_t end = 0; end <= 40; ++end) {
      Bytes bytes(5);
      set_bits(bytes.data(), first, end);
      for (std::uint64_t bit = 0; bit < 40; ++bit) CHECK_EQ(oracle::bit_at(bytes, bit), bit >= first && bit < end);
    }
  }
}

TEST("choose_bit_ops takes what is forced, and refuses what it does not know") {
  const BitOps* ops = nullptr;
  CHECK(choose_bit_ops("portable", ops).is_ok());
  CHECK_EQ(std::string(ops->name), "portable");
  CHECK(choose_bit_ops("", ops).is_ok());
  CHECK_EQ(std::string(ops->name), avx2_bit_ops() != nullptr ? "avx2" : "portable");
  CHECK_EQ(choose_bit_ops("avx2", ops).is_ok(), avx2_bit_ops() != nullptr);
  CHECK(choose_bit_ops("sse9", ops).code() == Code::invalid_argument);
}

TEST_MAIN()
