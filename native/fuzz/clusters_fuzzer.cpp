// L1 and L2 tables of a hostile image, against the specification read slowly.
#include <cmath>

#include "../test/l2_oracle.hpp"
#include "cbt/cluster_scan.hpp"
#include "page_check.hpp"

using namespace cbt;
using fuzz::Unit;
using oracle::Says;

namespace {

struct Image {
  oracle::L2Image rules;
  std::vector<double> l1;
  std::vector<std::uint8_t> file;

  [[nodiscard]] std::uint64_t cluster() const { return std::uint64_t{1} << rules.cluster_bits; }
  [[nodiscard]] std::uint64_t entry_bytes() const { return rules.extended ? 16 : 8; }
  [[nodiscard]] std::uint64_t per_table() const { return cluster() / entry_bytes(); }

  // A flag that only images without subclusters have.
  [[nodiscard]] std::uint64_t extended_or(std::uint64_t flag) const { return rules.extended ? 0 : flag; }

  [[nodiscard]] std::uint64_t word(std::uint64_t at) const {
    std::uint64_t value = 0;
    for (std::uint64_t i = 0; i < 8; ++i) value = value << 8 | file[at + i];
    return value;
  }

  // What a subcluster (a cluster, without subclusters) is; corrupt also where its table cannot be read.
  [[nodiscard]] Says says(std::uint64_t cluster_index, unsigned part) const {
    const double table = l1[cluster_index / per_table()];
    if (table == 0) return Says::nothing;
    const bool exact = table > 0 && table <= 9007199254740991.0 && std::floor(table) == table;
    if (!exact || std::fmod(table, static_cast<double>(cluster())) != 0) return Says::corrupt;
    if (table >= static_cast<double>(rules.file_bytes)) return Says::corrupt;
    const std::uint64_t at = static_cast<std::uint64_t>(table) + cluster_index % per_table() * entry_bytes();
    if (at + entry_bytes() > file.size()) return Says::corrupt;
    return oracle::l2_says(rules, word(at), rules.extended ? word(at + 8) : 0, cluster_index * cluster(), part);
  }
};

void put_word(std::vector<std::uint8_t>& file, std::uint64_t at, std::uint64_t word) {
  for (std::uint64_t i = 0; i < 8; ++i) file[at + i] = static_cast<std::uint8_t>(word >> (56 - 8 * i));
}

// Fills the file with entries, most of them sane, in runs; the file may end within a cluster.
void draw_tables(fuzz::Input& input, Image& image) {
  const std::uint64_t tables = 1 + input.byte() % 5;
  image.file.resize(tables * image.cluster() + input.byte() * 8);
  const std::uint64_t copied = std::uint64_t{1} << 63;
  for (std::uint64_t at = 0; at + image.entry_bytes() <= image.file.size();) {
    const std::uint8_t kind = input.byte();
    std::uint64_t entry = 0;
    switch (kind % 8) {
    case 0:
    case 1: break;
    case 2: entry = image.cluster() * (input.byte() % 8) | copied; break;
    case 3: entry = image.cluster() * (1 + input.byte() % 4); break;
    case 4: entry = image.extended_or(1); break;
    case 5: entry = std::uint64_t{1} << 62 | input.number(2); break;
    case 6: entry = copied; break;
    default: entry = input.number(8); break;
    }
    std::uint64_t second = 0;
    if (image.rules.extended && kind >= 64) {
      const std::uint64_t data = input.number(kind >= 192 ? 4 : 1);
      second = data | (input.number(kind >= 192 ? 4 : 1) & ~data) << 32;
      if (kind == 255) second = input.number(8);
    }
    for (std::uint64_t repeat = 1 + input.byte() % 64; repeat > 0 && at + image.entry_bytes() <= image.file.size();
         --repeat) {
      put_word(image.file, at, entry);
      if (image.rules.extended) put_word(image.file, at + 8, second);
      at += image.entry_bytes();
    }
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  Image image;
  const std::uint8_t flags = input.byte();
  image.rules.extended = (flags & 1) != 0;
  image.rules.external = (flags & 2) != 0;
  image.rules.version = (flags & 4) != 0 && !image.rules.extended && !image.rules.external ? 2 : 3;
  image.rules.cluster_bits = image.rules.extended ? 14 : 9 + (flags >> 4) % 3;
  const ClusterClass wanted = (flags & 8) != 0 ? ClusterClass::data : ClusterClass::allocated;
  image.l1.resize(1 + input.byte() % (image.rules.extended ? 2 : 6));
  for (double& entry : image.l1) {
    const std::uint8_t kind = input.byte();
    entry = kind < 200   ? static_cast<double>(kind % 5 * image.cluster())
            : kind < 230 ? static_cast<double>(input.number(2))
                         : input.any_double();
  }
  ByteWindow window;
  const std::uint64_t disk = image.l1.size() * image.per_table() * image.cluster();
  window.end = input.flag() ? disk : input.below(disk + 1);
  window.start = input.flag() ? 0 : input.below(window.end + 1);
  window.max_ranges = input.flag() ? kAllRanges : 1 + input.byte() % 16;
  const std::uint64_t claimed = input.number(2);
  draw_tables(input, image);
  image.rules.file_bytes = (flags & 128) != 0 ? claimed : image.file.size();

  const oracle::MemoryFile file(image.file);
  const ClusterTables tables{file.fd(),           image.rules.cluster_bits, image.rules.extended,
                             image.rules.version, image.rules.external,     image.l1.data(),
                             image.l1.size(),     image.rules.file_bytes};
  RangePage page;
  const Status status = scan_clusters(tables, wanted, window, {}, page);
  const std::uint64_t parts = image.rules.extended ? 32 : 1;
  const auto unit_of = [&](std::uint64_t part) {
    const Says says = image.says(part / parts, static_cast<unsigned>(part % parts));
    if (says == Says::corrupt) return Unit::bad;
    return says == Says::data || (says == Says::zeros && wanted == ClusterClass::allocated) ? Unit::in : Unit::out;
  };
  const std::uint64_t unit = image.cluster() / parts;
  // A bad entry spoils its whole cluster, also where the window touches only another part of it.
  bool bad = false;
  for (std::uint64_t at = window.start / image.cluster(); at * image.cluster() < window.end; ++at) {
    bad |= unit_of(at * parts) == Unit::bad;
  }
  fuzz::check_page(unit_of, unit, window, bad, status, page);
  return 0;
}
