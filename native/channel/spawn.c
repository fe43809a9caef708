#include "spawn.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Folders above the library in which its package may be. */
enum { MAX_CLIMB = 8, MAX_FALLBACK_FD = 65536 };
static const char PLACES[] = "/usr/local/bin:/usr/bin:/bin";

static bool is_program(const char *path) { return access(path, X_OK) == 0; }

/* The first of that name in PATH and the usual places. */
static bool find_program(const char *name, char *found, size_t room) {
  const char *lists[2] = {secure_getenv("PATH"), PLACES};
  for (size_t i = 0; i < 2; i++) {
    for (const char *at = lists[i]; at != NULL && *at != '\0';) {
      const char *end = strchrnul(at, ':');
      int length = snprintf(found, room, "%.*s/%s", (int)(end - at), at, name);
      if (at[0] == '/' && length > 0 && (size_t)length < room && is_program(found)) return true;
      at = *end == '\0' ? end : end + 1;
    }
  }
  return false;
}

/* The command of the package that this very file lies in. */
static bool find_beside(char *found, size_t room) {
  Dl_info self;
  char real[PATH_MAX];
  if (dladdr((const void *)(uintptr_t)&cbt_spawn, &self) == 0 || self.dli_fname == NULL) return false;
  if (realpath(self.dli_fname, real) == NULL) return false;
  for (int i = 0; i < MAX_CLIMB; i++) {
    char *slash = strrchr(real, '/');
    if (slash == NULL || slash == real) return false;
    *slash = '\0';
    int length = snprintf(found, room, "%s/bin/qemu-cbt.js", real);
    if (length > 0 && (size_t)length < room && access(found, R_OK) == 0) return true;
  }
  return false;
}

/* The environment without what was meant for the program alone: libraries to load, and Node's own settings. */
static char **own_environment(void) {
  static const char *const LEFT_OUT[] = {"LD_LIBRARY_PATH=", "LD_PRELOAD=", "NODE_OPTIONS=", "NODE_CHANNEL_FD="};
  size_t count = 0;
  while (environ != NULL && environ[count] != NULL) count++;
  char **kept = calloc(count + 1, sizeof *kept);
  if (kept == NULL) return NULL;
  size_t to = 0;
  for (size_t i = 0; i < count; i++) {
    bool out = false;
    for (size_t k = 0; k < sizeof LEFT_OUT / sizeof *LEFT_OUT; k++)
      out = out || strncmp(environ[i], LEFT_OUT[k], strlen(LEFT_OUT[k])) == 0;
    if (!out) kept[to++] = environ[i];
  }
  return kept;
}

/* A copy of this process that no SIGCHLD tells of; no handler of pthread_atfork runs. */
static pid_t copy_process(void) { return (pid_t)syscall(SYS_clone, 0L, NULL, NULL, NULL, NULL); }

/* Between here and exec only what is safe in a copy of a process with threads. */
static void become(char *const argv[], char *const envp[], int channel, int errors, int failure) {
  /* Out of the way of 0 to 3. */
  int high[3] = {fcntl(channel, F_DUPFD, 10), fcntl(errors, F_DUPFD, 10), fcntl(failure, F_DUPFD, 10)};
  int code = errno;
  bool all = high[0] >= 0 && high[1] >= 0 && high[2] >= 0;
  /* Where the reason goes: 3 is a file of the program's until the pipe is put there. */
  int report = high[2] >= 0 ? high[2] : failure;
  struct sigaction standard;
  memset(&standard, 0, sizeof standard);
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (all && dup2(high[0], 0) == 0 && dup2(high[0], 1) == 1 && dup2(high[1], 2) == 2 &&
      dup3(high[2], 3, O_CLOEXEC) == 3) {
    report = 3;
    if (syscall(SYS_close_range, 4u, ~0u, 0u) != 0)
      for (int fd = 4; fd < MAX_FALLBACK_FD; fd++) close(fd);
    execve(argv[0], argv, envp);
  }
  if (all) code = errno;
  ssize_t written = write(report, &code, sizeof code);
  _exit(written > 0 ? 127 : 126);
}

static int start(char *const argv[], char *const envp[], int channel, int errors) {
  int failure[2];
  if (pipe2(failure, O_CLOEXEC) != 0) return errno;
  /* No signal of the program is handled in the copies. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t between = copy_process();
  if (between == 0) {
    setsid();
    pid_t last = copy_process();
    if (last == 0) become(argv, envp, channel, errors, failure[1]);
    int code = errno;
    if (last < 0 && write(failure[1], &code, sizeof code) < 0) _exit(125);
    _exit(0);
  }
  int code = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(failure[1]);
  if (between > 0) {
    while (waitpid(between, NULL, __WALL) < 0 && errno == EINTR) {
    }
    ssize_t got;
    do got = read(failure[0], &code, sizeof code);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof code) code = 0;
  }
  close(failure[0]);
  return code;
}

int cbt_spawn(const char *command, int *errors, char *why, size_t why_room) {
  char found[PATH_MAX], node[PATH_MAX];
  const char *told = command != NULL ? command : secure_getenv("QEMU_CBT_COMMAND");
  *errors = -1;
  if (told != NULL && *told != '\0') {
    if (strlen(told) >= sizeof found) {
      snprintf(why, why_room, "the name of the command has %zu bytes; %zu is the limit", strlen(told), sizeof found);
      return -1;
    }
    strcpy(found, told);
  } else if (!find_beside(found, sizeof found) && !find_program("qemu-cbt", found, sizeof found)) {
    snprintf(why, why_room, "the command qemu-cbt is neither beside this library nor in PATH: npm install -g qemu-cbt");
    return -1;
  }
  size_t length = strlen(found);
  bool script = length > 3 && strcmp(found + length - 3, ".js") == 0;
  if (script && !find_program("node", node, sizeof node)) {
    snprintf(why, why_room, "node is not in PATH: install Node.js 20.17 or newer");
    return -1;
  }
  char *with_node[] = {node, found, "serve", "--stdio", NULL};
  char **argv = script ? with_node : with_node + 1;
  int pair[2] = {-1, -1};
  char **envp = own_environment();
  int code = ENOMEM;
  if (envp != NULL) {
    *errors = memfd_create("qemu-cbt", MFD_CLOEXEC);
    code = *errors >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0
               ? start(argv, envp, pair[1], *errors)
               : errno;
    if (pair[1] >= 0) close(pair[1]);
  }
  free(envp);
  if (code == 0) return pair[0];
  snprintf(why, why_room, "%s could not be started: %s", argv[0], strerror(code));
  if (pair[0] >= 0) close(pair[0]);
  if (*errors >= 0) close(*errors);
  *errors = -1;
  return -1;
}
