#include "calls.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_BOXES = 4 };

/* What an answer is written into. */
struct box {
  char letter;
  PRL_HANDLE *handle;
  uint32_t *number; /* of a text: its length */
  char *text;
  uint32_t room;
};

static void write_box(struct cbt_writer *message, struct box *box) {
  if (box->letter != 'S') {
    cbt_write_u64(message, box->letter == 'H' ? box->handle != NULL : box->number != NULL);
    return;
  }
  cbt_write_u64(message, box->text != NULL);
  if (box->number == NULL)
    cbt_write_null(message);
  else {
    box->room = *box->number;
    cbt_write_u64(message, box->room);
  }
}

static bool is_nbd(const char *name) {
  static const char *const SCHEMES[] = {"nbd:", "nbds:", "nbd+unix:", "nbds+unix:"};
  for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++)
    if (strncasecmp(name, SCHEMES[i], strlen(SCHEMES[i])) == 0) return true;
  return false;
}

/* Whole: the command stays in the folder that it was started in, the program need not. Where that is not known, it is no name. */
static void write_disk_name(struct cbt_writer *message, const char *name) {
  char folder[PATH_MAX], whole[2 * PATH_MAX];
  if (name == NULL || *name == '\0' || *name == '/' || is_nbd(name)) {
    cbt_write_text(message, name);
    return;
  }
  bool known = getcwd(folder, sizeof folder) != NULL && *folder == '/';
  int length = known ? snprintf(whole, sizeof whole, "%s/%s", folder, name) : -1;
  if (length < 0 || (size_t)length >= sizeof whole)
    cbt_write_null(message);
  else
    cbt_write_text(message, whole);
}

/* The parameters into the message; how many boxes there are. */
static unsigned write_parameters(struct cbt_writer *message, const struct cbt_session *session, const char *shape,
                                 va_list parameters, struct box boxes[MAX_BOXES]) {
  unsigned count = 0;
  for (const char *at = shape; *at != '\0'; at++) {
    struct box *box = &boxes[count];
    memset(box, 0, sizeof *box);
    box->letter = *at;
    switch (*at) {
      case 'h':
        cbt_write_u64(message, cbt_handle_number(session, va_arg(parameters, PRL_HANDLE)));
        continue;
      case 'u':
        cbt_write_u64(message, va_arg(parameters, uint32_t));
        continue;
      case 'U':
        cbt_write_u64(message, va_arg(parameters, uint64_t));
        continue;
      case 't':
        cbt_write_text(message, va_arg(parameters, const char *));
        continue;
      case 'd':
        write_disk_name(message, va_arg(parameters, const char *));
        continue;
      case 'H':
        box->handle = va_arg(parameters, PRL_HANDLE *);
        break;
      case 'S':
        box->text = va_arg(parameters, char *);
        box->number = va_arg(parameters, uint32_t *);
        break;
      default:
        box->number = va_arg(parameters, uint32_t *);
    }
    write_box(message, box);
    count++;
  }
  return count;
}

/* A number of the answer, or nothing. */
static bool read_number(struct cbt_reader *values, uint64_t *number) {
  if (cbt_read_nothing(values)) return false;
  *number = cbt_read_u64(values);
  return !values->broken;
}

/*
 * What the call gave; a failed one gives what it gave until then, as a length that was too small. False where it gave not all of it: a
 * call that succeeded always does.
 */
static bool read_box(struct cbt_reader *values, const struct cbt_session *session, const struct box *box) {
  uint64_t number;
  bool told = read_number(values, &number);
  if (box->letter == 'H') {
    if (told && box->handle != NULL) *box->handle = cbt_handle_of(session, number);
    return told || box->handle == NULL;
  }
  if (told && box->number != NULL) *box->number = (uint32_t)number;
  if (box->letter != 'S') return told || box->number == NULL;
  size_t length;
  const uint8_t *text = cbt_read_nothing(values) ? NULL : cbt_read_bytes(values, &length);
  bool wanted = box->text != NULL && box->room > 0;
  if (text == NULL || !wanted) return told && !wanted;
  if (length > box->room) return false;
  memcpy(box->text, text, length);
  return told && length > 0 && text[length - 1] == '\0';
}

static PRL_RESULT run(const struct cbt_session *session, const char *name, const char *shape, va_list parameters,
                      PRL_HANDLE *job) {
  struct cbt_writer message;
  struct cbt_pending answer;
  struct box boxes[MAX_BOXES];
  cbt_write_begin(&message);
  cbt_write_text(&message, name);
  unsigned count = write_parameters(&message, session, shape, parameters, boxes);
  cbt_code code = cbt_channel_call(session->channel, &message, &answer, NULL, NULL);
  bool whole = true;
  for (unsigned i = 0; i < count; i++) whole = read_box(&answer.values, session, &boxes[i]) && whole;
  if (code == CBT_OK && !whole) code = (uint32_t)PRL_ERR_UNEXPECTED;
  uint64_t number;
  if (job != NULL && read_number(&answer.values, &number)) *job = cbt_handle_of(session, number);
  cbt_pending_end(&answer);
  cbt_write_end(&message);
  cbt_channel_drop(session->channel);
  return cbt_result(code);
}

PRL_RESULT cbt_call(const char *name, const char *shape, ...) {
  struct cbt_session session;
  if (!cbt_session_take(&session)) return cbt_no_session(name);
  va_list parameters;
  va_start(parameters, shape);
  PRL_RESULT result = run(&session, name, shape, parameters, NULL);
  va_end(parameters);
  return result;
}

/* A code would be taken for a handle: where there is no job, its handle answers for it. */
PRL_HANDLE cbt_start(const char *name, const char *shape, ...) {
  struct cbt_session session;
  PRL_HANDLE job = cbt_dead_handle();
  if (!cbt_session_take(&session)) return job;
  va_list parameters;
  va_start(parameters, shape);
  run(&session, name, shape, parameters, &job);
  va_end(parameters);
  return job;
}
