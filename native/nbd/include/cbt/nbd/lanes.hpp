// The lanes of one connection, as a job sees them: somewhere to send requests, and what the export is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cbt/nbd/lane.hpp"

namespace cbt::nbd {

class Lanes {
 public:
  // Whether any lane takes another request.
  [[nodiscard]] bool has_room() const { return least_busy().in_flight() < kMaxInFlight; }
  // Sends on the least busy lane. Call only with room.
  void send(std::shared_ptr<Job> job, std::unique_ptr<Request> request) {
    request->job = std::move(job);
    least_busy().send(std::move(request));
  }
  [[nodiscard]] const ExportInfo& info() const { return info_; }
  [[nodiscard]] const std::vector<std::string>& contexts() const { return contexts_; }

 private:
  friend class Connection;
  [[nodiscard]] Lane& least_busy() const;

  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::string> contexts_;
  ExportInfo info_;
};

} // namespace cbt::nbd
