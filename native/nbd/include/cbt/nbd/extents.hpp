// One block status reply for one context, checked extent by extent and turned into spans of wanted bytes.
//
//   asked     |offset ..................... offset + length|
//   extents   [ dirty ][ clean ][ dirty ][ dirty             ]   only the last one may pass the end, never the export's
//   spans     [=======]         [==========================]     the caller clips, joins and counts
//
// Shorter replies than asked are allowed, an empty one or an empty extent is not: each reply makes progress.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "cbt/nbd/failure.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {

// What is looked for in a context.
enum class Wanted : std::uint8_t {
  dirty,     // qemu:dirty-bitmap:NAME - any flag set: a flag we do not know may mean dirty, more is safe
  data,      // base:allocation - not known to read as zeros
  zero,      // base:allocation - reads as zeros
  allocated, // base:allocation - not a hole; qemu:allocation-depth - some layer has it
  top,       // qemu:allocation-depth - the top layer has it
};

// Flags match when (flags & mask) == equals, or, negated, when not.
struct FlagRule {
  std::uint64_t mask = 0;
  std::uint64_t equals = 0;
  bool negated = false;
  [[nodiscard]] bool matches(std::uint64_t flags) const { return ((flags & mask) == equals) != negated; }
};

// Refuses a question that the context does not answer.
Status rule_for(std::string_view context, Wanted wanted, FlagRule& rule);

struct Extent {
  std::uint64_t length = 0;
  std::uint64_t flags = 0;
};

struct ExtentQuery {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t export_end = 0;
};

// Says which rule the extent breaks: it starts past the request, is empty, or passes the end of the export.
Status bad_extent(std::size_t index, std::uint64_t length, std::uint64_t position, const ExtentQuery& query);

// `at(i)` is extent i of `count`; `push(start, end)` takes runs of matching extents, ascending, apart, not clipped.
// `covered` becomes the end of what the reply tells about. O(count).
template <class At, class Push>
Status walk_extents(std::size_t count, At at, const ExtentQuery& query, const FlagRule& flag_rule, Push push,
                    std::uint64_t& covered) {
  if (count == 0) return protocol_violation(text("a block status reply at ", query.offset, " has no extents"));
  if (count > kMaxExtents) {
    return protocol_violation(text("a block status reply has ", count, " extents, the limit is ", kMaxExtents));
  }
  const FlagRule rule = flag_rule;
  const std::uint64_t asked_end = query.offset + query.length;
  const std::uint64_t export_end = query.export_end;
  std::uint64_t position = query.offset;
  std::uint64_t run_start = position;
  bool in_run = false;
  for (std::size_t i = 0; i < count; ++i) {
    const Extent extent = at(i);
    if (position >= asked_end || extent.length - 1 >= export_end - position) [[unlikely]] {
      return bad_extent(i, extent.length, position, query);
    }
    const bool wanted = rule.matches(extent.flags);
    if (wanted != in_run) {
      if (in_run) push(run_start, position);
      run_start = position;
      in_run = wanted;
    }
    position += extent.length;
  }
  if (in_run) push(run_start, position);
  covered = position;
  return {};
}

} // namespace cbt::nbd
