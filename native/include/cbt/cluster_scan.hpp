// Which clusters of a qcow2 layer hold what, from its L1 and L2 tables (docs/interop/qcow2.txt, "Cluster
// mapping").
#pragma once

#include <cstddef>
#include <cstdint>

#include "cbt/arguments.hpp"
#include "cbt/cancel.hpp"
#include "cbt/range_buffer.hpp"
#include "cbt/status.hpp"

namespace cbt {

struct ClusterTables {
  int fd = -1;
  std::uint32_t cluster_bits = 0;
  bool extended_l2 = false;   // 16-byte entries with 32 subclusters each
  std::uint32_t version = 3;  // 2 has no zero flag
  bool external_data = false; // guest clusters live in a file of their own
  const double* l1 = nullptr; // byte offset of each L2 table, 0 for none
  std::size_t l1_entries = 0;
  std::uint64_t file_bytes = 0;
};

enum class ClusterClass : std::uint8_t {
  data,      // holds data of its own
  allocated, // holds data or explicit zeros
};

// Checks these numbers against the flags that `tables` has already, and puts them there.
Status check_tables(double cluster_bits, double version, double file_bytes, ClusterTables& tables);

// How many L1 entries the window needs.
[[nodiscard]] std::uint64_t needed_tables(const ClusterTables& tables, const ByteWindow& window);

// Ranges of the window whose clusters are of the class. An L1 table that ends before the window does is
// refused: nothing is known about clusters it does not name. O(L2 entries); memory is one read window.
Status scan_clusters(const ClusterTables& tables, ClusterClass wanted, const ByteWindow& window,
                     const CancelToken& cancel, RangePage& page);

} // namespace cbt
