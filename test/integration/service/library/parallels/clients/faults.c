/* What the library does when the command, or other threads of the program, do what they should not. */
#include "../../clients/assertions.h"
#include "prlSdk.h"

#include <stdatomic.h>
#include <stdbool.h>

#define CODE(call, wanted) EQUALS((uint32_t)(call), (uint32_t)(wanted))
#define OK(call) CODE(call, PRL_ERR_SUCCESS)

static PRL_HANDLE list;

static void begin(const char *mode) {
  OK(PrlApi_Init(VIRTUOZZO_API_VER));
  OK(PrlApi_CreateStringsList(&list));
  OK(PrlStrList_AddItem(list, mode));
}

static atomic_int told;

static PRL_RESULT note(PRL_HANDLE event, PRL_VOID_PTR data) {
  CHECK(event != NULL && data == &told);
  atomic_fetch_add(&told, 1);
  return PrlHandle_Free(event);
}

/* The command is gone, or taken for gone: everything says so, and the library can be begun anew. */
static void lost(const char *mode) {
  begin(mode);
  char data[512], text[64];
  PRL_UINT32 number = sizeof text;
  PRL_HANDLE handle = NULL;
  if (strcmp(mode, "half") == 0) CODE(PrlHandle_AddRef(list), PRL_ERR_WS_DISP_CONNECTION_CLOSED);
  CODE(PrlDisk_Read(list, data, sizeof data, 0), PRL_ERR_WS_DISP_CONNECTION_CLOSED);
  CODE(PrlDisk_Write(list, data, sizeof data, 0), PRL_ERR_WS_DISP_CONNECTION_CLOSED);
  CODE(PrlHandle_Free(list), PRL_ERR_WS_DISP_CONNECTION_CLOSED);
  CODE(PrlApi_CreateStringsList(&handle), PRL_ERR_WS_DISP_CONNECTION_CLOSED);
  CHECK(handle == NULL);
  CODE(PrlJob_Wait(PrlVm_BeginBackup(list, 0), PRL_WAIT_INFINITE), PRL_ERR_WS_DISP_CONNECTION_CLOSED);
  CODE(PrlSrv_RegEventHandler(list, note, NULL), PRL_ERR_WS_DISP_CONNECTION_CLOSED);
  OK(PrlApi_GetResultDescription(PRL_ERR_WS_DISP_CONNECTION_CLOSED, 0, 0, text, &number));
  CHECK(strcmp(text, "PRL_ERR_WS_DISP_CONNECTION_CLOSED") == 0);
  OK(PrlApi_Init(VIRTUOZZO_API_VER));
  OK(PrlApi_CreateStringsList(&handle));
  CHECK((uintptr_t)handle > (uintptr_t)list);
  OK(PrlApi_Deinit());
  CODE(PrlHandle_Free(handle), PRL_ERR_API_WASNT_INITIALIZED);
}

/* Answers that are not what was asked: nothing is written where it does not belong, and none is taken for a success. */
static void odd(const char *mode) {
  begin(mode);
  bool is_short = strcmp(mode, "short") == 0;
  uint32_t *number = at_page_end(sizeof *number);
  char *text = at_page_end(8);
  PRL_HANDLE *handle = at_page_end(sizeof *handle);
  memset(text, 'o', 8);
  *handle = NULL;
  *number = 8;
  PRL_RESULT code = PrlStrList_GetItem(list, 0, text, number);
  CHECK(memcmp(text, "oooooooo", 8) == 0);
  CODE(code, PRL_ERR_UNEXPECTED);
  char longer[90];
  *number = sizeof longer;
  CODE(PrlStrList_GetItem(list, 0, longer, number), PRL_ERR_UNEXPECTED);
  code = PrlApi_CreateHandlesList(handle);
  if (is_short || strcmp(mode, "kinds") == 0) CODE(code, PRL_ERR_UNEXPECTED);
  *number = 8;
  CODE(PrlDiskMap_Read(list, text, number), PRL_ERR_UNEXPECTED);
  CHECK(memcmp(text, "oooooooo", 8) == 0);
  PRL_DISK_PARAMETERS *facts = at_page_end(90);
  *number = 90;
  CODE(PrlDisk_GetDiskInfo(list, facts, number), PRL_ERR_UNEXPECTED);
  PRL_HANDLE job = PrlSrv_Logoff(list);
  if (is_short || strcmp(mode, "kinds") == 0) CHECK((uintptr_t)job == 0xfacd);
  /* A read has its bytes, or the way to the command is broken. */
  CODE(PrlDisk_Read(list, text, 8, 0), PRL_ERR_WS_DISP_CONNECTION_CLOSED);
  CHECK(memcmp(text, "oooooooo", 8) == 0);
  PrlApi_Deinit();
}

/* Calls as long as there is a library: whoever ends it waits for this. */
static PRL_RESULT linger(PRL_HANDLE event, PRL_VOID_PTR data) {
  (void)data;
  while (PRL_SUCCEEDED(PrlHandle_AddRef(event))) atomic_fetch_add(&told, 1);
  return PRL_ERR_SUCCESS;
}

static atomic_int begun, may_go_on, over;

/* Goes on for as long as many calls take, when it may. */
static PRL_RESULT dawdle(PRL_HANDLE event, PRL_VOID_PTR data) {
  atomic_store(&begun, 1);
  while (atomic_load(&may_go_on) == 0) sched_yield();
  for (int i = 0; i < 200; i++) OK(PrlHandle_AddRef(event));
  atomic_store((atomic_int *)data, 1);
  return PRL_ERR_SUCCESS;
}

/* Events of registrations that there are, that there were, and that there never were; and the end in the middle of one. */
static void events(void) {
  begin("");
  OK(PrlSrv_RegEventHandler(list, note, &told));
  OK(PrlSrv_RegEventHandler(list, linger, &told));
  OK(PrlSrv_UnregEventHandler(list, linger, &told));
  OK(PrlStrList_AddItem(list, "events"));
  OK(PrlHandle_AddRef(list));
  while (atomic_load(&told) < 1) sched_yield();
  OK(PrlSrv_UnregEventHandler(list, note, &told));
  EQUALS(atomic_load(&told), 1);
  OK(PrlApi_Deinit());
  begin("");
  /* Numbers of registrations go on, too: 3. */
  OK(PrlSrv_RegEventHandler(list, dawdle, &over));
  OK(PrlStrList_AddItem(list, "events"));
  OK(PrlHandle_AddRef(list));
  while (atomic_load(&begun) == 0) sched_yield();
  atomic_store(&may_go_on, 1);
  /* Whoever is taken off has returned. */
  OK(PrlSrv_UnregEventHandler(list, dawdle, &over));
  EQUALS(atomic_load(&over), 1);
  OK(PrlSrv_RegEventHandler(list, linger, &told));
  OK(PrlApi_Deinit());
}

static void *call_often(void *unused) {
  (void)unused;
  PRL_HANDLE mine;
  PRL_RESULT code;
  do {
    code = PrlApi_CreateHandlesList(&mine);
    if (code == PRL_ERR_SUCCESS) code = PrlHandle_Free(mine);
    atomic_fetch_add(&told, 1);
  } while (code == PRL_ERR_SUCCESS);
  CHECK(code == PRL_ERR_API_WASNT_INITIALIZED || code == PRL_ERR_WS_DISP_CONNECTION_CLOSED);
  return NULL;
}

/* Threads that call while another one ends the library. */
static void threads(void) {
  for (int round = 0; round < 3; round++) {
    begin("");
    pthread_t all[3];
    atomic_store(&told, 0);
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&all[i], NULL, call_often, NULL) == 0);
    while (atomic_load(&told) < 30) sched_yield();
    PRL_RESULT code = PrlApi_Deinit();
    CHECK(code == PRL_ERR_SUCCESS);
    for (int i = 0; i < 3; i++) pthread_join(all[i], NULL);
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  const char *what = argv[1];
  if (strcmp(what, "events") == 0)
    events();
  else if (strcmp(what, "threads") == 0)
    threads();
  else if (strcmp(what, "silent") == 0 || strcmp(what, "dies") == 0 || strcmp(what, "torn") == 0 ||
           strncmp(what, "half", 4) == 0)
    lost(what);
  else
    odd(what);
  puts("done");
  return 0;
}
