// Reads a range list, one range behind the other, into one piece of memory of the caller.
#pragma once

#include <cstdint>
#include <vector>

#include "cbt/nbd/job.hpp"
#include "cbt/nbd/memory.hpp"
#include "cbt/nbd/pieces.hpp"

namespace cbt::nbd {

// A read of `piece`, widened to whole blocks of the export; where it had to be, into memory of its own.
// `target` takes the piece itself. Null without memory.
std::unique_ptr<Request> read_request(const Range& piece, const ExportInfo& info, std::uint8_t* target);
// Moves what a widened read brought to where it belongs.
void finish_read(const Request& request, const Range& piece, std::uint8_t* target);

class ReadJob : public Job {
 public:
  // `ranges` have been checked but for the size of the export; `target` holds as many bytes as they have.
  ReadJob(std::vector<Range> ranges, std::uint64_t piece_bytes, Bytes target, Settled settled)
      : Job(std::move(settled)), ranges_(std::move(ranges)), piece_bytes_(piece_bytes), target_(std::move(target)) {}

  Status begin(const Lanes& lanes) override;
  void pump(Lanes& lanes) override;
  void on_reply(Request& request, Status status) override;

  [[nodiscard]] Bytes& target() { return target_; }

 private:
  struct Waiting {
    Range piece;
    std::uint8_t* target;
  };
  const std::vector<Range> ranges_;
  const std::uint64_t piece_bytes_;
  Bytes target_;
  PieceCutter cutter_;
  std::uint64_t asked_bytes_ = 0;
  std::vector<Waiting> waiting_; // by tag
  std::vector<std::size_t> free_tags_;
  std::size_t in_flight_ = 0;
};

} // namespace cbt::nbd
