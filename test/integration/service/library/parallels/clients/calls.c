/* Calls of every kind, each with what it gives and what it refuses; and what a library in somebody else's process must stand. */
#include "../../clients/assertions.h"
#include "prlSdk.h"

#include <stdatomic.h>
#include <stdbool.h>

#define CODE(call, wanted) EQUALS((uint32_t)(call), (uint32_t)(wanted))
#define OK(call) CODE(call, PRL_ERR_SUCCESS)

enum { KIB64 = 65536, MIB = 1 << 20 };

/* A copy of the process has no other thread, and what only they pointed to looks lost to the leak sanitizer, which asks this. */
static int is_copy;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return is_copy; }

static const char *name_of(PRL_RESULT code) {
  PRL_CONST_STR name;
  OK(PrlDbg_PrlResultToString(code, &name));
  return name;
}

static PRL_RESULT job_code(PRL_HANDLE job) {
  PRL_RESULT code = 1;
  OK(PrlJob_Wait(job, PRL_WAIT_INFINITE));
  OK(PrlJob_GetRetCode(job, &code));
  return code;
}

PRL_RESULT PrlAcl_GetOwnerName(PRL_HANDLE, PRL_STR, PRL_UINT32_PTR);
PRL_HANDLE PrlVm_Start(PRL_HANDLE);

static void before_it_is_initialised(void) {
  PRL_HANDLE handle = (PRL_HANDLE)5;
  PRL_UINT32 number = 7;
  char text[64];
  CODE(PrlHandle_Free(handle), PRL_ERR_API_WASNT_INITIALIZED);
  CODE(PrlApi_CreateStringsList(&handle), PRL_ERR_API_WASNT_INITIALIZED);
  CODE(PrlDisk_FlushCache(handle), PRL_ERR_INVALID_ARG);
  CODE(PrlDisk_OpenDisk_Local(&handle, "/x", PRL_DISK_READ, NULL), PRL_ERR_API_WASNT_INITIALIZED);
  CODE(PrlDisk_Read(handle, text, 512, 0), PRL_ERR_INVALID_ARG);
  CODE(PrlSrv_RegEventHandler(handle, NULL, NULL), PRL_ERR_API_WASNT_INITIALIZED);
  CODE(PrlSrv_UnregEventHandler(handle, NULL, NULL), PRL_ERR_API_WASNT_INITIALIZED);
  CODE(PrlApi_Deinit(), PRL_ERR_API_WASNT_INITIALIZED);
  CODE(PrlAcl_GetOwnerName(NULL, NULL, NULL), PRL_ERR_UNIMPLEMENTED);
  CODE(PrlJob_Wait(PrlVm_Start(NULL), 0), PRL_ERR_API_WASNT_INITIALIZED);
  CHECK(strcmp(name_of(PRL_ERR_NO_DATA), "PRL_ERR_NO_DATA") == 0);
  CHECK(strcmp(name_of(12345), "PRL_ERR_UNKNOWN_RESULT") == 0);
  PRL_CONST_STR type;
  OK(PrlDbg_HandleTypeToString(PHT_VIRTUAL_DISK_MAP, &type));
  CHECK(strcmp(type, "PHT_VIRTUAL_DISK_MAP") == 0);
  number = 4;
  CODE(PrlApi_GetResultDescription(PRL_ERR_NO_DATA, 1, 0, text, &number), PRL_ERR_BUFFER_OVERRUN);
  EQUALS(number, sizeof "PRL_ERR_NO_DATA");
  OK(PrlApi_GetResultDescription(PRL_ERR_NO_DATA, 1, 0, text, &number));
  CHECK(strcmp(text, "PRL_ERR_NO_DATA") == 0);
  CODE(PrlApi_GetResultDescription(PRL_ERR_NO_DATA, 1, 0, text, NULL), PRL_ERR_INVALID_ARG);
}

static void texts(void) {
  PRL_HANDLE list, handles;
  PRL_UINT32 count = 0, length = 0;
  OK(PrlApi_CreateStringsList(&list));
  OK(PrlStrList_AddItem(list, "snow"));
  CODE(PrlStrList_AddItem(list, NULL), PRL_ERR_INVALID_ARG);
  CODE(PrlStrList_AddItem(list, "\xff"), PRL_ERR_INVALID_ARG);
  OK(PrlStrList_GetItemsCount(list, &count));
  EQUALS(count, 1);
  CODE(PrlStrList_GetItemsCount(list, NULL), PRL_ERR_INVALID_ARG);
  void *xml = &list;
  CODE(PrlHandle_ToString(list, &xml), PRL_ERR_UNIMPLEMENTED);
  CODE(PrlHandle_ToString(list, NULL), PRL_ERR_INVALID_ARG);
  CHECK(xml == &list);
  OK(PrlStrList_GetItem(list, 0, NULL, &length));
  EQUALS(length, 5);
  char *exact = at_page_end(5), *less = at_page_end(4);
  OK(PrlStrList_GetItem(list, 0, exact, &length));
  CHECK(strcmp(exact, "snow") == 0);
  length = 4;
  CODE(PrlStrList_GetItem(list, 0, less, &length), PRL_ERR_BUFFER_OVERRUN);
  CHECK(memcmp(less, "snow", 4) == 0);
  EQUALS(length, 5);
  length = 4;
  CODE(PrlStrList_GetItem(list, 1, less, &length), PRL_ERR_INVALID_ARG);
  CHECK(memcmp(less, "snow", 4) == 0);
  EQUALS(length, 4);
  CODE(PrlStrList_GetItem(list, 0, less, NULL), PRL_ERR_INVALID_ARG);
  OK(PrlApi_CreateHandlesList(&handles));
  OK(PrlHndlList_AddItem(handles, list));
  PRL_HANDLE again;
  OK(PrlHndlList_GetItem(handles, 0, &again));
  CHECK(again == list);
  OK(PrlHandle_Free(handles));
  OK(PrlHandle_Free(again));
  PRL_HANDLE_TYPE type = 0;
  OK(PrlHandle_GetType(list, &type));
  EQUALS(type, PHT_STRINGS_LIST);
  OK(PrlHandle_Free(list));
  PRL_HANDLE none[] = {list, NULL, (PRL_HANDLE)1, (PRL_HANDLE)&list, (PRL_HANDLE)~0ul};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    CODE(PrlHandle_Free(none[i]), PRL_ERR_INVALID_ARG);
    CODE(PrlDisk_FlushCache(none[i]), PRL_ERR_INVALID_ARG);
    CODE(job_code(PrlSrv_GetVmList(none[i])), PRL_ERR_INVALID_ARG);
  }
}

static PRL_HANDLE create(const char *file, uint64_t sectors) {
  PRL_HANDLE disk = NULL;
  PRL_DISK_PARAMETERS *wanted = at_page_end(sizeof *wanted);
  EQUALS(sizeof *wanted, 60);
  wanted->m_SizeInSectors = sectors;
  OK(PrlDisk_CreateDisk_Local(&disk, file, wanted, NULL, NULL));
  CODE(PrlDisk_CreateDisk_Local(&disk, file, wanted, NULL, NULL), PRL_ERR_DISK_FILE_EXISTS);
  CODE(PrlDisk_CreateDisk_Local(&disk, "/none", NULL, NULL, NULL), PRL_ERR_INVALID_ARG);
  CODE(PrlDisk_CreateDisk_Local(&disk, "/none", wanted, (PRL_DISK_CALLBACK)1, NULL), PRL_ERR_UNIMPLEMENTED);
  return disk;
}

static void info(PRL_HANDLE disk, const char *file, uint64_t sectors) {
  PRL_UINT32 size = 0, little = 90;
  OK(PrlDisk_GetDiskInfo(disk, NULL, &size));
  EQUALS(size, 88 + 2 * (strlen(file) + 1));
  PRL_DISK_PARAMETERS *told = at_page_end(size);
  CODE(PrlDisk_GetDiskInfo(disk, told, &little), PRL_ERR_INVALID_ARG);
  EQUALS(little, 90);
  CODE(PrlDisk_GetDiskInfo(disk, NULL, &size), PRL_ERR_INVALID_ARG);
  CODE(PrlDisk_GetDiskInfo(disk, told, NULL), PRL_ERR_INVALID_ARG);
  OK(PrlDisk_GetDiskInfo(disk, told, &size));
  EQUALS(told->m_SizeInSectors, sectors);
  EQUALS(told->m_BlockSize, 128);
  EQUALS(told->m_Parts, 1);
  EQUALS(told->m_Storages->m_Size, sectors * 512);
  CHECK(strcmp(told->m_Storages->m_FileName, file) == 0);
  CHECK(strcmp(told->m_Name, file) == 0);
}

static PRL_UINT32 map_bits(PRL_HANDLE map, uint8_t **bits) {
  PRL_UINT32 bytes = 0, granularity = 0, count = 0;
  OK(PrlDiskMap_GetGranularity(map, &granularity));
  EQUALS(granularity, KIB64);
  OK(PrlDiskMap_GetSize(map, &count));
  OK(PrlDiskMap_Read(map, NULL, &bytes));
  EQUALS(bytes, (count + 7) / 8);
  *bits = at_page_end(bytes);
  PRL_UINT32 less = bytes - 1;
  CODE(PrlDiskMap_Read(map, *bits, &less), PRL_ERR_BUFFER_OVERRUN);
  EQUALS(less, bytes);
  CODE(PrlDiskMap_Read(map, *bits, NULL), PRL_ERR_INVALID_ARG);
  OK(PrlDiskMap_Read(map, *bits, &bytes));
  OK(PrlHandle_Free(map));
  return count;
}

/* A disk whose size ends in the middle of a granule; its bytes both ways, in one piece and in many. */
static void disk_bytes(const char *file) {
  const uint64_t sectors = 5 * MIB / 512 + 3;
  PRL_HANDLE disk = create(file, sectors);
  info(disk, file, sectors);
  uint8_t *data = malloc(5 * MIB), *back = malloc(5 * MIB + KIB64);
  for (size_t i = 0; i < 5 * MIB; i++) data[i] = (uint8_t)(i * 31 >> 7);
  OK(PrlDisk_Write(disk, data, 5 * MIB, 1));
  OK(PrlDisk_FlushCache(disk));
  memset(back, 0xee, 5 * MIB + KIB64);
  OK(PrlDisk_Read(disk, back, 5 * MIB, 1));
  CHECK(memcmp(data, back, 5 * MIB) == 0);
  /* The last granule is longer than the disk: zeros. */
  OK(PrlDisk_Read(disk, back, 5 * MIB + KIB64, 0));
  CHECK(memcmp(data, back + 512, 5 * MIB) == 0);
  for (size_t i = 5 * MIB + 512; i < 5 * MIB + KIB64; i++) CHECK(back[i] == 0);
  CODE(PrlDisk_Read(disk, back, KIB64, sectors), PRL_ERR_DISK_READ_OUT_DISK);
  CODE(PrlDisk_Read(disk, NULL, 512, 0), PRL_ERR_INVALID_ARG);
  CODE(PrlDisk_Read(disk, back, 511, 0), PRL_ERR_INVALID_ARG);
  CODE(PrlDisk_Read(disk, back, 512, ~0ull), PRL_ERR_INVALID_ARG);
  OK(PrlDisk_Read(disk, back, 0, 0));
  /* Of a write that passes the end nothing is written. */
  uint8_t *other = malloc(5 * MIB);
  memset(other, 0x11, 5 * MIB);
  CODE(PrlDisk_Write(disk, other, 5 * MIB, 4), PRL_ERR_DISK_READ_OUT_DISK);
  CODE(PrlDisk_Write(disk, other, MIB, sectors - 2047), PRL_ERR_DISK_READ_OUT_DISK);
  /* Nor of one that ends in the middle of a sector, or whose places are no numbers any more. */
  CODE(PrlDisk_Write(disk, other, 2 * MIB + 100, 1), PRL_ERR_INVALID_ARG);
  CODE(PrlDisk_Write(disk, other, MIB, ~0ull), PRL_ERR_INVALID_ARG);
  CODE(PrlDisk_Write(disk, other, 2 * MIB, ~0ull), PRL_ERR_INVALID_ARG);
  CODE(PrlDisk_Write(disk, other, 2 * MIB, ~0ull / 512), PRL_ERR_INVALID_ARG);
  OK(PrlDisk_Read(disk, back, 5 * MIB, 1));
  CHECK(memcmp(data, back, 5 * MIB) == 0);
  free(other);
  OK(PrlDisk_Free(disk));
  CODE(PrlDisk_Read(disk, back, 512, 0), PRL_ERR_INVALID_ARG);
  free(data);
  free(back);
}

/* A map of 4 MiB. */
static void large_map(const char *file) {
  const uint64_t sectors = 1ull << 32;
  PRL_HANDLE disk = create(file, sectors), map = NULL;
  uint8_t sector[512] = {1}, *bits;
  OK(PrlDisk_Write(disk, sector, 512, 0));
  OK(PrlDisk_Write(disk, sector, 512, sectors - 1));
  /* As long as it is written to, nobody knows what it holds. */
  CODE(PrlDisk_GetChangesMap_Local(disk, NULL, NULL, &map), PRL_ERR_FAILURE);
  OK(PrlDisk_Free(disk));
  OK(PrlDisk_OpenDisk_Local(&disk, file, PRL_DISK_READ, NULL));
  CODE(PrlDisk_GetChangesMap_Local(disk, NULL, NULL, NULL), PRL_ERR_INVALID_ARG);
  OK(PrlDisk_GetChangesMap_Local(disk, NULL, NULL, &map));
  PRL_UINT32 count = map_bits(map, &bits);
  EQUALS(count, sectors / 128);
  EQUALS(bits[0], 1);
  EQUALS(bits[count / 8 - 1], 0x80);
  for (PRL_UINT32 i = 1; i + 1 < count / 8; i++) CHECK(bits[i] == 0);
  OK(PrlDisk_Free(disk));
}

/* What has changed since a point in time, and reads that a policy shifts. */
static void changes(const char *file, const char *point) {
  PRL_HANDLE disk = NULL, map = NULL, policy, list;
  /* By a name of the folder that the program is in now, which is not that of the command. */
  char folder[256];
  snprintf(folder, sizeof folder, "%s", file);
  char *slash = strrchr(folder, '/');
  *slash = '\0';
  CHECK(chdir(folder) == 0);
  OK(PrlDisk_OpenDisk_Local(&disk, slash + 1, PRL_DISK_READ, NULL));
  CHECK(chdir("/") == 0);
  OK(PrlDisk_GetChangesMap_Local(disk, point, NULL, &map));
  uint8_t *bits, sector[512];
  map_bits(map, &bits);
  EQUALS(bits[0], 0);
  EQUALS(bits[2], 0x3);
  map = NULL;
  CODE(PrlDisk_GetChangesMap_Local(disk, "{00000000-1111-2222-3333-444444444444}", NULL, &map), PRL_ERR_NO_DATA);
  CODE(PrlDisk_GetChangesMap_Local(disk, "", NULL, &map), PRL_ERR_NO_DATA);
  CHECK(map == NULL);
  CODE(PrlDisk_Write(disk, sector, 512, 0), PRL_ERR_DISK_OPERATION_NOT_ALLOWED);
  OK(PrlDisk_Free(disk));
  OK(PrlDiskOpenPolicy_CreateOffset(&policy, MIB));
  OK(PrlApi_CreateHandlesList(&list));
  OK(PrlHndlList_AddItem(list, policy));
  OK(PrlDisk_OpenDisk_Local(&disk, file, PRL_DISK_READ, list));
  OK(PrlDisk_Read(disk, sector, 512, 0));
  EQUALS(sector[0], 7);
  CODE(PrlDisk_OpenDisk_Local(&disk, "/no/such.qcow2", PRL_DISK_READ, NULL), PRL_ERR_INVALID_ARG);
  CODE(PrlDisk_OpenDisk_Local(NULL, file, PRL_DISK_READ, NULL), PRL_ERR_INVALID_ARG);
}

static void jobs(PRL_HANDLE server) {
  PRL_HANDLE result, event, job = PrlSrv_GetVmList(server);
  PRL_UINT32 count = 9, status = 0, operation = 0;
  EQUALS(job_code(job), 0);
  OK(PrlJob_GetResult(job, &result));
  OK(PrlResult_GetParamsCount(result, &count));
  EQUALS(count, 0);
  CODE(PrlResult_GetParam(result, &event), PRL_ERR_INVALID_ARG);
  OK(PrlJob_GetStatus(job, &status));
  EQUALS(status, PJS_FINISHED);
  OK(PrlJob_GetOpCode(job, &operation));
  EQUALS(operation, PJOC_SRV_GET_VM_LIST);
  CODE(PrlJob_GetError(job, &event), PRL_ERR_NO_DATA);
  job = PrlSrv_GetVmConfig(server, "nobody", 0);
  CODE(job_code(job), PRL_ERR_VM_UUID_NOT_FOUND);
  OK(PrlJob_GetError(job, &event));
  char text[256];
  PRL_UINT32 length = sizeof text;
  OK(PrlEvent_GetErrString(event, 0, 0, text, &length));
  CHECK(strstr(text, "there is no VM \"nobody\"") != NULL);
  PRL_RESULT code = 0;
  OK(PrlEvent_GetErrCode(event, &code));
  CODE(code, PRL_ERR_VM_UUID_NOT_FOUND);
  CODE(job_code(PrlSrv_Login(server, "h", "u", "p", NULL, 0, 0, 0)), PRL_ERR_UNIMPLEMENTED);
  job = PrlVm_Start(server);
  CODE(job_code(job), PRL_ERR_UNIMPLEMENTED);
  length = sizeof text;
  OK(PrlApi_GetResultDescription(PRL_ERR_UNIMPLEMENTED, 0, 0, text, &length));
  CHECK(strstr(text, "PrlVm_Start is not implemented") != NULL);
}

static atomic_int told;

static PRL_RESULT note(PRL_HANDLE event, PRL_VOID_PTR data) {
  PRL_RESULT code = 1;
  OK(PrlJob_GetRetCode(event, &code));
  EQUALS(code, 0);
  OK(PrlHandle_Free(event));
  /* It would wait for itself. */
  CODE(PrlApi_Deinit(), PRL_ERR_FAILURE);
  CHECK(data == &told);
  atomic_fetch_add(&told, 1);
  return PRL_ERR_SUCCESS;
}

static void events(PRL_HANDLE server) {
  CODE(PrlSrv_UnregEventHandler(server, note, &told), PRL_ERR_INVALID_ARG);
  CODE(PrlSrv_RegEventHandler(server, NULL, NULL), PRL_ERR_INVALID_ARG);
  CODE(PrlSrv_RegEventHandler((PRL_HANDLE)1, note, &told), PRL_ERR_INVALID_ARG);
  OK(PrlSrv_RegEventHandler(server, note, &told));
  OK(PrlHandle_Free(PrlSrv_GetVmList(server)));
  while (atomic_load(&told) < 1) usleep(1000);
  CODE(PrlSrv_UnregEventHandler(server, note, NULL), PRL_ERR_INVALID_ARG);
  OK(PrlSrv_UnregEventHandler(server, note, &told));
  EQUALS(job_code(PrlSrv_GetVmList(server)), 0);
  EQUALS(atomic_load(&told), 1);
  /* Still registered when the library is ended. */
  OK(PrlSrv_RegEventHandler(server, note, &told));
}

static void *read_often(void *disk) {
  uint8_t data[4096];
  PRL_HANDLE list;
  for (int i = 0; i < 50; i++) {
    OK(PrlDisk_Read(disk, data, sizeof data, MIB / 512));
    EQUALS(data[17], 7);
    OK(PrlApi_CreateStringsList(&list));
    OK(PrlHandle_Free(list));
  }
  return NULL;
}

static void threads(const char *file) {
  PRL_HANDLE disk;
  pthread_t all[4];
  OK(PrlDisk_OpenDisk_Local(&disk, file, PRL_DISK_READ, NULL));
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&all[i], NULL, read_often, disk) == 0);
  for (int i = 0; i < 4; i++) pthread_join(all[i], NULL);
  OK(PrlDisk_Free(disk));
}

static void copy_of_the_process(PRL_HANDLE server) {
  pid_t copy = fork();
  if (copy == 0) {
    is_copy = 1;
    PRL_HANDLE handle;
    CODE(PrlApi_CreateStringsList(&handle), PRL_ERR_API_WASNT_INITIALIZED);
    CODE(PrlSrv_RegEventHandler(server, note, NULL), PRL_ERR_API_WASNT_INITIALIZED);
    CODE(PrlApi_Init(VIRTUOZZO_API_VER), PRL_ERR_API_WASNT_INITIALIZED);
    CODE(PrlApi_Deinit(), PRL_ERR_API_WASNT_INITIALIZED);
    exit(0);
  }
  int status = 1;
  CHECK(waitpid(copy, &status, 0) == copy && status == 0);
  EQUALS(job_code(PrlSrv_GetVmList(server)), 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 4);
  const char *folder = argv[1], *file = argv[2], *point = argv[3];
  char made[2][256];
  snprintf(made[0], sizeof made[0], "%s/made.qcow2", folder);
  snprintf(made[1], sizeof made[1], "%s/large.qcow2", folder);
  before_it_is_initialised();
  CODE(PrlApi_InitEx(0xb0000, PAM_SERVER, 0, 0), PRL_ERR_API_INCOMPATIBLE);
  char text[256];
  PRL_UINT32 length = sizeof text, version = 0;
  OK(PrlApi_GetResultDescription(PRL_ERR_API_INCOMPATIBLE, 0, 0, text, &length));
  CHECK(strstr(text, "version 720896 is asked for") != NULL);
  /* Nothing was begun: a copy of the process may begin. */
  pid_t copy = fork();
  if (copy == 0) {
    is_copy = 1;
    OK(PrlApi_GetResultDescription(PRL_ERR_NO_DATA, 0, 0, NULL, &length));
    exit(0);
  }
  int status = 1;
  CHECK(waitpid(copy, &status, 0) == copy && status == 0);
  OK(PrlApi_Init(VIRTUOZZO_API_VER));
  OK(PrlApi_InitEx(0xe0000000u | 1, PAM_SERVER, 0, 0));
  OK(PrlApi_GetVersion(&version));
  EQUALS(version, VIRTUOZZO_API_VER);
  texts();
  disk_bytes(made[0]);
  large_map(made[1]);
  changes(file, point);
  threads(file);
  PRL_HANDLE server;
  OK(PrlSrv_Create(&server));
  CODE(job_code(PrlSrv_GetVmList(server)), PRL_ERR_INVALID_PARAM);
  EQUALS(job_code(PrlSrv_LoginLocalEx(server, NULL, 0, PSL_HIGH_SECURITY, 0)), 0);
  jobs(server);
  copy_of_the_process(server);
  events(server);
  OK(PrlApi_Deinit());
  EQUALS(job_code(PrlSrv_Logoff(server)), 0);
  /* What is told of its end comes before that of the library. */
  while (atomic_load(&told) < 2) usleep(1000);
  OK(PrlApi_Deinit());
  CODE(PrlHandle_Free(server), PRL_ERR_API_WASNT_INITIALIZED);
  /* Another session gives other handles. */
  OK(PrlApi_Init(VIRTUOZZO_API_VER));
  PRL_HANDLE other;
  OK(PrlSrv_Create(&other));
  CHECK((uintptr_t)other > (uintptr_t)server);
  CODE(PrlHandle_Free(server), PRL_ERR_INVALID_ARG);
  OK(PrlApi_Deinit());
  puts("all calls");
  return 0;
}
