/* What the library does when the command, the disk's server, or other threads of the program do what they should not. */
#include "check.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

static VixDiskLibConnection connection;
static VixDiskLibHandle disk;
static uint8 data[512], later[512];

static void begin(void) {
  EQUALS(VixDiskLib_InitEx(8, 0, print_log, NULL, NULL, NULL, NULL), VIX_OK);
  EQUALS(VixDiskLib_ConnectEx(NULL, FALSE, NULL, NULL, &connection), VIX_OK);
}

static void begin_disk(void) {
  begin();
  EQUALS(VixDiskLib_Open(connection, "disk", 0, &disk), VIX_OK);
}

static void said(VixError code, const char *part) {
  char *text = VixDiskLib_GetErrorText(code, NULL);
  if (strstr(text, part) == NULL) fprintf(stderr, "%s\n", text);
  CHECK(strstr(text, part) != NULL);
  VixDiskLib_FreeErrorText(text);
}

struct told {
  VixError code;
  int told;
};

static void note(void *to, VixError code) {
  struct told *told = to;
  told->code = code;
  __atomic_store_n(&told->told, 1, __ATOMIC_SEQ_CST);
}

/* With so few descriptors left that no command can be started, the program's own file, which is 3, stays as it is. */
static void descriptors(const char *file) {
  int own = open(file, O_RDWR | O_CREAT, 0600);
  CHECK(own >= 0 && (own == 3 || dup2(own, 3) == 3));
  struct rlimit few = {64, 64};
  CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
  int last = 3;
  for (int next; (next = dup(3)) >= 0;) last = next > last ? next : last;
  for (int left = 0; left < 9; left++) {
    VixError code = VixDiskLib_InitEx(8, 0, NULL, NULL, NULL, NULL, NULL);
    struct stat is;
    CHECK(fstat(3, &is) == 0 && is.st_size == 0);
    if (code == VIX_OK) {
      VixDiskLib_Exit();
      return;
    }
    EQUALS(code, VIX_E_DISK_SUBSYSTEM_INIT_FAIL);
    said(code, "could not be started");
    close(last--);
  }
}

/* The command answers no read: everything ends, and says why. */
static void silent(void) {
  begin_disk();
  struct told told = {0, 0};
  EQUALS(VixDiskLib_ReadAsync(disk, 0, 1, later, note, &told), VIX_ASYNC);
  EQUALS(VixDiskLib_Read(disk, 0, 1, data), VIX_E_HOST_CONNECTION_LOST);
  EQUALS(VixDiskLib_Wait(disk), VIX_OK);
  EQUALS(told.code, VIX_E_HOST_CONNECTION_LOST);
  EQUALS(VixDiskLib_Close(disk), VIX_E_HOST_CONNECTION_LOST);
  VixDiskLib_Exit();
}

/* Answers of success that lack what was asked for are none, and nothing is written where it belongs. */
static void short_answers(void) {
  begin_disk();
  VixDiskLibConnection other = NULL;
  VixDiskLibHandle none = NULL;
  VixDiskLibConnectParams *params = NULL;
  uint64 bytes = 7;
  uint32 cleaned = 7, remaining = 7;
  EQUALS(VixDiskLib_ConnectEx(NULL, FALSE, "short", NULL, &other), VIX_E_FAIL);
  EQUALS(VixDiskLib_Open(connection, "short", 0, &none), VIX_E_FAIL);
  EQUALS(VixDiskLib_GetConnectParams(connection, &params), VIX_E_FAIL);
  EQUALS(VixDiskLib_SpaceNeededForClone(disk, VIXDISKLIB_DISK_MONOLITHIC_SPARSE, &bytes), VIX_E_FAIL);
  EQUALS(VixDiskLib_Cleanup(NULL, &cleaned, &remaining), VIX_E_FAIL);
  CHECK(other == NULL && none == NULL && params == NULL && bytes == 7 && cleaned == 7 && remaining == 7);
  EQUALS(VixDiskLib_Close(disk), VIX_OK);
  VixDiskLib_Exit();
}

/* The command reads no more: who sends does not hang either, and his buffer is his again when it is told. */
static void deaf(void) {
  begin_disk();
  EQUALS(VixDiskLib_Rename("deaf", ""), VIX_OK);
  uint8 *much = calloc(2048, VIXDISKLIB_SECTOR_SIZE);
  struct told told = {0, 0};
  EQUALS(VixDiskLib_WriteAsync(disk, 0, 2048, much, note, &told), VIX_ASYNC);
  EQUALS(VixDiskLib_Wait(disk), VIX_OK);
  EQUALS(told.code, VIX_E_HOST_CONNECTION_LOST);
  free(much);
  VixDiskLib_Exit();
}

static void close_it(const char *format, va_list list) {
  print_log(format, list);
  VixDiskLib_Close(disk);
}

/* The log function closes the very disk whose read failed. */
static void closes(pid_t server) {
  EQUALS(VixDiskLib_InitEx(8, 0, close_it, NULL, NULL, NULL, NULL), VIX_OK);
  EQUALS(VixDiskLib_ConnectEx(NULL, FALSE, NULL, NULL, &connection), VIX_OK);
  EQUALS(VixDiskLib_Open(connection, "disk", 0, &disk), VIX_OK);
  CHECK(kill(server, SIGKILL) == 0);
  EQUALS(VixDiskLib_Read(disk, 0, 1, data), VIX_E_DISK_NOIO);
  EQUALS(VixDiskLib_Close(disk), VIX_E_INVALID_HANDLE);
  VixDiskLib_Exit();
}

/* The server of the disk, of this number, stands still. */
static void stuck(pid_t server) {
  begin_disk();
  struct told told = {0, 0};
  EQUALS(VixDiskLib_ReadAsync(disk, 0, 1, later, note, &told), VIX_ASYNC);
  EQUALS(VixDiskLib_Wait(disk), VIX_OK);
  EQUALS(told.code, VIX_OK);
  EQUALS(VixDiskLib_Read(disk, 0, 1, data), VIX_OK);
  CHECK(kill(server, SIGSTOP) == 0);
  EQUALS(VixDiskLib_ReadAsync(disk, 0, 1, later, note, &told), VIX_ASYNC);
  EQUALS(VixDiskLib_Read(disk, 0, 1, data), VIX_E_DISK_NOIO);
  said(VIX_E_DISK_NOIO, "sectors 0 to 1: the server of the disk gave no sign of life");
  EQUALS(VixDiskLib_Wait(disk), VIX_OK);
  EQUALS(told.code, VIX_E_DISK_NOIO);
  EQUALS(VixDiskLib_Close(disk), VIX_OK);
  VixDiskLib_Exit();
}

/* The server is gone before the first asynchronous call. */
static void gone(pid_t server) {
  begin_disk();
  CHECK(kill(server, SIGKILL) == 0);
  struct told told = {0, 0};
  EQUALS(VixDiskLib_ReadAsync(disk, 0, 1, later, note, &told), VIX_E_DISK_NOIO);
  said(VIX_E_DISK_NOIO, "sectors 0 to 1: nbd_");
  EQUALS(told.told, 0);
  VixDiskLib_Exit();
}

static void *open_late(void *out) {
  VixDiskLibHandle never = NULL;
  *(VixError *)out = VixDiskLib_Open(connection, "late", 0, &never);
  CHECK(never == NULL);
  return NULL;
}

static void *close_disk(void *out) {
  *(VixError *)out = VixDiskLib_Close(disk);
  return NULL;
}

static void *disconnect(void *out) {
  *(VixError *)out = VixDiskLib_Disconnect(connection);
  return NULL;
}

static void *read_sector(void *out) {
  *(VixError *)out = VixDiskLib_Read(disk, 0, 1, data);
  return NULL;
}

/* A disk is opened while its connection ends; a disk is closed while its connection ends. */
static void threads(void) {
  pthread_t closer, other;
  VixError opened = 0, closed = 1, ended = 1;
  begin();
  CHECK(pthread_create(&other, NULL, open_late, &opened) == 0);
  EQUALS(VixDiskLib_Rename("when", "Open"), VIX_OK);
  EQUALS(VixDiskLib_Disconnect(connection), VIX_OK);
  pthread_join(other, NULL);
  EQUALS(opened, VIX_E_DISK_INVALID_CONNECTION);
  said(opened, "late: the connection was ended meanwhile");
  EQUALS(VixDiskLib_ConnectEx(NULL, FALSE, NULL, NULL, &connection), VIX_OK);
  EQUALS(VixDiskLib_Rename("when", "Disconnect"), VIX_OK);
  EQUALS(VixDiskLib_Open(connection, "disk", 0, &disk), VIX_OK);
  struct told told = {0, 0};
  EQUALS(VixDiskLib_ReadAsync(disk, 0, 1, later, note, &told), VIX_ASYNC);
  CHECK(pthread_create(&closer, NULL, close_disk, &closed) == 0);
  while (VixDiskLib_GetTransportMode(disk) != NULL) sched_yield();
  CHECK(pthread_create(&other, NULL, disconnect, &ended) == 0);
  VixDiskLibConnectParams *params;
  while (VixDiskLib_GetConnectParams(connection, &params) == VIX_OK) VixDiskLib_FreeConnectParams(params);
  EQUALS(VixDiskLib_Rename("release", ""), VIX_OK);
  pthread_join(closer, NULL);
  pthread_join(other, NULL);
  EQUALS(closed, VIX_OK);
  EQUALS(ended, VIX_OK);
  EQUALS(told.code, VIX_OK);
  EQUALS(VixDiskLib_Rename("order", "Disconnect Close Disconnect"), VIX_OK);
  VixDiskLib_Exit();
}

/* What another thread waits for is not waited for by those who wait for asynchronous calls. */
static void waits(void) {
  pthread_t reader;
  VixError code = 1;
  begin_disk();
  CHECK(pthread_create(&reader, NULL, read_sector, &code) == 0);
  EQUALS(VixDiskLib_Rename("when", "Read"), VIX_OK);
  EQUALS(VixDiskLib_Wait(disk), VIX_OK);
  EQUALS(VixDiskLib_Flush(disk), VIX_OK);
  EQUALS(VixDiskLib_Rename("release", ""), VIX_OK);
  pthread_join(reader, NULL);
  EQUALS(code, VIX_OK);
  CHECK(data[0] == 'r');
  VixDiskLib_Exit();
}

/* A copy by fork that lives on does not hold the command, which sees the end of the program and tells by a file. */
static void copies(const char *ended) {
  int tell[2];
  CHECK(pipe(tell) == 0);
  pid_t program = fork();
  if (program == 0) {
    begin();
    pid_t copy = fork();
    if (copy == 0)
      for (;;) pause();
    CHECK(write(tell[1], &copy, sizeof copy) == sizeof copy);
    _exit(0);
  }
  pid_t copy;
  CHECK(read(tell[0], &copy, sizeof copy) == sizeof copy);
  EQUALS(waitpid(program, NULL, 0), program);
  int turns = 0;
  while (access(ended, F_OK) != 0 && turns < 6000) {
    usleep(10000);
    turns++;
  }
  bool lives = kill(copy, 0) == 0;
  kill(copy, SIGKILL);
  CHECK(lives && turns < 6000);
}

static int nested;

static void begin_again(const char *format, va_list list) {
  print_log(format, list);
  if (nested++ > 0) return;
  EQUALS(VixDiskLib_InitEx(8, 0, begin_again, NULL, NULL, NULL, NULL), VIX_OK);
  VixDiskLib_Exit();
}

/* The program's log function may call the library. */
static void logs(void) {
  EQUALS(VixDiskLib_InitEx(8, 0, begin_again, NULL, NULL, NULL, NULL), VIX_OK);
  CHECK(nested > 0);
  VixDiskLib_Exit();
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  const char *what = argv[1];
  if (strcmp(what, "descriptors") == 0) descriptors(argv[2]);
  if (strcmp(what, "silent") == 0) silent();
  if (strcmp(what, "short") == 0) short_answers();
  if (strcmp(what, "deaf") == 0) deaf();
  if (strcmp(what, "closes") == 0) closes(atoi(argv[2]));
  if (strcmp(what, "stuck") == 0) stuck(atoi(argv[2]));
  if (strcmp(what, "gone") == 0) gone(atoi(argv[2]));
  if (strcmp(what, "threads") == 0) threads();
  if (strcmp(what, "waits") == 0) waits();
  if (strcmp(what, "copies") == 0) copies(argv[2]);
  if (strcmp(what, "logs") == 0) logs();
  puts("done");
  return 0;
}
