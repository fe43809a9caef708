// The one growing output of a query: offset and length pairs as doubles. Small answers sit on the heap; large
// ones in an anonymous mapping whose address space is reserved for the largest possible answer, so that
// growing never copies and only touched pages cost memory. The block is handed to JavaScript as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "cbt/limits.hpp"
#include "cbt/status.hpp"

namespace cbt {

// Memory on its way out; free_block gives it back.
struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;        // that hold the answer
  std::size_t mapped_bytes = 0; // 0: from malloc
};
void free_block(const Block& block);

// Keeps the first `bytes` of a block and gives back the whole pages behind them.
void shrink_block(Block& block, std::size_t bytes);

// Zeroed memory for an answer of known size; data stays null when there is none to be had.
[[nodiscard]] Block allocate_zeroed(std::size_t bytes);

class RangeBuffer {
 public:
  RangeBuffer() = default;
  RangeBuffer(const RangeBuffer&) = delete;
  RangeBuffer& operator=(const RangeBuffer&) = delete;
  ~RangeBuffer();

  // The most values the answer can have; decides how much address space is set aside. Call before the first
  // value.
  void expect_at_most(std::uint64_t values);

  // Makes room for `more` values behind the ones there are.
  Status reserve(std::size_t more) {
    if (more <= capacity_ - size_) [[likely]]
      return {};
    return grow(more);
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t room() const { return capacity_ - size_; }
  [[nodiscard]] double* data() { return data_; }
  [[nodiscard]] const double* data() const { return data_; }
  [[nodiscard]] double* tail() { return data_ + size_; }
  void advance(std::size_t values) { size_ += values; }
  void truncate(std::size_t values) { size_ = values; }

  // Gives the memory away, shrunk to fit; the buffer is empty afterwards.
  [[nodiscard]] Block release();

 private:
  Status grow(std::size_t more);
  bool map(std::size_t least_bytes);

  double* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t mapped_bytes_ = 0;
  std::uint64_t expected_bytes_ = kMaxAnswerBytes;
};

// A complete answer for [window.start, next_bytes).
struct RangePage {
  RangeBuffer ranges;
  std::uint64_t next_bytes = 0;
};

} // namespace cbt
