#include "values.h"

#include <stdlib.h>
#include <string.h>

/* Longest text of a caller: far more than a path may have. */
enum { MAX_TEXT = 1 << 20 };

static void put(struct cbt_writer *writer, const void *bytes, size_t length) {
  if (writer->failed) return;
  if (writer->room - writer->used < length) {
    size_t room = (writer->used + length) * 2;
    uint8_t *data = realloc(writer->data, room);
    if (data == NULL) {
      writer->failed = true;
      return;
    }
    writer->data = data;
    writer->room = room;
  }
  memcpy(writer->data + writer->used, bytes, length);
  writer->used += length;
}

static void put_little(struct cbt_writer *writer, uint64_t value, size_t bytes) {
  uint8_t little[8];
  for (size_t i = 0; i < bytes; i++) little[i] = (uint8_t)(value >> (8 * i));
  put(writer, little, bytes);
}

void cbt_write_begin(struct cbt_writer *writer) {
  static const uint8_t header[CBT_HEADER_BYTES];
  memset(writer, 0, sizeof *writer);
  put(writer, header, sizeof header);
}

void cbt_write_null(struct cbt_writer *writer) { put_little(writer, 0, 1); }

void cbt_write_u64(struct cbt_writer *writer, uint64_t value) {
  put_little(writer, 1, 1);
  put_little(writer, value, 8);
}

void cbt_write_bytes_head(struct cbt_writer *writer, uint32_t length) {
  put_little(writer, 2, 1);
  put_little(writer, length, 4);
}

void cbt_write_text(struct cbt_writer *writer, const char *text) {
  if (text == NULL) {
    cbt_write_null(writer);
    return;
  }
  size_t length = strnlen(text, MAX_TEXT + 1);
  if (length > MAX_TEXT) {
    writer->failed = true;
    return;
  }
  cbt_write_bytes_head(writer, (uint32_t)length);
  put(writer, text, length);
}

void cbt_write_header(struct cbt_writer *writer, uint32_t id, uint32_t kind, uint32_t behind) {
  if (writer->failed) return;
  uint32_t length = (uint32_t)(writer->used - CBT_HEADER_BYTES) + behind;
  const uint32_t fields[3] = {length, id, kind};
  for (size_t field = 0; field < 3; field++)
    for (size_t i = 0; i < 4; i++) writer->data[4 * field + i] = (uint8_t)(fields[field] >> (8 * i));
}

void cbt_write_end(struct cbt_writer *writer) {
  free(writer->data);
  memset(writer, 0, sizeof *writer);
}

uint32_t cbt_get_u32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint64_t cbt_get_u64(const uint8_t *at) { return (uint64_t)cbt_get_u32(at) | (uint64_t)cbt_get_u32(at + 4) << 32; }

static const uint8_t *take(struct cbt_reader *reader, size_t length) {
  if (reader->broken || reader->left < length) {
    reader->broken = true;
    return NULL;
  }
  const uint8_t *at = reader->data;
  reader->data += length;
  reader->left -= length;
  return at;
}

uint64_t cbt_read_u64(struct cbt_reader *reader) {
  const uint8_t *tag = take(reader, 1);
  if (tag == NULL || *tag != 1) {
    reader->broken = true;
    return 0;
  }
  const uint8_t *at = take(reader, 8);
  return at == NULL ? 0 : cbt_get_u64(at);
}

bool cbt_read_nothing(struct cbt_reader *reader) {
  if (reader->broken || reader->left == 0) return true;
  if (*reader->data != 0) return false;
  take(reader, 1);
  return true;
}

const uint8_t *cbt_read_bytes(struct cbt_reader *reader, size_t *length) {
  *length = 0;
  const uint8_t *tag = take(reader, 1);
  if (tag == NULL || (*tag != 0 && *tag != 2)) {
    reader->broken = true;
    return NULL;
  }
  if (*tag == 0) return NULL;
  const uint8_t *head = take(reader, 4);
  if (head == NULL) return NULL;
  size_t told = cbt_get_u32(head);
  const uint8_t *at = take(reader, told);
  if (at != NULL) *length = told;
  return at;
}
