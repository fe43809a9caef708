/*
 * Messages to and from the command (ADR 44): a body is a row of values, each nothing (0), an integer (1, u64), or bytes (2, u32 length,
 * bytes), little-endian. What arrives is checked here, and nowhere trusted before.
 */
#ifndef CBT_VALUES_H
#define CBT_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CBT_HEADER_BYTES = 12, CBT_PROTOCOL_VERSION = 2 };
enum { CBT_CALL = 1, CBT_REPLY = 2, CBT_LOG = 3, CBT_PROGRESS = 4, CBT_ALIVE = 5, CBT_EVENT = 6 };
/* Longest body; the command holds to the same. */
#define CBT_MAX_BODY_BYTES ((uint32_t)(9u << 20))

/* A message being written. `failed`: there was no memory, or a text was too long. */
struct cbt_writer {
  uint8_t *data;
  size_t used;
  size_t room;
  bool failed;
};

/* Begins a message: room for its header, then values. */
void cbt_write_begin(struct cbt_writer *writer);
void cbt_write_null(struct cbt_writer *writer);
void cbt_write_u64(struct cbt_writer *writer, uint64_t value);
/* NULL is nothing. */
void cbt_write_text(struct cbt_writer *writer, const char *text);
/* The head of bytes that are sent behind the message. */
void cbt_write_bytes_head(struct cbt_writer *writer, uint32_t length);
/* Fills the header in; `behind`: bytes that are sent behind. */
void cbt_write_header(struct cbt_writer *writer, uint32_t id, uint32_t kind, uint32_t behind);
void cbt_write_end(struct cbt_writer *writer);

/* A body being read. `broken`: something was not there, or of another kind; what is read afterwards is 0 and NULL. */
struct cbt_reader {
  const uint8_t *data;
  size_t left;
  bool broken;
};

uint64_t cbt_read_u64(struct cbt_reader *reader);
/* Whether the next value is nothing, which is taken then; the end of the body is, too. */
bool cbt_read_nothing(struct cbt_reader *reader);
/* Bytes in the body; NULL and 0 for nothing. */
const uint8_t *cbt_read_bytes(struct cbt_reader *reader, size_t *length);

uint32_t cbt_get_u32(const uint8_t *at);
uint64_t cbt_get_u64(const uint8_t *at);

#endif
