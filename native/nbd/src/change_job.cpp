#include "cbt/nbd/change_job.hpp"

#include <libnbd.h>

#include "cbt/nbd/lanes.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {
namespace {

Status not_offered(const char* what) {
  return Status(Code::unsupported, text("the export does not offer to ", what)).with("command", what);
}

} // namespace

Status ChangeJob::begin(const Lanes& lanes) {
  const ExportInfo& info = lanes.info();
  if (change_.command == Command::flush) {
    // Without the command the server promises that writes are stable when they are answered.
    if (!info.can_flush) settle({});
    return {};
  }
  if (info.read_only)
    return Status(Code::unsupported, "the export is read-only").with("command", command_name(change_.command));
  if (change_.command == Command::zero && !info.can_zero) return not_offered("zero");
  if (change_.command == Command::trim && !info.can_trim) return not_offered("trim");
  if (change_.force_unit_access && !info.can_fua) return not_offered("force unit access");
  CBT_TRY(check_inside(change_.ranges, info));
  CBT_TRY(check_blocks(change_.ranges, info, command_name(change_.command)));
  const bool with_data = change_.command == Command::write;
  if (with_data && total_bytes(change_.ranges) != change_.data.length) {
    return {Code::internal, "a write from memory of another size"};
  }
  cutter_ = PieceCutter(&change_.ranges, with_data ? fit_piece(change_.piece_bytes, info) : kMaxEffect);
  if (cutter_.is_done()) settle({});
  return {};
}

void ChangeJob::pump(Lanes& lanes) {
  const bool flush = change_.command == Command::flush;
  while (lanes.has_room() && (flush ? !flush_sent_ : !cutter_.is_done())) {
    auto request = std::make_unique<Request>();
    request->command = change_.command;
    if (flush) {
      flush_sent_ = true;
    } else {
      const Range piece = cutter_.next();
      request->offset = piece.offset;
      request->length = piece.length;
      if (change_.command == Command::write) request->data = change_.data.data + sent_bytes_;
      sent_bytes_ += piece.length;
      if (change_.force_unit_access) request->flags |= LIBNBD_CMD_FLAG_FUA;
      if (change_.command == Command::zero && change_.keep_allocated) request->flags |= LIBNBD_CMD_FLAG_NO_HOLE;
    }
    ++in_flight_;
    lanes.send(shared_from_this(), std::move(request));
  }
}

void ChangeJob::on_reply(Request&, Status status) {
  --in_flight_;
  if (!status.is_ok()) {
    settle(std::move(status));
    return;
  }
  const bool all_sent = change_.command == Command::flush || cutter_.is_done();
  if (in_flight_ == 0 && all_sent) settle({});
}

} // namespace cbt::nbd
