// Which bytes of a read a server has sent. Chunks may come in any order, but each byte exactly once: libnbd counts
// bytes only, so a chunk sent twice would hide a missing one, and stale memory would pass for data.
//
//   asked    |================================|
//   chunks   [1111][3333333]      [2222]          front | 1    islands: 3, 2
#pragma once

#include <cstdint>
#include <map>

#include "cbt/status.hpp"

namespace cbt::nbd {

class Coverage {
 public:
  Coverage() = default;
  Coverage(std::uint64_t offset, std::uint64_t length) : front_(offset), end_(offset + length) {}

  // A chunk of [offset, offset + length). O(1) in order, O(log islands) otherwise.
  Status add(std::uint64_t offset, std::uint64_t length);

  [[nodiscard]] bool is_complete() const { return front_ == end_; }
  // Everything before it has come.
  [[nodiscard]] std::uint64_t front() const { return front_; }

 private:
  std::uint64_t front_ = 0;
  std::uint64_t end_ = 0;
  std::map<std::uint64_t, std::uint64_t> islands_; // start to end, past the front, disjoint
};

} // namespace cbt::nbd
