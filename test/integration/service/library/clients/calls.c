/* Every call, each with what it gives and what it refuses; and what a library in somebody else's process must stand. */
#include "check.h"

static VixDiskLibConnection connection;

/* A copy of the process has no other thread, and what only they pointed to looks lost to the leak sanitizer, which asks this. */
static int is_copy;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return is_copy; }

static void before_the_library_is_begun(void) {
  CHECK(strcmp(VixDiskLib_ListTransportModes(), "file:nbd") == 0);
  char *text = VixDiskLib_GetErrorText(0xabcd0000ull | VIX_E_FILE_NOT_FOUND, NULL);
  CHECK(strcmp(text, "No such file, or no such disk") == 0);
  /* A pointer that lost half of its bits, one that was never given, one that is given back twice. */
  VixDiskLib_FreeErrorText((char *)((uintptr_t)text & 0xffffffffu));
  VixDiskLib_FreeErrorText((char *)"not ours");
  VixDiskLib_FreeErrorText(text);
  VixDiskLib_FreeErrorText(NULL);
  VixDiskLib_FreeInfo((VixDiskLibInfo *)&connection);
  VixDiskLib_FreeBlockList((VixDiskLibBlockList *)&connection);
  EQUALS(VixDiskLib_ConnectEx(NULL, TRUE, NULL, NULL, &connection), VIX_E_DISK_NOINIT);
  EQUALS(VixDiskLib_Rename("/a.qcow2", "/b.qcow2"), VIX_E_DISK_NOINIT);
  VixDiskLib_Exit();
}

static void handles(VixDiskLibHandle disk, VixDiskLibHandle closed) {
  const void *wrong[] = {NULL, (void *)1, &connection, connection, closed, (char *)disk + (1 << 20), (void *)~0ul};
  uint8 data[512];
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    VixDiskLibHandle handle = (VixDiskLibHandle)(uintptr_t)wrong[i];
    EQUALS(VixDiskLib_Read(handle, 0, 1, data), VIX_E_INVALID_HANDLE);
    EQUALS(VixDiskLib_Close(handle), VIX_E_INVALID_HANDLE);
    EQUALS(VixDiskLib_Wait(handle), VIX_E_INVALID_HANDLE);
    CHECK(VixDiskLib_GetTransportMode(handle) == NULL);
  }
  VixDiskLibHandle out;
  EQUALS(VixDiskLib_Open((VixDiskLibConnection)disk, "/x.qcow2", 0, &out), VIX_E_DISK_INVALID_CONNECTION);
  EQUALS(VixDiskLib_Disconnect((VixDiskLibConnection)disk), VIX_E_DISK_INVALID_CONNECTION);
}

struct chain {
  VixDiskLibHandle disk;
  uint8 data[4096];
  unsigned left, told;
  VixError waited;
};

static void next(void *data, VixError result) {
  struct chain *chain = data;
  EQUALS(result, VIX_OK);
  chain->told++;
  /* It would wait for itself. */
  chain->waited = VixDiskLib_Wait(chain->disk);
  if (chain->left > 0) {
    chain->left--;
    EQUALS(VixDiskLib_ReadAsync(chain->disk, 0, 8, chain->data, next, chain), VIX_ASYNC);
  }
}

static void count(void *data, VixError result) {
  EQUALS(result, VIX_OK);
  __atomic_add_fetch((unsigned *)data, 1, __ATOMIC_SEQ_CST);
}

static void asynchronous(VixDiskLibHandle disk) {
  struct chain chain = {.disk = disk, .left = 50};
  EQUALS(VixDiskLib_ReadAsync(disk, 0, 8, chain.data, next, &chain), VIX_ASYNC);
  EQUALS(VixDiskLib_Wait(disk), VIX_OK);
  EQUALS(chain.told, 51);
  EQUALS(chain.waited, VIX_E_FAIL);
  unsigned told = 0;
  static uint8 data[64][65536];
  for (unsigned i = 0; i < 64; i++) memset(data[i], (int)i + 1, sizeof data[i]);
  for (unsigned i = 0; i < 64; i++) EQUALS(VixDiskLib_WriteAsync(disk, i * 128, 128, data[i], count, &told), VIX_ASYNC);
  EQUALS(VixDiskLib_Flush(disk), VIX_OK);
  EQUALS(told, 64);
  memset(data, 0, sizeof data);
  for (unsigned i = 0; i < 64; i++) EQUALS(VixDiskLib_ReadAsync(disk, i * 128, 128, data[i], count, &told), VIX_ASYNC);
  EQUALS(VixDiskLib_ReadAsync(disk, 0, 0, NULL, count, &told), VIX_ASYNC);
  EQUALS(VixDiskLib_Wait(disk), VIX_OK);
  EQUALS(told, 129);
  for (unsigned i = 0; i < 64; i++) CHECK(data[i][0] == i + 1 && data[i][65535] == i + 1);
  EQUALS(VixDiskLib_ReadAsync(disk, 0, 1, data[0], NULL, NULL), VIX_E_INVALID_ARG);
}

static void reads_and_writes(VixDiskLibHandle disk, uint64 capacity) {
  /* Longer than a piece, at an address of no alignment. */
  size_t bytes = 5 * 1048576 + 512;
  uint8 *memory = malloc(bytes + 1), *data = memory + 1;
  for (size_t i = 0; i < bytes; i++) data[i] = (uint8)(i / 512 * 7 + i);
  EQUALS(VixDiskLib_Write(disk, 3, bytes / 512, data), VIX_OK);
  uint8 *back = calloc(1, bytes);
  EQUALS(VixDiskLib_Read(disk, 3, bytes / 512, back), VIX_OK);
  CHECK(memcmp(data, back, bytes) == 0);
  EQUALS(VixDiskLib_Read(disk, capacity - 1, 2, back), VIX_E_DISK_OUTOFRANGE);
  EQUALS(VixDiskLib_Read(disk, ~0ull, 2, back), VIX_E_DISK_OUTOFRANGE);
  char *text = VixDiskLib_GetErrorText(VIX_E_DISK_OUTOFRANGE, NULL);
  CHECK(strstr(text, ": 2 sectors from 18446744073709551615 on pass the end of the disk at 131072") != NULL);
  VixDiskLib_FreeErrorText(text);
  EQUALS(VixDiskLib_Write(disk, capacity, 1, back), VIX_E_DISK_OUTOFRANGE);
  EQUALS(VixDiskLib_Read(disk, 0, 1, NULL), VIX_E_INVALID_ARG);
  EQUALS(VixDiskLib_Read(disk, capacity, 0, NULL), VIX_OK);
  free(back);
  free(memory);
}

static void metadata(VixDiskLibHandle disk) {
  size_t required = 0;
  char text[64];
  EQUALS(VixDiskLib_ReadMetadata(disk, "none", text, sizeof text, &required), VIX_E_DISK_KEY_NOTFOUND);
  EQUALS(VixDiskLib_WriteMetadata(disk, "uuid", "60 00"), VIX_OK);
  EQUALS(VixDiskLib_ReadMetadata(disk, "uuid", NULL, 0, &required), VIX_E_BUFFER_TOOSMALL);
  EQUALS(required, 6);
  EQUALS(VixDiskLib_ReadMetadata(disk, "uuid", text, required, NULL), VIX_OK);
  CHECK(strcmp(text, "60 00") == 0);
  EQUALS(VixDiskLib_GetMetadataKeys(disk, NULL, 0, &required), VIX_E_BUFFER_TOOSMALL);
  EQUALS(VixDiskLib_GetMetadataKeys(disk, text, sizeof text, &required), VIX_OK);
  CHECK(required == 6 && memcmp(text, "uuid\0", 6) == 0);
}

static Bool note(void *data, int percent) {
  *(int *)data += percent + 1;
  return TRUE;
}

static void images(VixDiskLibHandle disk, const char *folder, const char *file) {
  char copy[4096], child[4096];
  snprintf(copy, sizeof copy, "%s/copy.qcow2", folder);
  snprintf(child, sizeof child, "%s/child.qcow2", folder);
  VixDiskLibCreateParams create = {VIXDISKLIB_DISK_UNKNOWN, VIXDISKLIB_ADAPTER_IDE, 7, 4096, 512, 512};
  int told = 0;
  EQUALS(VixDiskLib_Create(connection, copy, &create, note, &told), VIX_OK);
  EQUALS(told, 102);
  EQUALS(VixDiskLib_Create(connection, copy, &create, NULL, NULL), VIX_E_FILE_ALREADY_EXISTS);
  EQUALS(VixDiskLib_Grow(connection, copy, 8192, FALSE, NULL, NULL), VIX_OK);
  EQUALS(VixDiskLib_CheckRepair(connection, copy, FALSE), VIX_OK);
  EQUALS(VixDiskLib_Unlink(connection, copy), VIX_OK);
  EQUALS(VixDiskLib_Unlink(connection, copy), VIX_E_FILE_NOT_FOUND);
  EQUALS(VixDiskLib_CreateChild(disk, child, VIXDISKLIB_DISK_UNKNOWN, NULL, NULL), VIX_OK);
  EQUALS(VixDiskLib_Rename(child, copy), VIX_OK);
  uint64 space = 0;
  EQUALS(VixDiskLib_SpaceNeededForClone(disk, VIXDISKLIB_DISK_MONOLITHIC_FLAT, &space), VIX_OK);
  CHECK(space > 0);
  EQUALS(VixDiskLib_Clone(connection, child, connection, file, NULL, NULL, NULL, FALSE), VIX_E_INVALID_ARG);
  EQUALS(VixDiskLib_Clone((VixDiskLibConnection)disk, child, connection, file, &create, NULL, NULL, FALSE),
         VIX_E_DISK_INVALID_CONNECTION);
  EQUALS(VixDiskLib_Shrink(disk, NULL, NULL), VIX_E_NOT_SUPPORTED);
  EQUALS(VixDiskLib_Defragment(disk, NULL, NULL), VIX_E_NOT_SUPPORTED);
  EQUALS(VixDiskLib_Attach(disk, disk), VIX_E_NOT_SUPPORTED);
  EQUALS(VixDiskLib_IsAttachPossible(disk, disk), VIX_E_NOT_SUPPORTED);
  uint32 cleaned = 7, remaining = 7;
  EQUALS(VixDiskLib_Cleanup(NULL, &cleaned, &remaining), VIX_OK);
  EQUALS(cleaned + remaining, 0);
}

/* In a copy of the process nothing of the library is to be had, and nothing of the parent is harmed. */
static void in_a_copy(VixDiskLibHandle disk) {
  for (int leaves = 0; leaves < 2; leaves++) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
      is_copy = 1;
      uint8 data[512];
      EQUALS(VixDiskLib_Read(disk, 0, 1, data), VIX_E_DISK_NOINIT);
      EQUALS(VixDiskLib_Close(disk), VIX_E_DISK_NOINIT);
      EQUALS(VixDiskLib_InitEx(8, 0, NULL, NULL, NULL, NULL, NULL), VIX_E_DISK_NOINIT);
      VixDiskLib_Exit();
      if (leaves == 0) exit(0);
      _exit(0);
    }
    int status;
    EQUALS(waitpid(child, &status, 0), child);
    EQUALS(status, 0);
  }
  /* What runs for us is nobody's child. */
  CHECK(waitpid(-1, NULL, WNOHANG) == -1);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  const char *folder = argv[1], *file = argv[2];
  before_the_library_is_begun();
  EQUALS(VixDiskLib_InitEx(8, 0, print_log, NULL, NULL, NULL, "/nonexistent/vddk.conf"), VIX_E_FILE_NOT_FOUND);
  EQUALS(VixDiskLib_InitEx(8, 0, print_log, NULL, NULL, NULL, NULL), VIX_OK);
  EQUALS(VixDiskLib_InitEx(8, 0, print_log, NULL, NULL, NULL, NULL), VIX_OK);
  VixDiskLib_Exit();
  VixDiskLibConnectParams params;
  memset(&params, 0, sizeof params);
  params.thumbPrint = (char *)"aa:bb";
  params.port = 443;
  EQUALS(VixDiskLib_ConnectEx(&params, FALSE, NULL, "san:file", NULL), VIX_E_INVALID_ARG);
  EQUALS(VixDiskLib_ConnectEx(&params, FALSE, NULL, "san:file", &connection), VIX_OK);
  VixDiskLibConnectParams *copy;
  EQUALS(VixDiskLib_GetConnectParams(connection, &copy), VIX_OK);
  CHECK(strcmp(copy->thumbPrint, "aa:bb") == 0 && copy->port == 443 && copy->serverName == NULL);
  VixDiskLib_FreeConnectParams(copy);
  VixDiskLibHandle closed, disk;
  EQUALS(VixDiskLib_Open(connection, file, VIXDISKLIB_FLAG_OPEN_READ_ONLY, &closed), VIX_OK);
  uint8 sector[512] = {0};
  EQUALS(VixDiskLib_Write(closed, 0, 1, sector), VIX_E_FILE_READ_ONLY);
  EQUALS(VixDiskLib_Close(closed), VIX_OK);
  EQUALS(VixDiskLib_Open(connection, file, 0, &disk), VIX_OK);
  CHECK(strcmp(VixDiskLib_GetTransportMode(disk), "file") == 0);
  VixDiskLibInfo *info;
  EQUALS(VixDiskLib_GetInfo(disk, &info), VIX_OK);
  CHECK(info->numLinks == 1 && info->parentFileNameHint == NULL && info->logicalSectorSize == 512);
  CHECK(info->biosGeo.heads == 255 && info->physGeo.sectors == 63 && info->uuid == NULL);
  handles(disk, closed);
  reads_and_writes(disk, info->capacity);
  asynchronous(disk);
  metadata(disk);
  images(disk, folder, file);
  in_a_copy(disk);
  VixDiskLibBlockList *list;
  EQUALS(VixDiskLib_QueryAllocatedBlocks(disk, 1, 128, 128, &list), VIX_E_INVALID_ARG);
  /* What is open at the end is closed by it, and what was given stays until it is freed. */
  EQUALS(VixDiskLib_QueryAllocatedBlocks(disk, 0, info->capacity, 128, &list), VIX_OK);
  CHECK(list->numBlocks > 0);
  VixDiskLib_Exit();
  EQUALS(VixDiskLib_Read(disk, 0, 1, sector), VIX_E_INVALID_HANDLE);
  EQUALS(VixDiskLib_Disconnect(connection), VIX_E_DISK_INVALID_CONNECTION);
  CHECK(info->capacity > 0 && list->blocks[0].length > 0);
  VixDiskLib_FreeInfo(info);
  VixDiskLib_FreeBlockList(list);
  puts("all calls");
  return 0;
}
