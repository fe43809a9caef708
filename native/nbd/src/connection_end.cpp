// How a connection ends: with manners where somebody waits, and with nothing left that a server of ours was asked for.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "cbt/nbd/connection.hpp"
#include "cbt/nbd/failure.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {
namespace {

using namespace std::chrono_literals;

constexpr auto kGoodbye = 2s; // for the server to close its side
constexpr auto kAlone = 2s;   // for a server of ours to end when the last of its clients has left

} // namespace

// A qemu-nbd whose client goes, or that gets SIGTERM, while it sends can hang for good (7.2), and has to be killed before
// it has brought everything to safety. So what ours has been asked is taken first, for nobody.
void Connection::take_what_is_owed() {
  const auto owes = [](const auto& lane) {
    return lane->server_log() != nullptr && lane->is_talking() && (lane->in_flight() != 0 || !lane->is_ready());
  };
  const Clock::time_point limit = Clock::now() + kGoodbye;
  while (std::any_of(lanes_.lanes_.begin(), lanes_.lanes_.end(), owes) && Clock::now() < limit) {
    if (!poll_lanes(milliseconds_until(limit)).is_ok()) return;
    for (const auto& lane : lanes_.lanes_)
      while (lane->take_done() != nullptr) continue;
  }
}

Status Connection::say_goodbye() {
  take_what_is_owed();
  std::vector<Lane*> open;
  for (const auto& lane : lanes_.lanes_) {
    if (lane->in_flight() != 0 || !lane->is_ready()) continue;
    lane->disconnect();
    open.push_back(lane.get());
  }
  const Clock::time_point limit = Clock::now() + kGoodbye;
  const auto still_open = [](const Lane* lane) { return !lane->is_over(); };
  while (std::any_of(open.begin(), open.end(), still_open) && Clock::now() < limit) {
    // A failure now is the other side being gone, which is what is waited for.
    static_cast<void>(poll_lanes(milliseconds_until(limit)));
  }
  Status worst;
  for (const auto& lane : lanes_.lanes_) {
    if (lane->server_log() == nullptr) continue;
    Status ended = end_server(*lane);
    if (worst.is_ok()) worst = std::move(ended);
  }
  return worst;
}

Status Connection::end_server(Lane& lane) {
  const ServerLog& log = *lane.server_log();
  if (lane.is_over() && log.wait_for_exit(kAlone)) return {};
  // It still owes us replies, or others are connected to it: it would wait for us, or for them. SIGTERM ends it as
  // cleanly, and is nothing to one that is ending already.
  lane.signal_server(SIGTERM);
  // One that only read has nothing to bring to safety: it need not be waited
  // for when it hangs on the replies that nobody takes.
  const bool expendable = lanes_.info_.read_only;
  if (log.wait_for_exit(expendable ? kReaderExit : kServerExit)) return {};
  lane.signal_server(SIGKILL);
  if (expendable && log.wait_for_exit(kServerExit)) return {};
  return Status(Code::timeout, text(name_, " did not end and was killed"));
}

void Connection::end(Status status) {
  bool polite = false;
  {
    const std::lock_guard lock(mutex_);
    polite = close_asked_ && !abandoned_;
    ending_ = status;
  }
  for (const auto& job : jobs_) job->settle(status);
  jobs_.clear();
  Status goodbye;
  if (polite && status.code() == Code::closed) goodbye = say_goodbye();
  lanes_.lanes_.clear();
  if (opened_) std::exchange(opened_, nullptr)(status, lanes_.info_);
  // What was asked in the meantime finds no lanes and gets the reason. Only
  // then may others touch the jobs.
  std::vector<Closed> when_closed;
  for (bool done = false; !done;) {
    take_posted();
    for (const auto& job : jobs_) job->settle(status);
    jobs_.clear();
    const std::lock_guard lock(mutex_);
    done = ended_ = posted_.empty();
    if (!done) continue;
    when_closed.swap(when_closed_);
    // From here on nobody wakes us: a descriptor must not wait for a garbage
    // collector that knows nothing of it.
    if (wake_descriptor_ != -1) ::close(std::exchange(wake_descriptor_, -1));
  }
  for (const auto& closed : when_closed) closed(goodbye);
}

} // namespace cbt::nbd
