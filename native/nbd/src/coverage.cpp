#include "cbt/nbd/coverage.hpp"

#include "cbt/nbd/failure.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {

Status Coverage::add(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  const auto place = [&] { return text(length, " bytes at ", offset); };
  if (length == 0 || end < offset) return protocol_violation(text("an empty piece of data at ", offset));
  if (offset < front_) return protocol_violation(text(place(), " were sent twice"));
  if (end > end_) return protocol_violation(text(place(), " were not asked for"));
  const auto after = islands_.lower_bound(offset);
  if (after != islands_.end() && after->first < end) return protocol_violation(text(place(), " were sent twice"));
  if (after != islands_.begin() && std::prev(after)->second > offset) {
    return protocol_violation(text(place(), " were sent twice"));
  }
  if (offset == front_) {
    front_ = end;
    for (auto next = islands_.begin(); next != islands_.end() && next->first == front_; next = islands_.erase(next)) {
      front_ = next->second;
    }
    return {};
  }
  if (after != islands_.begin() && std::prev(after)->second == offset) {
    std::prev(after)->second = end;
  } else {
    islands_.emplace(offset, end);
  }
  if (islands_.size() > kMaxFragments) {
    return protocol_violation(text("a read came in more than ", kMaxFragments, " pieces out of order"));
  }
  return {};
}

} // namespace cbt::nbd
