// Allocation of qcow2 layers, against the specification's tables read slowly.
#include <random>

#include "cbt/bits.hpp"
#include "cbt/cluster_scan.hpp"
#include "check.hpp"
#include "l2_oracle.hpp"
#include "oracle.hpp"

using namespace cbt;
using oracle::L2Image;
using oracle::MemoryFile;
using oracle::Says;

namespace {

struct Layer {
  L2Image image;
  MemoryFile file;
  std::vector<double> l1;
  std::vector<std::uint64_t> words; // of all tables, in guest order; zeros where there is no table

  [[nodiscard]] std::uint64_t cluster() const { return std::uint64_t{1} << image.cluster_bits; }
  [[nodiscard]] std::uint64_t entry_words() const { return image.extended ? 2 : 1; }
  [[nodiscard]] std::uint64_t per_table() const { return cluster() / 8 / entry_words(); }
  [[nodiscard]] ClusterTables tables() const {
    return {file.fd(),      image.cluster_bits, image.extended, image.version,
            image.external, l1.data(),          l1.size(),      image.file_bytes};
  }
};

std::vector<std::uint8_t> big_endian(const std::uint64_t* words, std::size_t count) {
  std::vector<std::uint8_t> bytes(count * 8);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < 8; ++k) bytes[8 * i + k] = static_cast<std::uint8_t>(words[i] >> (56 - 8 * k));
  }
  return bytes;
}

// A valid entry of some kind, in runs.
void some_entry(std::mt19937_64& random, const Layer& layer, std::uint64_t guest, std::uint64_t* words) {
  const std::uint64_t copied = random() % 2 << 63;
  const std::uint64_t host = layer.image.external ? guest : layer.cluster() * (1 + random() % 3);
  words[0] = 0;
  switch (random() % 4) {
  case 0: break;
  case 1: words[0] = host | copied | (host == 0 ? std::uint64_t{1} << 63 : 0); break;
  case 2:
    if (!layer.image.extended && layer.image.version == 3) words[0] = 1 | (random() % 2 == 0 ? host : 0);
    break;
  default:
    if (!layer.image.external) words[0] = std::uint64_t{1} << 62 | random() % (std::uint64_t{1} << 60);
    break;
  }
  if (!layer.image.extended) return;
  words[1] = 0;
  if ((words[0] >> 62 & 1) != 0) return;
  const std::uint64_t zeros = random() % 3 == 0 ? 0xffffffff : random() & 0xffffffff;
  const std::uint64_t data = random() % 3 == 0 ? 0xffffffff : random() & 0xffffffff;
  const bool present = words[0] != 0;
  words[1] = present ? (data | (zeros & ~data) << 32) : zeros << 32;
}

void fill(std::mt19937_64& random, Layer& layer, std::uint64_t tables) {
  const std::uint64_t table_words = layer.cluster() / 8;
  layer.words.assign(tables * table_words, 0);
  layer.l1.assign(tables, 0);
  for (std::uint64_t t = 0; t < tables; ++t) {
    if (random() % 4 == 0) continue;
    std::uint64_t* words = layer.words.data() + t * table_words;
    for (std::uint64_t i = 0; i < layer.per_table(); ++i) {
      std::uint64_t* const at = words + i * layer.entry_words();
      if (i > 0 && random() % 3 != 0 && !layer.image.external) {
        std::copy_n(at - layer.entry_words(), layer.entry_words(), at);
      } else {
        some_entry(random, layer, (t * layer.per_table() + i) * layer.cluster(), at);
      }
    }
    // Next to the table before it, or with a gap.
    const std::uint64_t gap = random() % 2 == 0 ? 0 : layer.cluster();
    if (gap != 0) layer.file.append(std::vector<std::uint8_t>(gap), layer.cluster());
    layer.l1[t] = static_cast<double>(layer.file.append(big_endian(words, table_words), layer.cluster()));
  }
  layer.image.file_bytes = std::max(layer.file.size(), 4 * layer.cluster());
}

oracle::Page expected(const Layer& layer, ClusterClass wanted, const ByteWindow& window) {
  const std::uint64_t parts = layer.image.extended ? 32 : 1;
  const auto inside = [&](std::uint64_t part) {
    const std::uint64_t cluster = part / parts;
    const std::uint64_t* words = layer.words.data() + cluster * layer.entry_words();
    const Says says = oracle::l2_says(layer.image, words[0], layer.image.extended ? words[1] : 0,
                                      cluster * layer.cluster(), static_cast<unsigned>(part % parts));
    CHECK(says != Says::corrupt);
    return says == Says::data || (says == Says::zeros && wanted == ClusterClass::allocated);
  };
  return oracle::page_of(oracle::ranges_of(inside, layer.cluster() / parts, window), window);
}

// One entry at the start of a small image.
Status read_one(const L2Image& image, std::uint64_t entry, std::uint64_t second, std::uint64_t index, RangePage& page,
                ClusterClass wanted) {
  const std::uint64_t cluster = std::uint64_t{1} << image.cluster_bits;
  std::vector<std::uint64_t> words(cluster / 8);
  words[index * (image.extended ? 2 : 1)] = entry;
  if (image.extended) words[index * 2 + 1] = second;
  MemoryFile file;
  const double l1 = static_cast<double>(file.append(big_endian(words.data(), words.size()), cluster));
  const ClusterTables tables{file.fd(), image.cluster_bits, image.extended, image.version, image.external, &l1,
                             1,         image.file_bytes};
  return scan_clusters(tables, wanted, {index * cluster, (index + 1) * cluster, kAllRanges}, {}, page);
}

} // namespace

TEST("layers of every kind, through any window and cap") {
  std::mt19937_64 random(31);
  for (int round = 0; round < 400; ++round) {
    Layer layer;
    layer.image.extended = random() % 2 == 0;
    layer.image.cluster_bits = layer.image.extended ? 14 : 9 + static_cast<std::uint32_t>(random() % 4);
    layer.image.version = layer.image.extended || random() % 3 != 0 ? 3 : 2;
    layer.image.external = layer.image.version == 3 && random() % 3 == 0;
    fill(random, layer, 1 + random() % (layer.image.extended ? 2 : 8));
    const std::uint64_t disk = layer.l1.size() * layer.per_table() * layer.cluster();
    for (int query = 0; query < 4; ++query) {
      const std::uint64_t start = random() % 3 == 0 ? 0 : random() % disk;
      const std::uint64_t end = random() % 3 == 0 ? disk : start + random() % (disk - start + 1);
      const ByteWindow window{start, end, random() % 2 == 0 ? kAllRanges : 1 + random() % 20};
      for (const ClusterClass wanted : {ClusterClass::data, ClusterClass::allocated}) {
        RangePage page;
        CHECK_EQ(scan_clusters(layer.tables(), wanted, window, {}, page).message(), "");
        CHECK_EQ(oracle::read(page), expected(layer, wanted, window));
      }
    }
  }
}

TEST("every kind of entry, good and bad, as the specification has it") {
  std::mt19937_64 random(32);
  const std::uint64_t seconds[] = {0,
                                   1,
                                   0xffffffff,
                                   0xffffffff00000000,
                                   0x0000000100000001,
                                   0x8000000000000000,
                                   0x80000000,
                                   0x00000001fffffffe,
                                   ~std::uint64_t{0}};
  int corrupt = 0;
  int sane = 0;
  for (const bool extended : {false, true}) {
    for (const bool external : {false, true}) {
      for (const std::uint32_t version : {2u, 3u}) {
        if (version == 2 && (extended || external)) continue;
        const L2Image image{14, extended, version, external, 10 * 16384 - 100};
        std::vector<std::uint64_t> entries = {0, std::uint64_t{1} << 63, std::uint64_t{1} << 62};
        for (unsigned bit = 0; bit < 64; ++bit) {
          entries.push_back(std::uint64_t{1} << bit);
          entries.push_back(16384 | std::uint64_t{1} << bit);
          entries.push_back((std::uint64_t{1} << 63) | 16384 | std::uint64_t{1} << bit);
        }
        for (std::uint64_t host = 0; host < 12; ++host) {
          entries.push_back(host * 16384);
          entries.push_back(host * 16384 | std::uint64_t{1} << 63);
          entries.push_back(host * 16384 | 1);
        }
        for (int i = 0; i < 50; ++i) entries.push_back(random());
        for (const std::uint64_t entry : entries) {
          for (const std::uint64_t index : {0, 1}) {
            for (const std::uint64_t second : seconds) {
              if (!extended && second != 0) continue;
              const Says first = oracle::l2_says(image, entry, second, index * 16384, 0);
              for (const ClusterClass wanted : {ClusterClass::data, ClusterClass::allocated}) {
                RangePage page;
                const Status status = read_one(image, entry, second, index, page, wanted);
                CHECK_EQ(status.code() == Code::corrupt_image, first == Says::corrupt);
                if (first == Says::corrupt) {
                  ++corrupt;
                  CHECK(status.message().find("entry " + std::to_string(index) + " of L2 table 0") == 0);
                  continue;
                }
                ++sane;
                std::uint64_t bytes = 0;
                for (unsigned part = 0; part < 32; ++part) {
                  const Says says = oracle::l2_says(image, entry, second, index * 16384, part);
                  if (says == Says::data || (says == Says::zeros && wanted == ClusterClass::allocated)) bytes += 512;
                }
                CHECK_EQ(oracle::bytes_in(oracle::read(page).ranges), bytes);
              }
            }
          }
        }
      }
    }
  }
  CHECK(corrupt > 1000 && sane > 1000);
}

TEST("bad tables are named before or when they are reached") {
  MemoryFile file(std::vector<std::uint8_t>(8 * 512));
  const auto scan = [&](std::vector<double> l1, std::uint64_t end, std::uint64_t file_bytes) {
    const ClusterTables tables{file.fd(), 9, false, 3, false, l1.data(), l1.size(), file_bytes};
    RangePage page;
    return scan_clusters(tables, ClusterClass::data, {0, end, kAllRanges}, {}, page);
  };
  constexpr std::uint64_t reach = 64 * 512; // guest bytes of one table
  CHECK(scan({512}, reach, 4096).is_ok());
  CHECK(scan({0, 512}, 2 * reach, 4096).is_ok());
  CHECK_EQ(scan({512}, reach + 1, 4096).message(),
           "tables.l1 is \"1 entries\", expected at least 2 for a window that ends at byte 32769");
  CHECK(scan({513}, reach, 4096).code() == Code::corrupt_image);
  CHECK(scan({4096}, reach, 4096).code() == Code::corrupt_image);
  CHECK(scan({3584}, reach, 4095).is_ok());
  // The file itself is shorter than it was said to be.
  const Status status = scan({512, 1024, 3584, 4096}, 4 * reach, 1 << 20);
  CHECK(status.code() == Code::corrupt_image);
  CHECK(status.message().find("L2 table 3 reaches past the end of the file (4096 bytes)") == 0);
  CHECK(scan({512.5}, reach, 4096).code() == Code::invalid_argument);
  CHECK(scan({-512}, reach, 4096).code() == Code::invalid_argument);
  CHECK(scan({std::numeric_limits<double>::quiet_NaN()}, reach, 4096).code() == Code::invalid_argument);
}

TEST("numbers of a layer are checked against its flags") {
  const auto check = [](double bits, double version, double file_bytes, bool extended, bool external) {
    ClusterTables tables;
    tables.extended_l2 = extended;
    tables.external_data = external;
    return check_tables(bits, version, file_bytes, tables).is_ok();
  };
  CHECK(check(9, 2, 0, false, false));
  CHECK(check(21, 3, static_cast<double>(kMaxBytes), true, true));
  CHECK(check(14, 3, 0, true, false));
  CHECK(!check(13, 3, 0, true, false));
  CHECK(!check(8, 3, 0, false, false));
  CHECK(!check(22, 3, 0, false, false));
  CHECK(!check(16.5, 3, 0, false, false));
  CHECK(!check(16, 1, 0, false, false));
  CHECK(!check(16, 4, 0, false, false));
  CHECK(!check(16, 2, 0, true, false));
  CHECK(!check(16, 2, 0, false, true));
  CHECK(!check(16, 3, -1, false, false));
}

TEST("a full page does not look for the end of what did not fit") {
  // Data everywhere behind a first range, and a bad entry far behind: only a page that reaches it fails.
  std::vector<std::uint64_t> words(512 / 8);
  MemoryFile file;
  words[0] = std::uint64_t{1} << 62;
  words[2] = std::uint64_t{1} << 62;
  const auto first = static_cast<double>(file.append(big_endian(words.data(), words.size()), 512));
  file.append(std::vector<std::uint8_t>(512), 512); // so that the next table is read on its own
  std::fill(words.begin(), words.end(), 2);
  const auto bad = static_cast<double>(file.append(big_endian(words.data(), words.size()), 512));
  const double l1[] = {first, bad};
  const ClusterTables tables{file.fd(), 9, false, 3, false, l1, 2, 1 << 20};
  RangePage page;
  CHECK(scan_clusters(tables, ClusterClass::data, {0, 128 * 512, 1}, {}, page).is_ok());
  CHECK_EQ(oracle::read(page), (oracle::Page{{{0, 512}}, 1024}));
  RangePage two;
  CHECK(scan_clusters(tables, ClusterClass::data, {0, 128 * 512, 2}, {}, two).code() == Code::corrupt_image);
}

TEST("a page that is full never ends past its window") {
  // Subclusters 0 and 8 of a cluster whose window ends between them.
  const L2Image image{14, true, 3, false, 1 << 20};
  std::vector<std::uint64_t> words(16384 / 8);
  words[0] = 16384;
  words[1] = 0x101;
  MemoryFile file;
  const auto l1 = static_cast<double>(file.append(big_endian(words.data(), words.size()), 16384));
  const ClusterTables tables{file.fd(), 14, true, 3, false, &l1, 1, image.file_bytes};
  for (const std::uint64_t end : {513u, 4095u, 4096u, 4097u}) {
    RangePage page;
    CHECK(scan_clusters(tables, ClusterClass::data, {0, end, 1}, {}, page).is_ok());
    CHECK_EQ(oracle::read(page), (oracle::Page{{{0, 512}}, std::min<std::uint64_t>(end, 4096)}));
  }
}

TEST("a failed read and a set cancel cell end the work") {
  const double l1 = 512;
  const ClusterTables tables{1 << 20, 9, false, 3, false, &l1, 1, 4096};
  RangePage page;
  CHECK(scan_clusters(tables, ClusterClass::data, {0, 512, 1}, {}, page).code() == Code::backend_unavailable);
  const std::int32_t stop = 1;
  CHECK(scan_clusters(tables, ClusterClass::data, {0, 512, 1}, CancelToken(&stop), page).code() == Code::aborted);
}

TEST_MAIN()
