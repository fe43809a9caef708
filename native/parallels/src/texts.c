#include "texts.h"

#include "calls.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_ROOM = 2304 };

struct cbt_name {
  uint32_t value;
  const char *name;
};

#include "generated/names.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char no_start[TEXT_ROOM];
/* The words of a command that is not there any more. */
static char kept[TEXT_ROOM];
static PRL_RESULT kept_code;

static const char *name_of(const struct cbt_name *names, size_t count, uint32_t value) {
  size_t from = 0;
  while (from < count) {
    size_t middle = from + (count - from) / 2;
    if (names[middle].value == value) return names[middle].name;
    if (names[middle].value < value)
      from = middle + 1;
    else
      count = middle;
  }
  return NULL;
}

#define NAME_OF(names, value) name_of(names, sizeof names / sizeof *names, value)

void cbt_text_no_start(const char *why) {
  pthread_mutex_lock(&lock);
  snprintf(no_start, sizeof no_start, "%s", why);
  kept_code = PRL_ERR_SUCCESS;
  pthread_mutex_unlock(&lock);
}

void cbt_text_keep(PRL_RESULT code) {
  char text[TEXT_ROOM] = "";
  PRL_UINT32 length = sizeof text;
  if (cbt_call("PrlApi_GetResultDescription", "uuuS", (uint32_t)code, 0u, 0u, text, &length) != PRL_ERR_SUCCESS) return;
  pthread_mutex_lock(&lock);
  snprintf(kept, sizeof kept, "%s", text);
  kept_code = code;
  pthread_mutex_unlock(&lock);
}

/* By the rule of all texts of the SDK. */
static PRL_RESULT copy_text(const char *text, PRL_STR buffer, PRL_UINT32_PTR length) {
  if (length == NULL) return PRL_ERR_INVALID_ARG;
  PRL_UINT32 room = buffer == NULL ? 0 : *length, needed = (PRL_UINT32)strlen(text) + 1;
  *length = needed;
  if (room > 0) memcpy(buffer, text, room < needed ? room : needed);
  return room > 0 && room < needed ? PRL_ERR_BUFFER_OVERRUN : PRL_ERR_SUCCESS;
}

CBT_API PRL_RESULT PrlApi_GetResultDescription(PRL_RESULT nErrCode, PRL_BOOL bIsBriefMessage, PRL_BOOL bFormated,
                                               PRL_STR sErrString, PRL_UINT32_PTR pnErrStringBufLength) {
  if (cbt_is_copy()) return PRL_ERR_API_WASNT_INITIALIZED;
  struct cbt_session session;
  bool lives = cbt_session_take(&session) && !cbt_channel_is_dead(session.channel);
  cbt_channel_drop(session.channel);
  if (lives)
    return cbt_call("PrlApi_GetResultDescription", "uuuS", (uint32_t)nErrCode, bIsBriefMessage, bFormated, sErrString,
                    pnErrStringBufLength);
  const char *name = NAME_OF(RESULTS, (uint32_t)nErrCode);
  char number[16], text[TEXT_ROOM + 64];
  snprintf(number, sizeof number, "0x%08x", (uint32_t)nErrCode);
  pthread_mutex_lock(&lock);
  const char *why = nErrCode == cbt_result(CBT_NO_START) ? no_start : "";
  snprintf(text, sizeof text, "%s%s%s", name == NULL ? number : name, *why == '\0' || bIsBriefMessage ? "" : ": ",
           bIsBriefMessage ? "" : why);
  if (kept_code == nErrCode && !bIsBriefMessage && nErrCode != PRL_ERR_SUCCESS) memcpy(text, kept, sizeof kept);
  pthread_mutex_unlock(&lock);
  return copy_text(text, sErrString, pnErrStringBufLength);
}

static PRL_RESULT give_name(const char *name, PRL_CONST_STR_PTR result) {
  if (result == NULL) return PRL_ERR_INVALID_ARG;
  *result = name;
  return PRL_ERR_SUCCESS;
}

/* Programs print what they are given without a look at the code: there is a text for every number. */
CBT_API PRL_RESULT PrlDbg_PrlResultToString(PRL_RESULT value, PRL_CONST_STR_PTR result) {
  const char *name = NAME_OF(RESULTS, (uint32_t)value);
  return give_name(name == NULL ? "PRL_ERR_UNKNOWN_RESULT" : name, result);
}

CBT_API PRL_RESULT PrlDbg_HandleTypeToString(PRL_HANDLE_TYPE handle_type, PRL_CONST_STR_PTR result) {
  const char *name = NAME_OF(HANDLE_TYPES, handle_type);
  return give_name(name == NULL ? "PHT_UNKNOWN" : name, result);
}

/* No event here has a type of its own. */
CBT_API PRL_RESULT PrlDbg_EventTypeToString(PRL_EVENT_TYPE event_type, PRL_CONST_STR_PTR result) {
  (void)event_type;
  return give_name("PET_UNKNOWN", result);
}

/* The library writes no log: what is wrong stands in the codes and their descriptions. */
CBT_API PRL_RESULT PrlApi_SwitchConsoleLogging(PRL_BOOL bSwitchOn) {
  (void)bSwitchOn;
  return PRL_ERR_SUCCESS;
}

CBT_API PRL_RESULT PrlApi_SetLogPath(PRL_CONST_STR sLogPath) {
  return sLogPath == NULL ? PRL_ERR_INVALID_ARG : PRL_ERR_SUCCESS;
}
