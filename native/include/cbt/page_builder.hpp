// Builds a page from ascending spans: clips to the window, joins spans that touch, and stops at the cap.
//
//   window    |start ....................................... end|
//   pushed  [=====]   [==][===]        [====]
//   page      [===]   [=======]        ^ the cap is 2: next_bytes is here
#pragma once

#include <algorithm>
#include <cstdint>

#include "cbt/arguments.hpp"
#include "cbt/range_buffer.hpp"

namespace cbt {

class PageBuilder {
 public:
  enum class Touching : std::uint8_t { join, keep };

  PageBuilder(const ByteWindow& window, RangePage& page, Touching touching = Touching::join)
      : window_(window), page_(page), joins_(touching == Touching::join) {
    page.next_bytes = window.end;
  }

  // Adds [start, end); starts never go back. False when the page is complete or has failed: then call finish.
  [[nodiscard]] bool push(std::uint64_t start, std::uint64_t end) {
    start = std::max(start, window_.start);
    end = std::min(end, window_.end);
    if (start >= end) return start < window_.end;
    if (open_end_ != 0 && start <= open_end_ && (joins_ || start < open_end_)) {
      open_end_ = std::max(open_end_, end);
      return true;
    }
    if (open_end_ != 0 && !flush()) return false;
    if (count_ == window_.max_ranges) {
      page_.next_bytes = start;
      return false;
    }
    open_start_ = start;
    open_end_ = end;
    return true;
  }

  // Whether a range that starts at `start`, apart from all pushed before, still fits; if not, the page is
  // complete. Spares looking for its end.
  [[nodiscard]] bool fits(std::uint64_t start) {
    if (open_end_ == 0 || count_ + 1 < window_.max_ranges) return true;
    page_.next_bytes = std::min(start, window_.end); // a subcluster may start behind a window that ends in its cluster
    return false;
  }

  Status finish() {
    if (status_.is_ok() && open_end_ != 0) static_cast<void>(flush());
    return std::move(status_);
  }

 private:
  bool flush() {
    if (page_.ranges.room() < 2) [[unlikely]] {
      status_ = page_.ranges.reserve(2);
      if (!status_.is_ok()) return false;
    }
    double* tail = page_.ranges.tail();
    tail[0] = static_cast<double>(open_start_);
    tail[1] = static_cast<double>(open_end_ - open_start_);
    page_.ranges.advance(2);
    ++count_;
    open_end_ = 0;
    return true;
  }

  const ByteWindow window_;
  RangePage& page_;
  const bool joins_;
  std::uint64_t count_ = 0;
  std::uint64_t open_start_ = 0;
  std::uint64_t open_end_ = 0; // 0: no open range; an end is never 0
  Status status_;
};

} // namespace cbt
