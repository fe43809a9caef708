// The addon's exports: the class, and what it was built with.
#include <libnbd.h>
#include <napi.h>

#include "connection_object.hpp"

namespace {

// Raised when the meaning of an export changes, so that a loader never takes an addon of another build for its own.
constexpr int kInterface = 1;

std::string library_version() {
  nbd_handle* const handle = nbd_create();
  if (handle == nullptr) return "";
  const std::string version = nbd_get_version(handle);
  nbd_close(handle);
  return version;
}

// giveBack(buffer): ends the life of a Buffer that a stream lent; its memory is used again for the next ones.
void give_back(const Napi::CallbackInfo& info) {
  if (info[0].IsArrayBuffer()) napi_detach_arraybuffer(info.Env(), info[0]);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  using cbt::nbd::binding::ConnectionObject;
  using cbt::nbd::binding::Environment;
  env.SetInstanceData(new Environment(env));
  exports.Set("interface", kInterface);
  exports.Set("libnbd", library_version());
#ifdef LIBNBD_HAVE_NBD_AIO_BLOCK_STATUS_64
  exports.Set("extents64", true);
#else
  exports.Set("extents64", false);
#endif
  exports.Set("giveBack", Napi::Function::New(env, give_back, "giveBack"));
  exports.Set("NbdConnection", ConnectionObject::define(env));
  return exports;
}

} // namespace

NODE_API_MODULE(nbd, init)
