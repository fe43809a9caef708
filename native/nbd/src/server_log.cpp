#include "cbt/nbd/server_log.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace cbt::nbd {
namespace {

constexpr std::size_t kHead = 64;    // the line with the process id is in it
constexpr std::size_t kWords = 2000; // of the server that are shown

// $1 is the file. Without it the server starts all the same; after a redirection of `:` that fails a shell would end.
constexpr const char* kScript = "log=$1; shift; { true >>\"$log\"; } 2>/dev/null && exec 2>>\"$log\" && echo $$ >&2; "
                                "exec \"$@\" </dev/null >&2";

/// In a PID namespace with another one's /proc our number is somebody else's there, and so are the files below it.
bool proc_is_ours() {
  char link[16];
  const ssize_t length = readlink("/proc/self", link, sizeof link);
  return length > 0 && std::string(link, static_cast<std::size_t>(length)) == std::to_string(getpid());
}

} // namespace

std::unique_ptr<ServerLog> ServerLog::create() {
  if (!proc_is_ours()) return nullptr;
  const int descriptor = memfd_create("nbd-server-stderr", MFD_CLOEXEC);
  if (descriptor == -1) return nullptr;
  return std::unique_ptr<ServerLog>(new ServerLog(descriptor));
}

ServerLog::~ServerLog() {
  ::close(descriptor_);
}

std::vector<std::string> ServerLog::wrap(const std::vector<std::string>& arguments) const {
  std::vector<std::string> line{"/bin/sh", "-c", kScript, "sh",
                                "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(descriptor_)};
  line.insert(line.end(), arguments.begin(), arguments.end());
  return line;
}

std::string ServerLog::contents() const {
  struct stat info {};
  if (fstat(descriptor_, &info) != 0 || info.st_size <= 0) return {};
  const auto size = static_cast<std::size_t>(info.st_size);
  const auto read_at = [&](std::size_t from, std::size_t length) {
    std::string part(length, '\0');
    const ssize_t got = pread(descriptor_, part.data(), length, static_cast<off_t>(from));
    part.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return part;
  };
  std::string head = read_at(0, std::min(size, kHead + kWords));
  if (size <= head.size()) return head;
  head.resize(std::min(head.size(), kHead));
  return head + "\n" + read_at(size - kWords, kWords);
}

pid_t ServerLog::process() const {
  const std::string all = contents();
  pid_t id = 0;
  const auto result = std::from_chars(all.data(), all.data() + all.size(), id);
  return result.ec == std::errc() && id > 1 ? id : -1;
}

std::string ServerLog::text() const {
  const std::string all = contents();
  const std::size_t line_end = all.find('\n');
  if (line_end == std::string::npos) return {};
  std::string words = all.substr(line_end + 1);
  while (!words.empty() && words.back() == '\n') words.pop_back();
  return words;
}

bool ServerLog::wait_for_exit(std::chrono::milliseconds limit) const {
  const pid_t id = process();
  if (id < 0) return false;
  const int watch = static_cast<int>(syscall(SYS_pidfd_open, id, 0));
  if (watch == -1) return false;
  pollfd entry{watch, POLLIN, 0};
  const int ready = poll(&entry, 1, static_cast<int>(limit.count()));
  ::close(watch);
  return ready == 1;
}

} // namespace cbt::nbd
