#include "cbt/nbd/stream_job.hpp"

#include <algorithm>

#include "cbt/nbd/failure.hpp"
#include "cbt/nbd/lanes.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/nbd/read_job.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {
namespace {

// One step to JavaScript and back carries many small pieces, or a few large ones.
constexpr std::size_t kMostPieces = 64;
constexpr std::uint64_t kEnoughBytes = std::uint64_t{4} << 20;
// Freed pieces that are kept for the next reads.
constexpr std::size_t kMostBytesKept = std::size_t{64} << 20;

} // namespace

StreamJob::StreamJob(std::vector<Range> ranges, std::uint64_t piece_bytes, std::uint64_t most_queued, Settled settled)
    : Job(std::move(settled)), ranges_(std::move(ranges)), piece_bytes_(piece_bytes), most_queued_(most_queued) {}

Status StreamJob::begin(const Lanes& lanes) {
  CBT_TRY(check_inside(ranges_, lanes.info()));
  const std::uint64_t piece = fit_piece(piece_bytes_, lanes.info());
  cutter_ = PieceCutter(&ranges_, piece);
  pool_ = std::make_shared<MemoryPool>(piece, kMostBytesKept);
  return {};
}

void StreamJob::pump(Lanes& lanes) {
  while (!cutter_.is_done() && lanes.has_room() && (slots_.empty() || queued_ < most_queued_)) {
    Slot slot{cutter_.next(), nullptr};
    slot.memory = pool_->take(slot.piece.length);
    std::uint8_t* const target = slot.memory == nullptr ? nullptr : slot.memory->data;
    auto request = target == nullptr ? nullptr : read_request(slot.piece, lanes.info(), target);
    if (request == nullptr) {
      settle(Status(Code::backend_unavailable, text("no memory for a read of ", slot.piece.length, " bytes"))
                 .with("errno", "ENOMEM"));
      return;
    }
    queued_ += slot.piece.length;
    request->tag = first_tag_ + slots_.size();
    slots_.push_back(std::move(slot));
    lanes.send(shared_from_this(), std::move(request));
  }
}

void StreamJob::on_reply(Request& request, Status status) {
  if (!status.is_ok()) {
    settle(std::move(status));
    return;
  }
  Slot& slot = slots_[request.tag - first_tag_];
  finish_read(request, slot.piece, slot.memory->data);
  slot.ready = true;
  deliver();
}

void StreamJob::take(Taken taken) {
  if (taken_) {
    taken({Code::invalid_argument, "the stream is being read already"}, {});
    return;
  }
  taken_ = std::move(taken);
  if (is_settled()) {
    on_settled();
  } else {
    deliver();
  }
}

void StreamJob::deliver() {
  if (!taken_) return;
  std::vector<StreamPiece> pieces;
  std::uint64_t bytes = 0;
  while (!slots_.empty() && slots_.front().ready && pieces.size() < kMostPieces && bytes < kEnoughBytes) {
    Slot& slot = slots_.front();
    bytes += slot.piece.length;
    pieces.push_back({slot.piece.offset, std::move(slot.memory)});
    slots_.pop_front();
    ++first_tag_;
  }
  queued_ -= bytes;
  if (pieces.empty()) {
    if (slots_.empty() && cutter_.is_done()) settle({});
    return;
  }
  std::exchange(taken_, nullptr)({}, std::move(pieces));
}

// A stream that failed keeps the memory its requests still point to; one that ended has none left.
void StreamJob::on_settled() {
  if (taken_) std::exchange(taken_, nullptr)(status(), {});
}

} // namespace cbt::nbd
