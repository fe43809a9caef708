// What a server that libnbd starts says on its stderr, and its process id: libnbd tells neither. A shell of one line
// stands before the server, writes its own id, which stays when it becomes the server, into a file in memory, and sends
// stderr there too.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace cbt::nbd {

class ServerLog {
 public:
  // Null when there is no memory file to be had; the server then starts without.
  static std::unique_ptr<ServerLog> create();
  ServerLog(const ServerLog&) = delete;
  ServerLog& operator=(const ServerLog&) = delete;
  ~ServerLog();

  // The command line that starts `arguments` with its words going here. Arguments stay arguments: no shell reads them.
  [[nodiscard]] std::vector<std::string> wrap(const std::vector<std::string>& arguments) const;

  // The server's last words, at most 2000 bytes; empty when it said nothing.
  [[nodiscard]] std::string text() const;

  // Waits until the process has ended; false when it still runs. libnbd reaps it at the end, so the id stays its own.
  [[nodiscard]] bool wait_for_exit(std::chrono::milliseconds limit) const;

 private:
  explicit ServerLog(int descriptor) : descriptor_(descriptor) {}
  [[nodiscard]] std::string contents() const;
  [[nodiscard]] pid_t process() const;

  const int descriptor_;
};

} // namespace cbt::nbd
