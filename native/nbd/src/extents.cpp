// Flags of the contexts: NBD protocol "base:allocation", QEMU docs/interop/nbd.txt for the others.
#include "cbt/nbd/extents.hpp"

namespace cbt::nbd {
namespace {

constexpr std::uint64_t kStateHole = 1;
constexpr std::uint64_t kStateZero = 2;
constexpr std::uint64_t kAllFlags = ~std::uint64_t{0};

constexpr std::string_view kDirtyBitmap = "qemu:dirty-bitmap:";

} // namespace

Status bad_extent(std::size_t index, std::uint64_t length, std::uint64_t position, const ExtentQuery& query) {
  const std::uint64_t asked_end = query.offset + query.length;
  if (position >= asked_end) {
    return protocol_violation(
        text("extent ", index, " starts at ", position, ", past the end of the request (", asked_end, ")"));
  }
  if (length == 0) return protocol_violation(text("extent ", index, " at ", position, " has length 0"));
  return protocol_violation(text("extent ", index, " of ", length, " bytes at ", position,
                                 " passes the end of the export (", query.export_end, ")"));
}

Status rule_for(std::string_view context, Wanted wanted, FlagRule& rule) {
  const bool allocation = context == "base:allocation";
  const bool depth = context == "qemu:allocation-depth";
  switch (wanted) {
  case Wanted::dirty:
    rule = {kAllFlags, 0, true};
    if (context.starts_with(kDirtyBitmap)) return {};
    break;
  case Wanted::data:
    rule = {kStateZero, 0, false};
    if (allocation) return {};
    break;
  case Wanted::zero:
    rule = {kStateZero, kStateZero, false};
    if (allocation) return {};
    break;
  case Wanted::allocated:
    rule = depth ? FlagRule{kAllFlags, 0, true} : FlagRule{kStateHole, 0, false};
    if (allocation || depth) return {};
    break;
  case Wanted::top:
    rule = {kAllFlags, 1, false};
    if (depth) return {};
    break;
  }
  return invalid_argument("wanted", text("asked of \"", context, "\""),
                          "dirty of qemu:dirty-bitmap:NAME; data, zero or allocated of base:allocation; allocated or "
                          "top of qemu:allocation-depth");
}

} // namespace cbt::nbd
