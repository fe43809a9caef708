// JavaScript values to plain structs, all of it at the call. Memory that JavaScript may detach or shrink is copied
// there; shared memory, which cannot go away, is used in place and kept alive.
#pragma once

#include <napi.h>

#include <string>
#include <vector>

#include "cbt/nbd/change_job.hpp"
#include "cbt/nbd/map_job.hpp"
#include "cbt/nbd/target.hpp"
#include "mailbox.hpp"

namespace cbt::nbd::binding {

Status take_number(const std::string& argument, const Napi::Value& value, double& out);
Status take_integer(const std::string& argument, const Napi::Value& value, std::uint64_t least, std::uint64_t most,
                    std::uint64_t& out);
Status take_text(const std::string& argument, const Napi::Value& value, std::string& out);

// The options object of a connection, as lib/backend/nbd/nbdAddon.ts has it.
Status take_target(const Napi::Value& value, Target& target);
Status take_wanted(const Napi::Value& value, Wanted& wanted);
Status take_command(const Napi::Value& value, Command& command);
Status take_range_list(const Napi::Value& value, std::vector<Range>& ranges);

// Bytes to write: a Uint8Array, copied unless its memory is shared.
Status take_bytes(const Napi::Value& value, const std::shared_ptr<Mailbox>& mailbox, Bytes& bytes);
// Memory to read into: a Uint8Array on shared memory.
Status take_shared(const Napi::Value& value, const std::shared_ptr<Mailbox>& mailbox, Bytes& bytes);

} // namespace cbt::nbd::binding
