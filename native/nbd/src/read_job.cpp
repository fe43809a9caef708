#include "cbt/nbd/read_job.hpp"

#include <cstring>
#include <new>

#include "cbt/nbd/lanes.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {

std::unique_ptr<Request> read_request(const Range& piece, const ExportInfo& info, std::uint8_t* target) {
  auto request = std::make_unique<Request>();
  request->command = Command::read;
  request->offset = piece.offset - piece.offset % info.min_block;
  const std::uint64_t end = piece.offset + piece.length;
  request->length = (end + info.min_block - 1) / info.min_block * info.min_block - request->offset;
  request->data = target;
  if (request->length != piece.length) {
    request->bounce.reset(new (std::nothrow) std::uint8_t[request->length]);
    if (request->bounce == nullptr) return nullptr;
    request->data = request->bounce.get();
  }
  return request;
}

void finish_read(const Request& request, const Range& piece, std::uint8_t* target) {
  if (request.bounce == nullptr) return;
  std::memcpy(target, request.bounce.get() + (piece.offset - request.offset), piece.length);
}

Status ReadJob::begin(const Lanes& lanes) {
  const ExportInfo& info = lanes.info();
  CBT_TRY(check_inside(ranges_, info));
  if (total_bytes(ranges_) != target_.length) return {Code::internal, "a read into memory of another size"};
  cutter_ = PieceCutter(&ranges_, fit_piece(piece_bytes_, info));
  if (cutter_.is_done()) settle({});
  return {};
}

void ReadJob::pump(Lanes& lanes) {
  while (!cutter_.is_done() && lanes.has_room()) {
    const Range piece = cutter_.next();
    std::uint8_t* const target = target_.data + asked_bytes_;
    auto request = read_request(piece, lanes.info(), target);
    if (request == nullptr) {
      settle(Status(Code::backend_unavailable, text("no memory for a read of ", piece.length, " bytes"))
                 .with("errno", "ENOMEM"));
      return;
    }
    asked_bytes_ += piece.length;
    if (free_tags_.empty()) {
      free_tags_.push_back(waiting_.size());
      waiting_.emplace_back();
    }
    request->tag = free_tags_.back();
    free_tags_.pop_back();
    waiting_[request->tag] = {piece, target};
    ++in_flight_;
    lanes.send(shared_from_this(), std::move(request));
  }
}

void ReadJob::on_reply(Request& request, Status status) {
  --in_flight_;
  if (!status.is_ok()) {
    settle(std::move(status));
    return;
  }
  const Waiting& waiting = waiting_[request.tag];
  finish_read(request, waiting.piece, waiting.target);
  free_tags_.push_back(request.tag);
  if (in_flight_ == 0 && cutter_.is_done()) settle({});
}

} // namespace cbt::nbd
