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
  image.l1.resize(1 + input.byte() % 6);
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
  // The tables: the input, stretched so that short inputs fill several of them.
  const std::vector<std::uint8_t> seed = input.rest();
  const std::size_t file_bytes = seed.empty() ? 0 : std::min<std::size_t>(seed.size() * 37, 5 * image.cluster());
  image.file.resize(file_bytes);
  for (std::size_t i = 0; i < file_bytes; ++i) {
    const bool beyond = i / 512 % 3 == 2; // sparse stretches too
    image.file[i] = beyond ? 0 : seed[i % seed.size()];
  }
  image.rules.file_bytes = (flags & 128) != 0 ? claimed : file_bytes;

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
