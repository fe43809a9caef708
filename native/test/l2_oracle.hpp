// A qcow2 L2 entry read from the specification's tables (docs/interop/qcow2.txt, "Standard Cluster Descriptor" and
// "Extended L2 Entries"), field by field and subcluster by subcluster; shares nothing with the code under test.
#pragma once

#include <cstdint>

namespace oracle {

enum class Says : std::uint8_t { nothing, zeros, data, corrupt };

struct L2Image {
  std::uint32_t cluster_bits = 16;
  bool extended = false;
  std::uint32_t version = 3;
  bool external = false;
  std::uint64_t file_bytes = 0;
};

inline std::uint64_t field(std::uint64_t word, unsigned low, unsigned high) {
  std::uint64_t value = 0;
  for (unsigned bit = low; bit <= high; ++bit) value |= (word >> bit & 1) << (bit - low);
  return value;
}

// What subcluster `index` (0 without subclusters) of a cluster at `guest` is.
inline Says l2_says(const L2Image& image, std::uint64_t entry, std::uint64_t second, std::uint64_t guest,
                    unsigned index) {
  const bool copied = field(entry, 63, 63) != 0;
  if (field(entry, 62, 62) != 0) {
    const bool sane = !image.external && (!image.extended || second == 0);
    return sane ? Says::data : Says::corrupt;
  }
  if (field(entry, 1, 8) != 0 || field(entry, 56, 61) != 0) return Says::corrupt;
  const bool zero = field(entry, 0, 0) != 0;
  if (zero && (image.version == 2 || image.extended)) return Says::corrupt;
  const std::uint64_t host = field(entry, 9, 55) << 9;
  if (host % (std::uint64_t{1} << image.cluster_bits) != 0) return Says::corrupt;
  bool present = host != 0;
  if (image.external) {
    if (host == 0 && copied && !zero) present = true;
    if (present && host != guest) return Says::corrupt;
  } else if (present && host >= image.file_bytes) {
    return Says::corrupt;
  }
  if (!image.extended) return zero ? Says::zeros : present ? Says::data : Says::nothing;
  for (unsigned n = 0; n < 32; ++n) {
    if (field(second, n, n) != 0 && (field(second, 32 + n, 32 + n) != 0 || !present)) return Says::corrupt;
  }
  if (field(second, index, index) != 0) return Says::data;
  return field(second, 32 + index, 32 + index) != 0 ? Says::zeros : Says::nothing;
}

} // namespace oracle
