// One page of what a context says: block status over a window, straight into ranges. Several stripes of the window are
// asked at a time; each has its own cursor, because every reply may be shorter than asked.
//
//   window   |start . . . . . . . . . . . . . . . . . . . . . . . . . . end|
//   stripes  [ told | asked again.. ][ kept    ][ asked     ]  not yet
//   ranges   ^ into the page         ^ wait for their turn
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "cbt/nbd/extents.hpp"
#include "cbt/nbd/job.hpp"
#include "cbt/page_builder.hpp"

namespace cbt::nbd {

struct MapQuery {
  std::string context;
  Wanted wanted = Wanted::dirty;
  ByteWindow window;
};

class MapJob : public Job {
 public:
  MapJob(MapQuery query, Settled settled);

  Status begin(const Lanes& lanes) override;
  void pump(Lanes& lanes) override;
  void on_reply(Request& request, Status status) override;
  Status on_extents(Request& request, const ExtentReply& reply) override;

  // The answer, once settled well.
  [[nodiscard]] RangePage& page() { return page_; }

 private:
  struct Span {
    std::uint64_t start;
    std::uint64_t end;
  };
  struct Stripe {
    std::uint64_t cursor; // told up to here
    std::uint64_t end;
    bool asked = false;
    std::vector<Span> kept;
  };
  [[nodiscard]] bool may_look_further() const;
  [[nodiscard]] std::uint64_t range_count() const { return page_.ranges.size() / 2; }
  template <class Push>
  Status walk(Request& request, const ExtentReply& reply, Push push);
  void ask(Lanes& lanes, std::size_t index);
  void advance();

  MapQuery query_;
  FlagRule rule_;
  RangePage page_;
  PageBuilder builder_;
  bool page_full_ = false;
  std::deque<Stripe> stripes_;
  std::uint64_t first_tag_ = 0;  // tag of the front stripe
  std::uint64_t next_start_ = 0; // where the next stripe starts
  std::uint64_t end_ = 0;        // of the window, widened to whole blocks
  std::uint64_t stripe_bytes_ = 0;
  std::uint64_t export_end_ = 0;
  std::uint64_t min_block_ = 1;
  std::uint64_t stripes_done_ = 0;
};

} // namespace cbt::nbd
