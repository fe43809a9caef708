/*
 * Pull backup as programs of the SDK do it, in the order of calls of its public client: begin, and for each disk its map (granularity,
 * size, bytes), every granule of it whole, then commit; the UUID is kept for the next time.
 *
 *   abackup full|incremental VM FOLDER [UUID]     <i>.full or <i>.delta, granules in place; <i>.cbt; uuid
 *   abackup hold VM                               leaves a backup open until it is killed
 */
#include "../../clients/assertions.h"
#include "prlSdk.h"

#include <fcntl.h>

static void require(PRL_RESULT result, const char *what) {
  if (PRL_SUCCEEDED(result)) return;
  char text[1024];
  PRL_UINT32 length = sizeof text;
  PrlApi_GetResultDescription(result, PRL_FALSE, PRL_FALSE, text, &length);
  fprintf(stderr, "%s: %s\n", what, text);
  exit(1);
}

/* Waits for a job; the first handle that it gave. */
static PRL_HANDLE finish(PRL_HANDLE job, const char *what) {
  PRL_RESULT code = PRL_ERR_UNEXPECTED;
  PRL_HANDLE result = PRL_INVALID_HANDLE, handle = PRL_INVALID_HANDLE;
  require(PrlJob_Wait(job, 600000), what);
  require(PrlJob_GetRetCode(job, &code), what);
  if (PRL_FAILED(code)) {
    PRL_HANDLE error;
    char text[1024];
    PRL_UINT32 length = sizeof text;
    require(PrlJob_GetError(job, &error), what);
    require(PrlEvent_GetErrString(error, PRL_FALSE, PRL_FALSE, text, &length), what);
    fprintf(stderr, "%s: %s\n", what, text);
    exit(1);
  }
  require(PrlJob_GetResult(job, &result), what);
  PrlResult_GetParam(result, &handle);
  PrlHandle_Free(result);
  PrlHandle_Free(job);
  return handle;
}

static unsigned told;

static PRL_RESULT on_event(PRL_HANDLE event, PRL_VOID_PTR data) {
  __atomic_add_fetch((unsigned *)data, 1, __ATOMIC_SEQ_CST);
  return PrlHandle_Free(event);
}

/* The VM of that name in the list, as the client looks for it. */
static PRL_HANDLE find_vm(PRL_HANDLE server, const char *wanted) {
  PRL_HANDLE job = PrlSrv_GetVmListEx(server, 0), result;
  PRL_UINT32 count = 0;
  require(PrlJob_Wait(job, PRL_WAIT_INFINITE), "list");
  require(PrlJob_GetResult(job, &result), "list");
  require(PrlResult_GetParamsCount(result, &count), "count");
  for (PRL_UINT32 i = 0; i < count; i++) {
    PRL_HANDLE vm;
    char name[64];
    PRL_UINT32 length = sizeof name;
    require(PrlResult_GetParamByIndex(result, i, &vm), "VM");
    require(PrlVmCfg_GetName(vm, name, &length), "name");
    if (strcmp(name, wanted) == 0) return vm;
    PrlHandle_Free(vm);
  }
  fprintf(stderr, "there is no %s among %u VMs\n", wanted, count);
  exit(1);
}

static int create(const char *folder, PRL_UINT32 index, const char *kind) {
  char path[512];
  snprintf(path, sizeof path, "%s/%u.%s", folder, index, kind);
  int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
  CHECK(file >= 0);
  return file;
}

static void write_all(int file, const void *bytes, size_t length, off_t at) {
  CHECK(pwrite(file, bytes, length, at) == (ssize_t)length);
}

static uint64_t size_of(PRL_HANDLE disk) {
  PRL_UINT32 size = 0;
  require(PrlDisk_GetDiskInfo(disk, NULL, &size), "size of the facts");
  PRL_DISK_PARAMETERS *facts = malloc(size);
  require(PrlDisk_GetDiskInfo(disk, facts, &size), "facts");
  uint64_t bytes = facts->m_SizeInSectors * 512;
  free(facts);
  return bytes;
}

static void back_up(PRL_HANDLE disk, PRL_UINT32 index, const char *folder, const char *uuid) {
  PRL_HANDLE map;
  PRL_UINT32 granularity = 0, bits = 0, bytes = 0;
  require(PrlDisk_GetChangesMap_Local(disk, uuid, NULL, &map), "map");
  require(PrlDiskMap_GetGranularity(map, &granularity), "granularity");
  require(PrlDiskMap_GetSize(map, &bits), "bits");
  bytes = (bits + 7) / 8;
  unsigned char *of = malloc(bytes);
  void *granule = NULL;
  CHECK(posix_memalign(&granule, 4096, granularity) == 0);
  require(PrlDiskMap_Read(map, of, &bytes), "map's bytes");
  require(PrlHandle_Free(map), "map's end");
  int cbt = create(folder, index, "cbt"), file = create(folder, index, uuid == NULL ? "full" : "delta");
  write_all(cbt, of, bytes, 0);
  CHECK(ftruncate(file, (off_t)size_of(disk)) == 0);
  for (PRL_UINT32 n = 0; n < bits; n++) {
    if ((of[n >> 3] & 1 << (n & 7)) == 0) continue;
    /* Whole, also where the disk ends inside it. */
    require(PrlDisk_Read(disk, granule, granularity, (PRL_UINT64)n * granularity / 512), "granule");
    write_all(file, granule, granularity, (off_t)n * granularity);
  }
  CHECK(ftruncate(file, (off_t)size_of(disk)) == 0);
  close(file);
  close(cbt);
  free(granule);
  free(of);
}

int main(int argc, char **argv) {
  CHECK(argc >= 3);
  PRL_HANDLE server = PRL_INVALID_HANDLE;
  require(PrlApi_InitEx(VIRTUOZZO_API_VER, PAM_SERVER, 0, 0), "init");
  require(PrlSrv_Create(&server), "server");
  PrlHandle_Free(finish(PrlSrv_LoginLocalEx(server, NULL, 0, PSL_HIGH_SECURITY, 0), "login"));
  PRL_HANDLE vm = find_vm(server, argv[2]);
  require(PrlVm_RegEventHandler(vm, on_event, &told), "handler");
  PRL_HANDLE backup = finish(PrlVm_BeginBackup(vm, PBMBF_CREATE_MAP), "begin");
  if (strcmp(argv[1], "hold") == 0) {
    puts("open");
    fflush(stdout);
    pause();
  }
  const char *folder = argv[3], *since = strcmp(argv[1], "full") == 0 ? NULL : argv[4];
  PRL_UINT32 disks = 0;
  void *xml = NULL;
  require(PrlHandle_ToString(backup, &xml), "text");
  CHECK(strncmp(xml, "<BackupActivity><Uuid>{", 23) == 0 && strstr(xml, "<State>nbd+unix:") != NULL);
  require(PrlBuffer_Free(xml), "its memory");
  require(PrlVmBackup_GetDisksCount(backup, &disks), "number of disks");
  for (PRL_UINT32 i = 0; i < disks; i++) {
    PRL_HANDLE disk;
    require(PrlVmBackup_GetDisk(backup, i, &disk), "disk");
    back_up(disk, i, folder, since);
    require(PrlDisk_Free(disk), "disk's end");
  }
  char uuid[64];
  PRL_UINT32 length = sizeof uuid;
  require(PrlVmBackup_GetUuid(backup, uuid, &length), "UUID");
  finish(PrlVmBackup_Commit(backup), "commit");
  PrlHandle_Free(backup);
  PrlHandle_Free(vm);
  finish(PrlSrv_Logoff(server), "logoff");
  PrlHandle_Free(server);
  require(PrlApi_Deinit(), "end");
  CHECK(__atomic_load_n(&told, __ATOMIC_SEQ_CST) >= 1);
  puts(uuid);
  return 0;
}
