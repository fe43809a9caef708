// Answers and errors to JavaScript values.
#pragma once

#include <node_api.h>

#include "cbt/lock_state.hpp"
#include "cbt/range_buffer.hpp"
#include "cbt/status.hpp"

namespace cbt::binding {

// An Error with `code` and `details`; null when the environment is going down.
napi_value to_error(napi_env env, const Status& status);

// {ranges: Float64Array, nextBytes}. The memory of the answer becomes the array's, without a copy.
napi_value to_value(napi_env env, RangePage& page);

// The bits as a Uint8Array, without a copy.
napi_value to_value(napi_env env, Block& bits);
napi_value to_value(napi_env env, double number);
napi_value to_value(napi_env env, bool answer);
napi_value to_value(napi_env env, const LockState& state);

} // namespace cbt::binding
