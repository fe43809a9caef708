// See connection.hpp.
#include "cbt/nbd/connection.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "cbt/nbd/failure.hpp"
#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd {
namespace {

using namespace std::chrono_literals;

constexpr auto kServerWords = 1s; // for one that failed to say why

Status no_memory() {
  return Status(Code::backend_unavailable, "no memory for the work on an NBD connection").with("errno", "ENOMEM");
}

} // namespace

Lane& Lanes::least_busy() const {
  const auto busy = [](const auto& a, const auto& b) { return a->in_flight() < b->in_flight(); };
  return **std::min_element(lanes_.begin(), lanes_.end(), busy);
}

Connection::Connection(Target target) : target_(std::move(target)), name_(describe(target_)) {}

Connection::~Connection() {
  if (wake_descriptor_ != -1) ::close(wake_descriptor_);
}

std::shared_ptr<Connection> Connection::open(Target target, Opened opened) {
  std::shared_ptr<Connection> self(new Connection(std::move(target)));
  self->opened_ = std::move(opened);
  self->wake_descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (self->wake_descriptor_ == -1) {
    self->end(Status(Code::backend_unavailable, text("no eventfd for an NBD connection: ", error_name(errno)))
                  .with("errno", error_name(errno)));
    return self;
  }
  self->thread_ = std::thread([self] { self->run(); });
  return self;
}

// ---- from other threads ----

bool Connection::post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (ended_) return false;
  posted_.push_back(std::move(work));
  wake();
  return true;
}

void Connection::submit(std::shared_ptr<Job> job) {
  const auto start = [this, job] {
    Status status = job->is_settled() ? Status() : job->begin(lanes_);
    if (!status.is_ok()) job->settle(std::move(status));
    if (!job->is_settled()) jobs_.push_back(job);
  };
  if (post(start)) return;
  Status why;
  {
    const std::lock_guard lock(mutex_);
    why = close_asked_ ? nbd::closed() : ending_;
  }
  job->settle(std::move(why));
}

void Connection::close(Closed closed) {
  {
    const std::lock_guard lock(mutex_);
    close_asked_ = true;
    if (!ended_) {
      when_closed_.push_back(std::move(closed));
      wake();
      return;
    }
  }
  closed({});
}

void Connection::abandon() {
  const std::lock_guard lock(mutex_);
  close_asked_ = true;
  abandoned_ = true;
  if (!ended_) wake();
}

void Connection::join() {
  if (thread_.joinable()) thread_.join();
}

bool Connection::has_ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

bool Connection::should_stop() const {
  const std::lock_guard lock(mutex_);
  return close_asked_;
}

void Connection::wake() {
  const std::uint64_t one = 1;
  // A full counter wakes as well.
  [[maybe_unused]] const ssize_t written = ::write(wake_descriptor_, &one, sizeof one);
}

// ---- on the connection's thread ----

void Connection::run() {
  Status status;
  try {
    status = open_lanes();
    if (opened_) std::exchange(opened_, nullptr)(status, lanes_.info_);
    if (status.is_ok()) status = serve();
  } catch (const std::bad_alloc&) {
    status = no_memory();
  } catch (const std::exception& error) {
    status = Status(Code::internal, error.what());
  }
  end(std::move(status));
}

Status Connection::open_lanes() {
  lanes_.contexts_ = target_.contexts;
  CBT_TRY(connect_lane());
  CBT_TRY(lanes_.lanes_[0]->inspect(target_, lanes_.info_));
  const bool one = !lanes_.info_.can_multi_conn || std::holds_alternative<CommandTarget>(target_.address);
  const std::size_t count = one ? 1 : target_.connections;
  for (std::size_t i = 1; i < count; ++i) {
    CBT_TRY(connect_lane());
    ExportInfo info;
    CBT_TRY(lanes_.lanes_[i]->inspect(target_, info));
    if (info != lanes_.info_) return protocol_violation("two connections show the export differently");
  }
  return {};
}

Status Connection::connect_lane() {
  lanes_.lanes_.push_back(std::make_unique<Lane>());
  Lane& lane = *lanes_.lanes_.back();
  const Clock::time_point limit = Clock::now() + std::chrono::milliseconds(target_.connect_timeout_ms);
  if (Status status = lane.start(target_); !status.is_ok()) return with_server_words(std::move(status), lane);
  while (!lane.is_ready()) {
    if (should_stop()) return nbd::closed();
    if (Clock::now() >= limit) {
      return with_server_words(
          Status(Code::timeout, text("no NBD connection to ", name_, " after ", target_.connect_timeout_ms, " ms"))
              .with("timeoutMs", target_.connect_timeout_ms),
          lane);
    }
    CBT_TRY(poll_lanes(milliseconds_until(limit)));
  }
  return {};
}

Status Connection::with_server_words(Status status, Lane& lane) const {
  if (lane.server_log() == nullptr) return status;
  if (status.code() != Code::timeout) static_cast<void>(lane.server_log()->wait_for_exit(kServerWords));
  const std::string words = lane.server_log()->text();
  if (words.empty()) return status;
  Status told(status.code(), text(status.message(), "; it said: ", words));
  for (const Detail& detail : status.details()) static_cast<void>(std::move(told).with(detail));
  return std::move(told).with("server", words);
}

Status Connection::serve() {
  while (!should_stop()) {
    take_posted();
    bool any = true;
    while (any) {
      for (const auto& job : jobs_) {
        if (!job->is_settled()) job->pump(lanes_);
      }
      CBT_TRY(hand_out_replies(any));
    }
    std::erase_if(jobs_, [](const auto& job) { return job->is_settled(); });
    CBT_TRY(poll_lanes(next_timeout()));
    CBT_TRY(hand_out_replies(any));
    CBT_TRY(check_progress());
  }
  return nbd::closed();
}

void Connection::take_posted() {
  std::vector<std::function<void()>> posted;
  {
    const std::lock_guard lock(mutex_);
    posted.swap(posted_);
  }
  for (const auto& work : posted) work();
}

int Connection::next_timeout() const {
  if (target_.request_timeout_ms == 0) return -1;
  int timeout = -1;
  for (const auto& lane : lanes_.lanes_) {
    if (lane->in_flight() == 0) continue;
    const int left = milliseconds_until(lane->last_progress() + std::chrono::milliseconds(target_.request_timeout_ms));
    timeout = timeout == -1 ? left : std::min(timeout, left);
  }
  return timeout;
}

Status Connection::check_progress() const {
  if (target_.request_timeout_ms == 0) return {};
  const auto limit = std::chrono::milliseconds(target_.request_timeout_ms);
  for (const auto& lane : lanes_.lanes_) {
    if (lane->in_flight() == 0 || Clock::now() - lane->last_progress() < limit) continue;
    return Status(Code::timeout,
                  text("no reply from the NBD server at ", name_, " for ", target_.request_timeout_ms, " ms"))
        .with("timeoutMs", target_.request_timeout_ms);
  }
  return {};
}

Status Connection::poll_lanes(int timeout_ms) {
  std::vector<pollfd> entries{{wake_descriptor_, POLLIN, 0}};
  for (const auto& lane : lanes_.lanes_) entries.push_back({lane->descriptor(), lane->events(), 0});
  if (::poll(entries.data(), entries.size(), timeout_ms) == -1 && errno != EINTR) {
    return Status(Code::internal, text("poll failed: ", error_name(errno)));
  }
  if ((entries[0].revents & POLLIN) != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_descriptor_, &count, sizeof count);
  }
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].revents == 0) continue;
    Lane& lane = *lanes_.lanes_[i - 1];
    if (Status status = lane.notify(entries[i].revents); !status.is_ok())
      return with_server_words(std::move(status), lane);
  }
  return {};
}

Status Connection::hand_out_replies(bool& any) {
  any = false;
  for (const auto& lane : lanes_.lanes_) {
    while (const std::unique_ptr<Request> request = lane->take_done()) {
      any = true;
      if (lane->is_over()) return connection_failure("the connection to " + name_, last_library_error());
      if (!request->violation.is_ok()) return request->violation;
      if (request->job->is_settled()) continue;
      request->job->on_reply(*request, request->error == 0
                                           ? Status()
                                           : server_error(command_name(request->command), request->offset,
                                                          request->length, request->error));
    }
  }
  return {};
}

} // namespace cbt::nbd
