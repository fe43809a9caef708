#include "arguments.hpp"

#include <cstring>

#include "cbt/nbd/limits.hpp"
#include "cbt/text.hpp"

namespace cbt::nbd::binding {
namespace {

// A value in a message. Options hold names of hosts and files, but no secrets.
std::string shown(const Napi::Value& value) {
  if (value.IsNumber()) return js_number(value.As<Napi::Number>().DoubleValue());
  if (value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsString()) return "a text";
  if (value.IsTypedArray()) return "a typed array";
  return value.IsObject() ? "an object" : "another type";
}

Status wrong_type(const std::string& argument, const Napi::Value& value, std::string_view expected) {
  return invalid_argument(argument, shown(value), expected);
}

Status take_texts(const std::string& argument, const Napi::Value& value, std::size_t most,
                  std::vector<std::string>& out) {
  if (!value.IsArray()) return wrong_type(argument, value, "an array of texts");
  const auto array = value.As<Napi::Array>();
  if (array.Length() > most) return invalid_argument(argument, text(array.Length(), " texts"), text("at most ", most));
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    CBT_TRY(take_text(text(argument, "[", i, "]"), array.Get(i), out.emplace_back()));
  }
  return {};
}

Status take_address(const Napi::Object& options, Target& target) {
  std::string kind;
  CBT_TRY(take_text("kind", options.Get("kind"), kind));
  if (kind == "unix") return take_text("path", options.Get("path"), target.address.emplace<UnixTarget>().path);
  if (kind == "uri") return take_text("uri", options.Get("uri"), target.address.emplace<UriTarget>().uri);
  if (kind == "tcp") {
    auto& tcp = target.address.emplace<TcpTarget>();
    std::uint64_t port = 0;
    CBT_TRY(take_text("host", options.Get("host"), tcp.host));
    CBT_TRY(take_integer("port", options.Get("port"), 1, 65535, port));
    tcp.port = static_cast<std::uint16_t>(port);
    return {};
  }
  if (kind == "command") {
    auto& command = target.address.emplace<CommandTarget>();
    CBT_TRY(take_texts("arguments", options.Get("arguments"), kMaxArguments, command.arguments));
    const Napi::Value name = options.Get("name");
    return name.IsUndefined() ? Status() : take_text("name", name, command.name);
  }
  return invalid_argument("kind", "another text", "unix, tcp, uri or command");
}

Status take_tls(const Napi::Value& value, Target& target) {
  if (value.IsUndefined()) return {};
  if (!value.IsObject()) return wrong_type("tls", value, "an object or undefined");
  const auto options = value.As<Napi::Object>();
  std::string kind;
  CBT_TRY(take_text("tls.kind", options.Get("kind"), kind));
  if (kind == "psk") {
    auto& psk = target.tls.emplace<Psk>();
    CBT_TRY(take_text("tls.file", options.Get("file"), psk.file));
    return take_text("tls.username", options.Get("username"), psk.username);
  }
  if (kind != "x509") return invalid_argument("tls.kind", "another text", "x509 or psk");
  auto& x509 = target.tls.emplace<X509>();
  const Napi::Value verify = options.Get("verifyPeer");
  if (!verify.IsBoolean()) return wrong_type("tls.verifyPeer", verify, "true or false");
  x509.verify_peer = verify.As<Napi::Boolean>().Value();
  return take_text("tls.certificates", options.Get("certificates"), x509.directory);
}

struct View {
  std::uint8_t* data = nullptr;
  std::size_t length = 0;
  bool shared = false;
};

// A view that lost its memory has length 0, which callers tell from the length they need.
Status take_view(const std::string& argument, const Napi::Value& value, napi_typedarray_type type, const char* expected,
                 View& view) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    return wrong_type(argument, value, expected);
  }
  void* data = nullptr;
  napi_value buffer = nullptr;
  bool unshared = true;
  // Node-API calls only unshared memory an ArrayBuffer.
  if (napi_get_typedarray_info(value.Env(), value, nullptr, &view.length, &data, &buffer, nullptr) != napi_ok ||
      napi_is_arraybuffer(value.Env(), buffer, &unshared) != napi_ok) {
    return {Code::internal, argument + " cannot be looked into"};
  }
  view.data = static_cast<std::uint8_t*>(data);
  view.shared = !unshared;
  return {};
}

// Keeps a JavaScript object alive from any thread; lets go on its own.
std::shared_ptr<void> keep(const Napi::Value& value, const std::shared_ptr<Mailbox>& mailbox) {
  napi_ref reference = nullptr;
  if (napi_create_reference(value.Env(), value, 1, &reference) != napi_ok) return nullptr;
  return {reference, [mailbox](void* kept) {
            mailbox->post([kept](napi_env env) { napi_delete_reference(env, static_cast<napi_ref>(kept)); });
          }};
}

Status keep_view(const Napi::Value& value, const View& view, const std::shared_ptr<Mailbox>& mailbox, Bytes& bytes) {
  bytes = {view.data, view.length, keep(value, mailbox)};
  return bytes.owner != nullptr ? Status() : Status(Code::internal, "a view cannot be kept");
}

} // namespace

Status take_number(const std::string& argument, const Napi::Value& value, double& out) {
  if (!value.IsNumber()) return wrong_type(argument, value, "a number");
  out = value.As<Napi::Number>().DoubleValue();
  return {};
}

Status take_integer(const std::string& argument, const Napi::Value& value, std::uint64_t least, std::uint64_t most,
                    std::uint64_t& out) {
  double number = 0;
  CBT_TRY(take_number(argument, value, number));
  return check_integer(argument, number, least, most, out);
}

Status take_text(const std::string& argument, const Napi::Value& value, std::string& out) {
  if (!value.IsString()) return wrong_type(argument, value, "a text");
  out = value.As<Napi::String>().Utf8Value();
  return {};
}

Status take_target(const Napi::Value& value, Target& target) {
  if (!value.IsObject()) return wrong_type("target", value, "an object");
  const auto options = value.As<Napi::Object>();
  CBT_TRY(take_address(options, target));
  CBT_TRY(take_tls(options.Get("tls"), target));
  CBT_TRY(take_text("exportName", options.Get("exportName"), target.export_name));
  CBT_TRY(take_texts("contexts", options.Get("contexts"), kMaxContexts, target.contexts));
  std::uint64_t number = 0;
  CBT_TRY(take_integer("connections", options.Get("connections"), 1, kMaxConnections, number));
  target.connections = number;
  CBT_TRY(take_integer("connectTimeoutMs", options.Get("connectTimeoutMs"), 1, 0x7fffffff, number));
  target.connect_timeout_ms = static_cast<std::uint32_t>(number);
  CBT_TRY(take_integer("requestTimeoutMs", options.Get("requestTimeoutMs"), 0, 0x7fffffff, number));
  target.request_timeout_ms = static_cast<std::uint32_t>(number);
  return check_target(target);
}

Status take_wanted(const Napi::Value& value, Wanted& wanted) {
  std::string name;
  CBT_TRY(take_text("wanted", value, name));
  if (name == "dirty")
    wanted = Wanted::dirty;
  else if (name == "data")
    wanted = Wanted::data;
  else if (name == "zero")
    wanted = Wanted::zero;
  else if (name == "allocated")
    wanted = Wanted::allocated;
  else if (name == "top")
    wanted = Wanted::top;
  else
    return invalid_argument("wanted", "another text", "dirty, data, zero, allocated or top");
  return {};
}

Status take_command(const Napi::Value& value, Command& command) {
  std::string name;
  CBT_TRY(take_text("command", value, name));
  if (name == "write")
    command = Command::write;
  else if (name == "zero")
    command = Command::zero;
  else if (name == "trim")
    command = Command::trim;
  else if (name == "flush")
    command = Command::flush;
  else
    return invalid_argument("command", "another text", "write, zero, trim or flush");
  return {};
}

Status take_range_list(const Napi::Value& value, std::vector<Range>& ranges) {
  View view;
  CBT_TRY(take_view("ranges", value, napi_float64_array, "a Float64Array", view));
  if (view.length % 2 != 0) {
    return invalid_argument("ranges", text(view.length, " numbers"), "pairs of offset and length");
  }
  return take_ranges({reinterpret_cast<const double*>(view.data), view.length / 2}, ranges);
}

Status take_bytes(const Napi::Value& value, const std::shared_ptr<Mailbox>& mailbox, Bytes& bytes) {
  View view;
  CBT_TRY(take_view("data", value, napi_uint8_array, "a Uint8Array", view));
  if (view.shared) return keep_view(value, view, mailbox, bytes);
  std::shared_ptr<MemoryPool::Piece> copy = MemoryPool::take_single(view.length);
  if (copy == nullptr) {
    return Status(Code::backend_unavailable, text("no memory for a copy of ", view.length, " bytes"))
        .with("errno", "ENOMEM");
  }
  if (view.length != 0) std::memcpy(copy->data, view.data, view.length);
  bytes = {copy->data, view.length, copy};
  return {};
}

Status take_shared(const Napi::Value& value, const std::shared_ptr<Mailbox>& mailbox, Bytes& bytes) {
  View view;
  CBT_TRY(take_view("into", value, napi_uint8_array, "a Uint8Array on a SharedArrayBuffer", view));
  if (!view.shared) {
    return invalid_argument("into", "a view of memory that can be detached", "a Uint8Array on a SharedArrayBuffer");
  }
  return keep_view(value, view, mailbox, bytes);
}

} // namespace cbt::nbd::binding
