// Writes, zeroes or trims a range list, or flushes. All requests of a list may be on their way at the same time, so
// nothing is promised about their order; the first error ends the job and names its place.
#pragma once

#include <cstdint>
#include <vector>

#include "cbt/nbd/job.hpp"
#include "cbt/nbd/memory.hpp"
#include "cbt/nbd/pieces.hpp"

namespace cbt::nbd {

struct Change {
  Command command = Command::write;
  std::vector<Range> ranges; // checked but for the size of the export; none for a flush
  std::uint64_t piece_bytes = 0;
  Bytes data;                     // of a write: the ranges' bytes, one behind the other
  bool force_unit_access = false; // on stable storage before the reply
  bool keep_allocated = false;    // zero without making holes
};

class ChangeJob : public Job {
 public:
  ChangeJob(Change change, Settled settled) : Job(std::move(settled)), change_(std::move(change)) {}

  Status begin(const Lanes& lanes) override;
  void pump(Lanes& lanes) override;
  void on_reply(Request& request, Status status) override;

 private:
  Change change_;
  PieceCutter cutter_;
  std::uint64_t sent_bytes_ = 0;
  std::size_t in_flight_ = 0;
  bool flush_sent_ = false;
};

} // namespace cbt::nbd
