// The same questions answered the slow way: one array element per granule or byte, no word tricks, nothing shared with
// the code under test. Used by the unit tests and by the fuzzers.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ostream>
#include <vector>

#include "cbt/arguments.hpp"
#include "cbt/bit_ops.hpp"
#include "cbt/range_buffer.hpp"

namespace oracle {

struct Range {
  std::uint64_t offset;
  std::uint64_t length;
  bool operator==(const Range&) const = default;
};
using Ranges = std::vector<Range>;

struct Page {
  Ranges ranges;
  std::uint64_t next_bytes = 0;
  bool operator==(const Page&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Page& page) {
  out << "{";
  for (std::size_t i = 0; i < page.ranges.size() && i < 12; ++i) {
    out << page.ranges[i].offset << "+" << page.ranges[i].length << " ";
  }
  return out << "(" << page.ranges.size() << " ranges) next " << page.next_bytes << "}";
}

inline Page read(const cbt::RangePage& page) {
  Page result;
  result.next_bytes = page.next_bytes;
  for (std::size_t i = 0; i + 1 < page.ranges.size(); i += 2) {
    result.ranges.push_back(
        {static_cast<std::uint64_t>(page.ranges.data()[i]), static_cast<std::uint64_t>(page.ranges.data()[i + 1])});
  }
  return result;
}

// A page of all the ranges of a set: the first that do not fit decide where it ends.
inline Page page_of(const Ranges& all, const cbt::ByteWindow& window) {
  Page page;
  page.next_bytes = window.end;
  for (const Range& range : all) {
    if (page.ranges.size() == window.max_ranges) {
      page.next_bytes = range.offset;
      break;
    }
    page.ranges.push_back(range);
  }
  return page;
}

// The ranges of a set that `holds` tells unit by unit, clipped to the window. A unit is `unit` bytes.
template <class Holds>
Ranges ranges_of(const Holds& holds, std::uint64_t unit, const cbt::ByteWindow& window) {
  Ranges ranges;
  if (window.start == window.end) return ranges;
  for (std::uint64_t at = window.start / unit * unit; at < window.end; at += unit) {
    if (!holds(at / unit)) continue;
    const std::uint64_t start = std::max(at, window.start);
    const std::uint64_t end = std::min(at + unit, window.end);
    if (!ranges.empty() && ranges.back().offset + ranges.back().length == start) {
      ranges.back().length += end - start;
    } else {
      ranges.push_back({start, end - start});
    }
  }
  return ranges;
}

inline std::uint64_t bytes_in(const Ranges& ranges) {
  std::uint64_t sum = 0;
  for (const Range& range : ranges) sum += range.length;
  return sum;
}

inline bool bit_at(const std::vector<std::uint8_t>& bytes, std::uint64_t bit) {
  return bit / 8 < bytes.size() && (bytes[bit / 8] >> (bit % 8) & 1) != 0;
}

// Every way to run the inner loops on this machine.
inline std::vector<const cbt::BitOps*> all_bit_ops() {
  std::vector<const cbt::BitOps*> all = {&cbt::portable_bit_ops()};
  if (cbt::avx2_bit_ops() != nullptr) all.push_back(cbt::avx2_bit_ops());
  return all;
}

// A file without a name, in memory.
class MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("cbt-test", MFD_CLOEXEC)) {
    if (fd_ < 0) std::abort();
  }
  explicit MemoryFile(const std::vector<std::uint8_t>& bytes) : MemoryFile() { put(0, bytes.data(), bytes.size()); }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  void put(std::uint64_t offset, const void* bytes, std::size_t count) {
    if (count == 0) return;
    if (pwrite(fd_, bytes, count, static_cast<off_t>(offset)) != static_cast<ssize_t>(count)) std::abort();
    size_ = std::max(size_, offset + count);
  }
  // Appends at the next multiple of `alignment` past it; answers where.
  std::uint64_t append(const std::vector<std::uint8_t>& bytes, std::uint64_t alignment = 512) {
    const std::uint64_t at = std::max(alignment, (size_ + alignment - 1) / alignment * alignment);
    put(at, bytes.data(), bytes.size());
    return at;
  }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  const int fd_;
  std::uint64_t size_ = 0;
};

} // namespace oracle
