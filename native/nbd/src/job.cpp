#include "cbt/nbd/job.hpp"

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
