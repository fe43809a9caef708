/* The orders in which public programs call, with what is odd about each: backup dumpers in C, bindings of Go and Ruby. */
#include "check.h"

static VixDiskLibConnectParams *params;
static VixDiskLibConnection connection;
static VixDiskLibHandle disk;
static VixDiskLibInfo *info;

/* Frees in another order than it was made, from an exit handler, after which nothing else of the program runs. */
static void clean_up(void) {
  if (info != NULL) VixDiskLib_FreeInfo(info);
  if (disk != NULL) EQUALS(VixDiskLib_Close(disk), VIX_OK);
  if (connection != NULL) EQUALS(VixDiskLib_Disconnect(connection), VIX_OK);
  EQUALS(VixDiskLib_EndAccess(params, "dumper"), VIX_OK);
  VixDiskLib_FreeConnectParams(params);
  VixDiskLib_Exit();
  puts("cleaned up");
  fflush(stdout);
  _exit(0);
}

/* Parameters before the library is begun; texts of its own in them, freed before them; everything from an exit handler. */
static void dumper(const char *file) {
  params = VixDiskLib_AllocateConnectParams();
  CHECK(params != NULL);
  params->serverName = strdup("localhost");
  EQUALS(VixDiskLib_InitEx(6, 5, print_log, print_log, print_log, "/usr/lib/vmware-vix-disklib", NULL), VIX_OK);
  EQUALS(VixDiskLib_PrepareForAccess(params, "dumper"), VIX_OK);
  EQUALS(VixDiskLib_ConnectEx(params, TRUE, NULL, NULL, &connection), VIX_OK);
  free(params->serverName);
  params->serverName = NULL;
  atexit(clean_up);
  EQUALS(VixDiskLib_Open(connection, file, VIXDISKLIB_FLAG_OPEN_READ_ONLY, &disk), VIX_OK);
  EQUALS(VixDiskLib_GetInfo(disk, &info), VIX_OK);
  VixDiskLibBlockList *list;
  EQUALS(VixDiskLib_QueryAllocatedBlocks(disk, 0, info->capacity, VIXDISKLIB_MIN_CHUNK_SIZE, &list), VIX_OK);
  for (uint32 i = 0; i < list->numBlocks; i++) {
    uint8 *data = malloc(list->blocks[i].length * VIXDISKLIB_SECTOR_SIZE);
    EQUALS(VixDiskLib_Read(disk, list->blocks[i].offset, list->blocks[i].length, data), VIX_OK);
    printf("%llu+%llu:%d\n", (unsigned long long)list->blocks[i].offset, (unsigned long long)list->blocks[i].length,
           data[0]);
    free(data);
  }
  EQUALS(VixDiskLib_FreeBlockList(list), VIX_OK);
  exit(0);
}

struct reader {
  pthread_t thread;
  uint64 from;
};

static void *read_many(void *argument) {
  const struct reader *reader = argument;
  uint8 data[4096];
  for (unsigned i = 0; i < 200; i++) {
    uint64 at = (reader->from + i * 37) % 2048;
    EQUALS(VixDiskLib_Read(disk, at, 8, data), VIX_OK);
    for (size_t k = 0; k < sizeof data; k++) CHECK(data[k] == (uint8)((at + k / VIXDISKLIB_SECTOR_SIZE) / 128 + 1));
  }
  return NULL;
}

/* Empty texts, no callback at all, threads that read one disk at once. */
static void goroutines(const char *file) {
  EQUALS(VixDiskLib_Init(7, 0, NULL, NULL, NULL, ""), VIX_OK);
  VixDiskLibConnectParams zero;
  memset(&zero, 0, sizeof zero);
  zero.vmxSpec = (char *)"";
  EQUALS(VixDiskLib_PrepareForAccess(&zero, "go"), VIX_OK);
  EQUALS(VixDiskLib_ConnectEx(&zero, FALSE, "", "file:nbdssl:nbd", &connection), VIX_OK);
  EQUALS(VixDiskLib_Open(connection, file, 0, &disk), VIX_OK);
  uint8 data[65536];
  for (unsigned i = 0; i < 17; i++) {
    memset(data, (int)i + 1, sizeof data);
    EQUALS(VixDiskLib_Write(disk, i * 128, 128, data), VIX_OK);
  }
  struct reader readers[8];
  for (unsigned i = 0; i < 8; i++) {
    readers[i].from = i * 251;
    CHECK(pthread_create(&readers[i].thread, NULL, read_many, &readers[i]) == 0);
  }
  for (unsigned i = 0; i < 8; i++) pthread_join(readers[i].thread, NULL);
  EQUALS(VixDiskLib_Close(disk), VIX_OK);
  EQUALS(VixDiskLib_Disconnect(connection), VIX_OK);
  EQUALS(VixDiskLib_EndAccess(&zero, "go"), VIX_OK);
  VixDiskLib_Exit();
}

/* Structures of the first headers, 72 bytes of parameters and 24 of creation, with nothing mapped behind them. */
static void short_structures(const char *folder) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED && munmap(pages + page, page) == 0);
  VixDiskLibConnectParams *old = (void *)(pages + page - 72);
  VixDiskLibCreateParams *create = (void *)(pages + page - 72 - 24);
  create->diskType = VIXDISKLIB_DISK_MONOLITHIC_SPARSE;
  create->adapterType = VIXDISKLIB_ADAPTER_SCSI_LSILOGIC;
  create->hwVersion = 7;
  create->capacity = 2048;
  EQUALS(VixDiskLib_InitEx(1, 0, NULL, NULL, NULL, NULL, NULL), VIX_OK);
  EQUALS(VixDiskLib_Connect(old, &connection), VIX_OK);
  char file[4096];
  snprintf(file, sizeof file, "%s/short.vmdk", folder);
  EQUALS(VixDiskLib_Create(connection, file, create, NULL, NULL), VIX_OK);
  EQUALS(VixDiskLib_Disconnect(connection), VIX_OK);
  old->vmxSpec = (char *)"moref=vm-1";
  old->serverName = (char *)"vcenter.example.invalid";
  EQUALS(VixDiskLib_ConnectEx(old, TRUE, "snapshot-1", NULL, &connection), VIX_E_CANNOT_CONNECT_TO_HOST);
  old->serverName = (char *)"127.0.0.1";
  EQUALS(VixDiskLib_ConnectEx(old, TRUE, "snapshot-1", NULL, &connection), VIX_E_VM_NOT_FOUND);
  VixDiskLib_Exit();
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  if (strcmp(argv[1], "dumper") == 0) dumper(argv[2]);
  if (strcmp(argv[1], "goroutines") == 0) goroutines(argv[2]);
  if (strcmp(argv[1], "short") == 0) short_structures(argv[2]);
  return 0;
}
