/* Texts that the library lends to the program, until PrlBuffer_Free. */
#include "library.h"

#include <stdlib.h>
#include <string.h>

struct lent {
  struct lent *next;
  char text[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lent *all;

/* NULL where there is no memory. */
static char *lend(const uint8_t *text, size_t length) {
  struct lent *lent = malloc(sizeof *lent + length + 1);
  if (lent == NULL) return NULL;
  memcpy(lent->text, text, length);
  lent->text[length] = '\0';
  pthread_mutex_lock(&lock);
  lent->next = all;
  all = lent;
  pthread_mutex_unlock(&lock);
  return lent->text;
}

CBT_API PRL_RESULT PrlHandle_ToString(PRL_HANDLE hHandle, PRL_VOID_PTR_PTR ppXml) {
  struct cbt_session session;
  if (!cbt_session_take(&session)) return cbt_no_session("PrlHandle_ToString");
  struct cbt_writer message;
  struct cbt_pending answer;
  cbt_write_begin(&message);
  cbt_write_text(&message, "PrlHandle_ToString");
  cbt_write_u64(&message, cbt_handle_number(&session, hHandle));
  cbt_write_u64(&message, ppXml != NULL);
  cbt_code code = cbt_channel_call(session.channel, &message, &answer, NULL, NULL);
  size_t length = 0;
  const uint8_t *text = cbt_read_nothing(&answer.values) ? NULL : cbt_read_bytes(&answer.values, &length);
  if (code == CBT_OK && (text == NULL || ppXml == NULL)) code = (uint32_t)PRL_ERR_UNEXPECTED;
  if (code == CBT_OK) {
    char *xml = lend(text, length);
    if (xml == NULL)
      code = CBT_NO_MEMORY;
    else
      *ppXml = xml;
  }
  cbt_pending_end(&answer);
  cbt_write_end(&message);
  cbt_channel_drop(session.channel);
  return cbt_result(code);
}

/* What was not lent came from elsewhere, and is not touched. */
CBT_API PRL_RESULT PrlBuffer_Free(PRL_VOID_PTR buffer) {
  if (buffer == NULL) return PRL_ERR_INVALID_ARG;
  pthread_mutex_lock(&lock);
  struct lent **at = &all;
  while (*at != NULL && (*at)->text != buffer) at = &(*at)->next;
  struct lent *found = *at;
  if (found != NULL) *at = found->next;
  pthread_mutex_unlock(&lock);
  free(found);
  return PRL_ERR_SUCCESS;
}
