// One libnbd handle: connecting it, sending requests, hearing replies. libnbd's callbacks run while it holds its own
// lock, so they only write into the request; finished requests queue up and are handed out afterwards.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cbt/nbd/job.hpp"
#include "cbt/nbd/server_log.hpp"
#include "cbt/nbd/target.hpp"

struct nbd_handle;

namespace cbt::nbd {

using Clock = std::chrono::steady_clock;
// For poll: rounded up, at most a minute.
int milliseconds_until(Clock::time_point moment);

// What the export is and can do, the same on every lane.
struct ExportInfo {
  std::uint64_t size = 0;
  std::uint64_t min_block = 1; // requests are multiples of it
  std::uint64_t preferred_block = 4096;
  std::uint64_t max_payload = 0;
  bool read_only = false;
  bool can_flush = false;
  bool can_fua = false;
  bool can_trim = false;
  bool can_zero = false;
  bool can_multi_conn = false;
  bool structured_replies = false;
  bool extended_headers = false;
  bool tls = false;
  std::string uri; // by which others reach it; empty where nobody can
  bool operator==(const ExportInfo&) const = default;
};

class Lane {
 public:
  Lane() = default;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane(); // closes without waiting for anything but a server of ours, which it ends

  // Starts to connect; then poll and `notify` until it is ready.
  Status start(const Target& target);
  [[nodiscard]] bool is_ready() const;
  // Whether the server can still be asked and heard, at rest or in the middle of a request or reply.
  [[nodiscard]] bool is_talking() const;

  // Reads what the server offers; refuses a size we cannot name, and contexts that are not there.
  Status inspect(const Target& target, ExportInfo& info);

  // For poll.
  [[nodiscard]] int descriptor() const;
  [[nodiscard]] short events() const;
  // Lets libnbd work; the failure of the connection when it ended.
  Status notify(short revents);

  // Hands the request to libnbd, which owns it until it shows up in `take_done`.
  void send(std::unique_ptr<Request> request);
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  // When the server last answered a request, or got one after a pause.
  [[nodiscard]] Clock::time_point last_progress() const { return last_progress_; }

  // The next finished request, or null.
  std::unique_ptr<Request> take_done();

  // Says goodbye, if the connection is in order; poll and notify until `is_over`.
  void disconnect();
  [[nodiscard]] bool is_over() const;

  // Words of a server that libnbd started, and its process.
  [[nodiscard]] ServerLog* server_log() { return log_.get(); }
  void signal_server(int signal);

 private:
  struct Callbacks;
  Status configure(const Target& target);
  Status connect(const Target& target);
  void finished(Request* request);

  nbd_handle* handle_ = nullptr;
  std::string name_;
  std::unique_ptr<ServerLog> log_;
  std::size_t in_flight_ = 0;
  bool read_only_ = false; // nobody can have changed what the server serves: others reach it without us
  Clock::time_point last_progress_;
  Request* first_done_ = nullptr;
  Request** last_done_ = &first_done_;
};

} // namespace cbt::nbd
