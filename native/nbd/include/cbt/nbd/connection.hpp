// A connection to one export: a thread of its own, one or more lanes, and the jobs on them.
//
// The thread is the connection's own and not one of a shared pool, because jobs last as long as their reader wants: a
// few idle streams would take every thread of libuv's pool, which has four, from everybody else in the process. It
// sleeps in poll until a socket or a caller (through an eventfd) has something for it, so a cancelled job ends at once
// even when the server says nothing.
//
// Any failure of one lane, and any broken rule of the protocol, ends the whole connection: what comes after it could
// not be trusted.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cbt/nbd/lanes.hpp"
#include "cbt/nbd/target.hpp"

namespace cbt::nbd {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Opened = std::function<void(const Status&, const ExportInfo&)>;
  using Closed = std::function<void(const Status&)>;

  // Starts the thread, which connects and tells `opened`, once. The target has been checked.
  static std::shared_ptr<Connection> open(Target target, Opened opened);
  ~Connection();

  // Callbacks of jobs come on the connection's thread, or, when it has ended, on the caller's.
  void submit(std::shared_ptr<Job> job);
  // Runs on the connection's thread; false when that has ended.
  bool post(std::function<void()> work);

  // Ends the connection: running jobs settle as closed, the server is told, a server of ours is waited for.
  void close(Closed closed);
  // The same without manners, for when nobody waits: no goodbye, a server of ours is killed after a moment.
  void abandon();
  // After close or abandon; returns when the thread has ended.
  void join();
  // Whether join would return at once.
  [[nodiscard]] bool has_ended() const;

 private:
  explicit Connection(Target target);
  void run();
  Status open_lanes();
  Status connect_lane();
  Status serve();
  Status poll_lanes(int timeout_ms);
  Status hand_out_replies(bool& any);
  Status check_progress() const;
  void take_what_is_owed();
  Status say_goodbye();
  Status end_server(Lane& lane);
  [[nodiscard]] int next_timeout() const;
  void take_posted();
  void wake();
  void end(Status status);
  Status with_server_words(Status status, Lane& lane) const;
  [[nodiscard]] bool should_stop() const;

  const Target target_;
  const std::string name_;
  int wake_descriptor_ = -1;
  std::thread thread_;

  // The thread's own.
  Lanes lanes_;
  std::vector<std::shared_ptr<Job>> jobs_;
  Opened opened_;

  // Shared, under the mutex.
  mutable std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  std::vector<Closed> when_closed_;
  Status ending_; // why nothing more can be asked
  bool close_asked_ = false;
  bool abandoned_ = false;
  bool ended_ = false;
};

} // namespace cbt::nbd
