// The way from connection threads to JavaScript: letters, each a function, run one after the other on the thread of the
// environment. One mailbox for an environment. It keeps the process running only while somebody waits for an answer.
#pragma once

#include <node_api.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace cbt::nbd::binding {

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  using Letter = std::function<void(napi_env)>;

  // Null when Node-API refuses.
  static std::shared_ptr<Mailbox> create(napi_env env);

  // From any thread. A letter to an environment that is going down is dropped unread.
  void post(Letter letter);

  // On the environment's thread: one more, one less answer is waited for.
  void expect(napi_env env);
  void received(napi_env env);

  // On the environment's thread, when it goes down.
  void close();

 private:
  Mailbox() = default;
  static void deliver(napi_env env, napi_value, void* context, void*);

  std::mutex mutex_;
  std::deque<Letter> letters_;
  napi_threadsafe_function function_ = nullptr; // null once closed
  std::size_t expected_ = 0;                    // answers
};

} // namespace cbt::nbd::binding
