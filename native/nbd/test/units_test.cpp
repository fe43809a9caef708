// The parts that need no server: coverage of reads, extents of a reply, cutting
// ranges into requests.
#include <array>
#include <vector>

#include "cbt/nbd/coverage.hpp"
#include "cbt/nbd/extents.hpp"
#include "cbt/nbd/pieces.hpp"
#include "check.hpp"

using namespace cbt;
using namespace cbt::nbd;

namespace {

using Runs = std::vector<std::array<std::uint64_t, 2>>;

Status walk(const std::vector<Extent> &extents, const ExtentQuery &query,
            Runs &runs, std::uint64_t &covered) {
  FlagRule rule;
  CBT_TRY(rule_for("qemu:dirty-bitmap:b", Wanted::dirty, rule));
  const auto push = [&](std::uint64_t start, std::uint64_t end) {
    runs.push_back({start, end});
  };
  return walk_extents(
      extents.size(), [&](std::size_t i) { return extents[i]; }, query, rule,
      push, covered);
}

bool refused(const std::vector<Extent> &extents, const ExtentQuery &query) {
  Runs runs;
  std::uint64_t covered = 0;
  return walk(extents, query, runs, covered).code() == Code::backend_protocol;
}

} // namespace

TEST("coverage in order, out of order, twice and too much") {
  Coverage in_order(100, 30);
  CHECK(in_order.add(100, 10).is_ok() && !in_order.is_complete());
  CHECK(in_order.add(110, 20).is_ok() && in_order.is_complete());
  Coverage mixed(0, 30);
  CHECK(mixed.add(20, 10).is_ok() && mixed.add(5, 5).is_ok() &&
        mixed.add(10, 10).is_ok() && !mixed.is_complete());
  CHECK(mixed.add(0, 5).is_ok() && mixed.is_complete());
  Coverage strict(10, 20);
  CHECK(!strict.add(9, 5).is_ok());
  CHECK(!strict.add(25, 6).is_ok());
  CHECK(!strict.add(10, 0).is_ok());
  CHECK(!strict.add(~std::uint64_t{0}, 2).is_ok());
  CHECK(strict.add(20, 5).is_ok() && !strict.add(22, 1).is_ok() &&
        !strict.add(15, 6).is_ok());
}

TEST("runs of dirty extents are joined, short replies end early") {
  Runs runs;
  std::uint64_t covered = 0;
  CHECK(walk({{10, 0}, {5, 1}, {5, 7}, {10, 0}, {1, 1}}, {100, 50, 1000}, runs,
             covered)
            .is_ok());
  CHECK(covered == 131);
  CHECK((runs == Runs{{110, 120}, {130, 131}}));
}

TEST("the last extent may pass the request, none the export, none is empty") {
  Runs runs;
  std::uint64_t covered = 0;
  CHECK(walk({{80, 1}}, {0, 50, 80}, runs, covered).is_ok() && covered == 80);
  CHECK(refused({{81, 1}}, {0, 50, 80}));
  CHECK(refused({{50, 1}, {1, 0}}, {0, 50, 80}));
  CHECK(refused({{0, 1}}, {0, 50, 80}));
  CHECK(refused({}, {0, 50, 80}));
  CHECK(refused({{~std::uint64_t{0}, 1}}, {10, 50, 80}));
}

TEST("ranges are cut at multiples of the piece, and keep every byte") {
  const std::vector<Range> ranges{{5, 10}, {30, 1}, {64, 32}};
  PieceCutter cutter(&ranges, 8);
  std::uint64_t total = 0;
  while (!cutter.is_done()) {
    const Range piece = cutter.next();
    CHECK(piece.length > 0 &&
          piece.offset / 8 == (piece.offset + piece.length - 1) / 8);
    total += piece.length;
  }
  CHECK(total == total_bytes(ranges));
}

int main(int argc, char **argv) { return check::run_all(argc, argv); }
