/* What codes mean: with the reason of the library where the newest is its own, else in the words of the command, else in those of the table. */
#include "lent.h"
#include "library.h"
#include "reasons.h"

#include <stdio.h>
#include <string.h>

#include "generated/texts.h"

static char *lend_text(const char *text, size_t length) {
  char *copy = cbt_lend(length + 1, CBT_TEXT);
  if (copy != NULL) memcpy(copy, text, length);
  return copy;
}

/* With the reason behind it where there is one. */
static char *own_text(unsigned code, const char *reason) {
  char text[2304];
  int length = snprintf(text, sizeof text, "Unknown error %u", code);
  for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
    if (TEXTS[i].code == code) length = snprintf(text, sizeof text, "%s", TEXTS[i].text);
  if (reason != NULL) snprintf(text + length, sizeof text - (size_t)length, ": %s", reason);
  return lend_text(text, strlen(text));
}

CBT_API char *VixDiskLib_GetErrorText(VixError err, const char *locale) {
  (void)locale;
  unsigned code = (unsigned)VIX_ERROR_CODE(err);
  char *text = NULL, reason[2048];
  if (!cbt_is_copy() && cbt_reason_of(code, reason, sizeof reason)) return own_text(code, reason);
  struct cbt_request request;
  if (cbt_request_begin(&request, "VixDiskLib_GetErrorText") == VIX_OK) {
    cbt_write_u64(&request.message, code);
    if (cbt_request_ask(&request, NULL, NULL) == VIX_OK) {
      size_t length;
      const uint8_t *told = cbt_read_bytes(request.values, &length);
      if (told != NULL) text = lend_text((const char *)told, length);
    }
    cbt_request_end(&request, VIX_OK);
  }
  return text != NULL ? text : own_text(code, NULL);
}

CBT_API void VixDiskLib_FreeErrorText(char *errText) { cbt_give_back(errText, CBT_TEXT); }
