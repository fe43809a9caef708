#include "mailbox.hpp"

#include <utility>

namespace cbt::nbd::binding {

std::shared_ptr<Mailbox> Mailbox::create(napi_env env) {
  std::shared_ptr<Mailbox> self(new Mailbox());
  napi_value name = nullptr;
  if (napi_create_string_utf8(env, "qemu-cbt:nbd", NAPI_AUTO_LENGTH, &name) != napi_ok) return nullptr;
  // The function's own share keeps the mailbox until Node is done with it.
  auto* const share = new std::shared_ptr<Mailbox>(self);
  const auto forget = [](napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Mailbox>*>(data); };
  if (napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, share, forget, self.get(), deliver,
                                      &self->function_) != napi_ok) {
    delete share;
    return nullptr;
  }
  napi_unref_threadsafe_function(env, self->function_);
  return self;
}

// Letters are dropped outside the lock: what they hold may post when it goes.
void Mailbox::post(Letter letter) {
  std::deque<Letter> dropped;
  const std::lock_guard lock(mutex_);
  if (function_ == nullptr) {
    dropped.push_back(std::move(letter));
    return;
  }
  letters_.push_back(std::move(letter));
  if (letters_.size() > 1) return; // a call is on its way already
  if (napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking) == napi_closing) {
    // Node has given the function up, and with it this thread's right to name it.
    function_ = nullptr;
    letters_.swap(dropped);
  }
}

void Mailbox::deliver(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;
  auto* const self = static_cast<Mailbox*>(context);
  std::deque<Letter> letters;
  {
    const std::lock_guard lock(self->mutex_);
    letters.swap(self->letters_);
  }
  for (const Letter& letter : letters) {
    napi_handle_scope scope = nullptr;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return;
    letter(env);
    // What an environment that is going down leaves behind; nobody is there to catch it.
    bool pending = false;
    napi_value exception = nullptr;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
      napi_get_and_clear_last_exception(env, &exception);
    }
    napi_close_handle_scope(env, scope);
  }
}

void Mailbox::expect(napi_env env) {
  const std::lock_guard lock(mutex_);
  if (expected_++ == 0 && function_ != nullptr) napi_ref_threadsafe_function(env, function_);
}

void Mailbox::received(napi_env env) {
  const std::lock_guard lock(mutex_);
  if (--expected_ == 0 && function_ != nullptr) napi_unref_threadsafe_function(env, function_);
}

void Mailbox::close() {
  std::deque<Letter> dropped;
  const std::lock_guard lock(mutex_);
  if (function_ != nullptr) napi_release_threadsafe_function(function_, napi_tsfn_abort);
  function_ = nullptr;
  letters_.swap(dropped);
}

} // namespace cbt::nbd::binding
