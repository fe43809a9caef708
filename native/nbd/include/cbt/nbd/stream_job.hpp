// Reads a range list as a stream of pieces in order of offset. What is read ahead and what is in flight together stay
// below a limit: a reader that takes its time stops the reading, not the process.
//
//   ranges   [====|====|====|====|====|====]
//   pieces    taken ready  asked ready  not yet      ready ones behind an asked one wait for it
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "cbt/nbd/job.hpp"
#include "cbt/nbd/memory.hpp"
#include "cbt/nbd/pieces.hpp"

namespace cbt::nbd {

struct StreamPiece {
  std::uint64_t offset = 0;
  MemoryPool::Held memory;
};

class StreamJob : public Job {
 public:
  // An error, or pieces; no piece means the end.
  using Taken = std::function<void(const Status&, std::vector<StreamPiece>)>;

  StreamJob(std::vector<Range> ranges, std::uint64_t piece_bytes, std::uint64_t most_queued, Settled settled);

  Status begin(const Lanes& lanes) override;
  void pump(Lanes& lanes) override;
  void on_reply(Request& request, Status status) override;

  // The next pieces as soon as there are any; one call at a time, on the connection's thread.
  void take(Taken taken);

 protected:
  void on_settled() override;

 private:
  struct Slot {
    Range piece;
    MemoryPool::Held memory;
    bool ready = false;
  };
  void deliver();

  const std::vector<Range> ranges_;
  const std::uint64_t piece_bytes_;
  const std::uint64_t most_queued_;
  PieceCutter cutter_;
  std::shared_ptr<MemoryPool> pool_;
  std::deque<Slot> slots_; // in order; the front is the next to go out
  std::uint64_t first_tag_ = 0;
  std::uint64_t queued_ = 0; // bytes in slots
  Taken taken_;
};

} // namespace cbt::nbd
