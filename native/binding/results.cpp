// See results.hpp. Plain Node-API calls: an environment that is going down refuses them, and then there is
// nobody left to answer, so a failed call only makes the result null.
#include "results.hpp"

#include <cstring>
#include <new>

namespace cbt::binding {
namespace {

// Below this an array of Node's own is cheaper than a finalizer.
constexpr std::size_t kCopyBytes = 1024;

napi_value string(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  return napi_create_string_utf8(env, text.data(), text.size(), &value) == napi_ok ? value : nullptr;
}

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  if (object != nullptr && value != nullptr) napi_set_named_property(env, object, name, value);
}

napi_value copied_buffer(napi_env env, Block& block) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (napi_create_arraybuffer(env, block.bytes, &data, &buffer) != napi_ok) buffer = nullptr;
  if (buffer != nullptr && block.bytes != 0) std::memcpy(data, block.data, block.bytes);
  free_block(block);
  block = {};
  return buffer;
}

// The block as an ArrayBuffer. Environments that allow no memory from outside (Electron) get a copy.
napi_value to_buffer(napi_env env, Block& block) {
  if (block.bytes <= kCopyBytes) return copied_buffer(env, block);
  auto* const owned = new (std::nothrow) Block(block);
  if (owned == nullptr) return copied_buffer(env, block);
  const auto release = [](napi_env, void*, void* hint) {
    auto* const memory = static_cast<Block*>(hint);
    free_block(*memory);
    delete memory;
  };
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, block.data, block.bytes, release, owned, &buffer) == napi_ok) {
    block = {};
    return buffer;
  }
  delete owned;
  return copied_buffer(env, block);
}

napi_value to_array(napi_env env, Block& block, napi_typedarray_type type, std::size_t length) {
  napi_value array = nullptr;
  napi_value const buffer = to_buffer(env, block);
  if (buffer == nullptr || napi_create_typedarray(env, type, length, buffer, 0, &array) != napi_ok) return nullptr;
  return array;
}

} // namespace

napi_value to_error(napi_env env, const Status& status) {
  napi_value error = nullptr;
  napi_value details = nullptr;
  napi_value const message = string(env, status.message());
  if (message == nullptr || napi_create_error(env, nullptr, message, &error) != napi_ok) return nullptr;
  if (napi_create_object(env, &details) != napi_ok) return nullptr;
  for (const Detail& detail : status.details()) {
    const auto* text = std::get_if<std::string>(&detail.value);
    set(env, details, detail.name.c_str(),
        text != nullptr ? string(env, *text) : to_value(env, std::get<double>(detail.value)));
  }
  set(env, error, "code", string(env, code_name(status.code())));
  set(env, error, "details", details);
  return error;
}

napi_value to_value(napi_env env, RangePage& page) {
  const std::size_t length = page.ranges.size();
  Block block = page.ranges.release();
  napi_value object = nullptr;
  napi_value const ranges = to_array(env, block, napi_float64_array, length);
  if (ranges == nullptr || napi_create_object(env, &object) != napi_ok) return nullptr;
  set(env, object, "ranges", ranges);
  set(env, object, "nextBytes", to_value(env, static_cast<double>(page.next_bytes)));
  return object;
}

napi_value to_value(napi_env env, Block& bits) {
  const std::size_t length = bits.bytes;
  return to_array(env, bits, napi_uint8_array, length);
}

napi_value to_value(napi_env env, double number) {
  napi_value value = nullptr;
  return napi_create_double(env, number, &value) == napi_ok ? value : nullptr;
}

napi_value to_value(napi_env env, bool answer) {
  napi_value value = nullptr;
  return napi_get_boolean(env, answer, &value) == napi_ok ? value : nullptr;
}

napi_value to_value(napi_env env, const LockState& state) {
  napi_value object = nullptr;
  napi_value writer = nullptr;
  napi_value forbidden = nullptr;
  if (napi_create_object(env, &object) != napi_ok || napi_get_boolean(env, state.writer, &writer) != napi_ok ||
      napi_get_boolean(env, state.writers_forbidden, &forbidden) != napi_ok) {
    return nullptr;
  }
  set(env, object, "writer", writer);
  set(env, object, "writersForbidden", forbidden);
  return object;
}

} // namespace cbt::binding
