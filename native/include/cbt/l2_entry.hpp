// One entry of a qcow2 L2 table, and what it says; docs/interop/qcow2.txt, "Cluster mapping" and "Extended L2
// Entries".
#pragma once

#include <cstdint>

namespace cbt {

// What is wrong with an entry.
enum class L2Fault : std::uint8_t {
  none,
  reserved_bits,
  zero_in_version_2,
  zero_with_subclusters,
  unaligned,             // host offset within a cluster
  past_end,              // host cluster at or past the end of the file
  not_guest_offset,      // in an external data file every cluster lies where the guest sees it
  data_and_zeros,        // a subcluster says both
  data_without_host,     // a subcluster has data, the cluster has no place
  compressed_outside,    // compressed cluster in an image with an external data file
  compressed_subclusters // compressed cluster with subclusters
};

// Bit n of `data` and `allocated`: subcluster n. Without subclusters all 32 bits are the same.
struct L2Meaning {
  L2Fault fault = L2Fault::none;
  std::uint32_t data = 0;      // holds data
  std::uint32_t allocated = 0; // holds data or explicit zeros
};

struct L2Rules {
  std::uint64_t cluster_bytes = 0;
  bool extended = false;
  std::uint32_t version = 3;
  bool external_data = false;
  std::uint64_t file_bytes = 0;
};

inline constexpr std::uint64_t kL2Copied = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kL2Compressed = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kL2Zero = 1;
inline constexpr std::uint64_t kL2Offset = 0x00fffffffffffe00;
inline constexpr std::uint64_t kL2Reserved = 0x3f000000000001fe;

// `subclusters` is the second word of an extended entry, else 0; `guest_bytes` is where the guest sees the
// cluster.
inline L2Meaning read_l2_entry(const L2Rules& rules, std::uint64_t entry, std::uint64_t subclusters,
                               std::uint64_t guest_bytes) {
  constexpr std::uint32_t all = 0xffffffff;
  if ((entry & kL2Compressed) != 0) {
    if (rules.external_data) return {L2Fault::compressed_outside};
    if (subclusters != 0) return {L2Fault::compressed_subclusters};
    return {L2Fault::none, all, all};
  }
  if ((entry & kL2Reserved) != 0) return {L2Fault::reserved_bits};
  const bool zero = (entry & kL2Zero) != 0;
  if (zero && rules.version < 3) return {L2Fault::zero_in_version_2};
  if (zero && rules.extended) return {L2Fault::zero_with_subclusters};
  const std::uint64_t offset = entry & kL2Offset;
  if ((offset & (rules.cluster_bytes - 1)) != 0) return {L2Fault::unaligned};
  // Offset 0 is the image's own header, so it means "none"; in a data file it is a cluster like any other,
  // and the copied flag tells the two apart.
  const bool has_host = offset != 0 || (rules.external_data && (entry & kL2Copied) != 0 && !zero);
  if (has_host && rules.external_data) {
    if (offset != guest_bytes) return {L2Fault::not_guest_offset};
  } else if (has_host && offset >= rules.file_bytes) {
    return {L2Fault::past_end};
  }
  if (!rules.extended) {
    if (zero) return {L2Fault::none, 0, all};
    return has_host ? L2Meaning{L2Fault::none, all, all} : L2Meaning{};
  }
  const auto stored = static_cast<std::uint32_t>(subclusters);
  const auto zeros = static_cast<std::uint32_t>(subclusters >> 32);
  if ((stored & zeros) != 0) return {L2Fault::data_and_zeros};
  if (!has_host && stored != 0) return {L2Fault::data_without_host};
  return {L2Fault::none, stored, stored | zeros};
}

} // namespace cbt
