// One piece of work on a connection: a map, a read, a stream, a change. Everything in a job happens on the connection's
// thread; it asks the lanes for requests as far as there is room, gets the replies, and settles once.
//
// NBD cannot take a request back. A job that is cancelled settles at once, and stays alive, with the memory its
// requests point to, until the last of them is answered or the connection ends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "cbt/nbd/coverage.hpp"
#include "cbt/nbd/extents.hpp"
#include "cbt/status.hpp"

namespace cbt::nbd {

class Job;
class Lane;
class Lanes;

enum class Command : std::uint8_t { read, write, zero, trim, flush, block_status };
[[nodiscard]] const char* command_name(Command command);

// One command on the wire. Lives from `Lanes::send` until its job has seen the reply.
struct Request {
  Command command = Command::read;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint32_t flags = 0;                // LIBNBD_CMD_FLAG_*
  void* data = nullptr;                   // read into, or written from; the job keeps it
  const std::string* context = nullptr;   // block status: the one context that is looked at
  std::uint64_t tag = 0;                  // the job's own
  std::unique_ptr<std::uint8_t[]> bounce; // memory of the request itself, where `data` points into it

  // What came of it.
  std::uint64_t covered = 0; // block status: the end of what the reply told about
  Coverage coverage;
  Status violation;
  int error = 0;
  bool answered = false; // block status: the context's chunk was there
  bool completed = false;

  std::shared_ptr<Job> job;
  Lane* lane = nullptr;
  Request* next_done = nullptr;
};

// The extents of one reply, 32 or 64 bits wide on the wire.
struct ExtentReply {
  const std::uint32_t* narrow = nullptr; // length, flags, length, flags, …
  const void* wide = nullptr;            // nbd_extent, where libnbd has it
  std::size_t count = 0;
};

class Job : public std::enable_shared_from_this<Job> {
 public:
  using Settled = std::function<void(Job&)>;

  explicit Job(Settled settled) : when_settled_(std::move(settled)) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job() = default;

  // Checks the question against the export; first call on the connection's thread.
  virtual Status begin(const Lanes& lanes) = 0;
  // Sends what there is room for.
  virtual void pump(Lanes& lanes) = 0;
  // A request is done; ok, or the server's error. Broken connections never get here.
  virtual void on_reply(Request& request, Status status) = 0;
  // The extents of a block status request; called inside libnbd, so it only looks and keeps.
  virtual Status on_extents(Request& request, const ExtentReply& reply);

  // Ends the job; the first call counts.
  void settle(Status status);
  [[nodiscard]] bool is_settled() const { return settled_; }
  [[nodiscard]] const Status& status() const { return status_; }

 protected:
  // For jobs with more to say than one word at the end.
  virtual void on_settled() {}

 private:
  Settled when_settled_;
  Status status_;
  bool settled_ = false;
};

} // namespace cbt::nbd
