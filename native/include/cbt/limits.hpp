// Every limit the native code holds itself to, with its reason. The TypeScript side has the same numbers for
// its own checks; this side never relies on that.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cbt {

// Largest byte offset a JavaScript number names exactly: 2^53 - 1 (8 PiB less one byte).
inline constexpr std::uint64_t kMaxBytes = (std::uint64_t{1} << 53) - 1;

// QEMU's limits for a dirty bitmap: granularity a power of two, 512 bytes to 2 GiB; 65535 bitmaps in an
// image.
inline constexpr std::uint64_t kMinGranularity = std::uint64_t{1} << 9;
inline constexpr std::uint64_t kMaxGranularity = std::uint64_t{1} << 31;
inline constexpr std::size_t kMaxSegments = 65535;

// Bytes of a bitmap cluster: a sector up to what a Parallels header can say (a 32-bit number of sectors).
inline constexpr std::uint64_t kMinClusterBytes = 512;
inline constexpr std::uint64_t kMaxClusterBytes = std::uint64_t{1} << 41;

// qcow2 clusters, docs/interop/qcow2.txt and QEMU's own bounds; subclusters need 2^14 (32 of at least 512
// bytes).
inline constexpr std::uint32_t kMinClusterBits = 9;
inline constexpr std::uint32_t kMaxClusterBits = 21;
inline constexpr std::uint32_t kMinExtendedClusterBits = 14;
inline constexpr std::uint32_t kSubclusters = 32;

// One answer holds at most 2^28 ranges or 4 GiB of bits; larger ones are asked for page by page.
inline constexpr std::uint64_t kMaxAnswerBytes = std::uint64_t{1} << 32;

} // namespace cbt
