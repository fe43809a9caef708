// See map_job.hpp.
#include "cbt/nbd/map_job.hpp"

#include <libnbd.h>

#include <algorithm>

#include "cbt/nbd/lanes.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {
namespace {

// As many stripes at a time hide the way to a server far away; a local one works on one at a time anyhow.
constexpr std::uint64_t kMostStripes = 4;
// A stripe ahead of its turn is not asked further once it keeps this many spans.
constexpr std::size_t kMostSpansKept = std::size_t{1} << 20;

std::uint64_t align_down(std::uint64_t value, std::uint64_t unit) {
  return value - value % unit;
}

} // namespace

MapJob::MapJob(MapQuery query, Settled settled)
    : Job(std::move(settled)), query_(std::move(query)), builder_(query_.window, page_) {}

Status MapJob::begin(const Lanes& lanes) {
  const ExportInfo& info = lanes.info();
  CBT_TRY(rule_for(query_.context, query_.wanted, rule_));
  const auto& contexts = lanes.contexts();
  if (std::find(contexts.begin(), contexts.end(), query_.context) == contexts.end()) {
    return Status(Code::invalid_argument, text("the context \"", query_.context, "\" was not asked for on connecting"))
        .with("context", query_.context);
  }
  if (query_.window.end > info.size) {
    return invalid_argument("endBytes", static_cast<double>(query_.window.end),
                            text("at most ", info.size, ", the size of the export"));
  }
  export_end_ = info.size;
  min_block_ = info.min_block;
  stripe_bytes_ = info.extended_headers ? kLongStripe : kStripe;
  next_start_ = align_down(query_.window.start, info.min_block);
  end_ = std::min(info.size, align_down(query_.window.end + info.min_block - 1, info.min_block));
  if (query_.window.start == query_.window.end) {
    settle({});
    return {};
  }
  const std::uint64_t most = (query_.window.end - query_.window.start) / cbt::kMinGranularity + 2;
  page_.ranges.expect_at_most(2 * std::min(most, query_.window.max_ranges));
  return {};
}

// Stripes ahead are a bet that the page does not end before them: their number doubles while it is won, and, where the
// page has a limit, what the stripes so far held says how many more will fit.
bool MapJob::may_look_further() const {
  if (next_start_ >= end_) return false;
  if (stripes_.empty()) return true;
  if (stripes_.size() >= std::min(kMostStripes, stripes_done_ + 1)) return false;
  if (query_.window.max_ranges == kAllRanges) return true;
  const std::uint64_t each = range_count() / stripes_done_ + 1;
  return range_count() + each * stripes_.size() < query_.window.max_ranges;
}

void MapJob::ask(Lanes& lanes, std::size_t index) {
  Stripe& stripe = stripes_[index];
  stripe.asked = true;
  auto request = std::make_unique<Request>();
  request->command = Command::block_status;
  request->offset = align_down(stripe.cursor, min_block_);
  request->length = stripe.end - request->offset;
  request->context = &query_.context;
  request->tag = first_tag_ + index;
  lanes.send(shared_from_this(), std::move(request));
}

void MapJob::pump(Lanes& lanes) {
  for (std::size_t i = 0; i < stripes_.size() && lanes.has_room(); ++i) {
    if (stripes_[i].asked || stripes_[i].cursor >= stripes_[i].end) continue;
    if (i == 0 || stripes_[i].kept.size() < kMostSpansKept) ask(lanes, i);
  }
  while (lanes.has_room() && may_look_further()) {
    const std::uint64_t end = std::min(end_, align_down(next_start_, stripe_bytes_) + stripe_bytes_);
    stripes_.push_back({next_start_, end, false, {}});
    next_start_ = end;
    ask(lanes, stripes_.size() - 1);
  }
}

// The first stripe goes straight into the page; others keep what they are told until their turn comes.
Status MapJob::on_extents(Request& request, const ExtentReply& reply) {
  const std::size_t index = request.tag - first_tag_;
  Stripe& stripe = stripes_[index];
  // A reply that ended inside a block had to be asked again from the block's start.
  const std::uint64_t told = stripe.cursor;
  const auto into_page = [&](std::uint64_t start, std::uint64_t end) {
    if (end > told && !page_full_) page_full_ = !builder_.push(std::max(start, told), end);
  };
  const auto keep = [&](std::uint64_t start, std::uint64_t end) {
    if (end > told) stripe.kept.push_back({std::max(start, told), end});
  };
  CBT_TRY(index == 0 ? walk(request, reply, into_page) : walk(request, reply, keep));
  if (request.covered > told) return {};
  return protocol_violation(text("a block status reply ends at ", request.covered, ", which was told before"));
}

template <class Push>
Status MapJob::walk(Request& request, const ExtentReply& reply, Push push) {
  const ExtentQuery query{request.offset, request.length, export_end_};
#ifdef LIBNBD_HAVE_NBD_AIO_BLOCK_STATUS_64
  const auto* const wide = static_cast<const nbd_extent*>(reply.wide);
  const auto at = [wide](std::size_t i) { return Extent{wide[i].length, wide[i].flags}; };
#else
  const std::uint32_t* const narrow = reply.narrow;
  const auto at = [narrow](std::size_t i) { return Extent{narrow[2 * i], narrow[2 * i + 1]}; };
#endif
  return walk_extents(reply.count, at, query, rule_, push, request.covered);
}

void MapJob::on_reply(Request& request, Status status) {
  if (!status.is_ok()) {
    settle(std::move(status));
    return;
  }
  Stripe& stripe = stripes_[request.tag - first_tag_];
  stripe.asked = false;
  stripe.cursor = std::min(request.covered, stripe.end);
  advance();
}

// Goes on with the next stripe for as long as the first one is told whole.
void MapJob::advance() {
  while (!page_full_ && !stripes_.empty() && stripes_.front().cursor >= stripes_.front().end) {
    stripes_.pop_front();
    ++first_tag_;
    ++stripes_done_;
    if (stripes_.empty()) break;
    for (const Span& span : stripes_.front().kept) {
      if (page_full_) break;
      page_full_ = !builder_.push(span.start, span.end);
    }
    stripes_.front().kept = {};
  }
  if (page_full_ || (stripes_.empty() && next_start_ >= end_)) settle(builder_.finish());
}

} // namespace cbt::nbd
