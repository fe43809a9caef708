#include "cbt/nbd/job.hpp"

#include <libnbd.h>

namespace cbt::nbd {

const char* command_name(Command command) {
  switch (command) {
  case Command::read: return "read";
  case Command::write: return "write";
  case Command::zero: return "zero";
  case Command::trim: return "trim";
  case Command::flush: return "flush";
  case Command::block_status: return "block status";
  }
  return "command";
}

Extent ExtentReply::at(std::size_t index) const {
#ifdef LIBNBD_HAVE_NBD_AIO_BLOCK_STATUS_64
  if (wide != nullptr) {
    const nbd_extent& extent = static_cast<const nbd_extent*>(wide)[index];
    return {extent.length, extent.flags};
  }
#endif
  return {narrow[2 * index], narrow[2 * index + 1]};
}

Status Job::on_extents(Request&, const ExtentReply&) {
  return {Code::internal, "extents for a job that asked for none"};
}

void Job::settle(Status status) {
  if (settled_) return;
  settled_ = true;
  status_ = std::move(status);
  on_settled();
  if (when_settled_) {
    const Settled tell = std::move(when_settled_);
    when_settled_ = nullptr;
    tell(*this);
  }
}

} // namespace cbt::nbd
