// Every limit of the NBD side, with its reason.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace cbt::nbd {

// Text on the wire (export and context names) holds at most 4096 bytes, NBD protocol "Values".
inline constexpr std::size_t kMaxWireText = 4096;
// A path in a sockaddr_un, with its final zero.
inline constexpr std::size_t kMaxSocketPath = 107;
inline constexpr std::size_t kMaxUri = 8192;
inline constexpr std::size_t kMaxContexts = 64;
inline constexpr std::size_t kMaxArguments = 1024;

// QEMU works on 16 requests of a connection at a time; more wait in the socket.
inline constexpr std::size_t kMaxInFlight = 16;
inline constexpr std::size_t kMaxConnections = 16;

// The protocol's default for the payload of one request, and QEMU's.
inline constexpr std::uint64_t kMaxPayload = std::uint64_t{32} << 20;

// A server should not send more extents in one reply (NBD protocol, NBD_REPLY_TYPE_BLOCK_STATUS); QEMU stops at 2^17.
inline constexpr std::size_t kMaxExtents = std::size_t{1} << 20;

// Block status is asked in stripes: the longest length that fits 32 bits and is whole blocks (a block has at most
// 64 KiB). With 64-bit headers a stripe may be longer.
inline constexpr std::uint64_t kStripe = (std::uint64_t{1} << 32) - (std::uint64_t{1} << 16);
inline constexpr std::uint64_t kLongStripe = std::uint64_t{1} << 40;

// Zeroing and trimming are cut here; lengths of 2^31 and more are refused by some servers.
inline constexpr std::uint64_t kMaxEffect = std::uint64_t{1} << 30;

// Reply pieces of one read that may wait for their neighbours: as many as 512-byte pieces of the largest payload.
inline constexpr std::size_t kMaxFragments = std::size_t{1} << 16;

// One answer in memory, and what a stream may hold.
inline constexpr std::uint64_t kMaxBulk = std::uint64_t{1} << 32;
inline constexpr std::uint64_t kMaxQueued = std::uint64_t{1} << 30;

// For a server of ours that was told to end: one that can be written to, by whomever, has to bring that to safety, which takes as long
// as its disks take; one that only reads has nothing to lose, and can hang on a reply that nobody takes.
inline constexpr std::chrono::milliseconds kServerExit{30'000};
inline constexpr std::chrono::milliseconds kReaderExit{1500};

} // namespace cbt::nbd
