#include "nbd.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct cbt_nbd table;
static bool loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  const char *told = secure_getenv("QEMU_CBT_LIBNBD");
  void *library = dlopen(told != NULL && *told != '\0' ? told : "libnbd.so.0", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return;
  const struct {
    const char *name;
    void *at;
  } wanted[] = {
      {"nbd_create", &table.create},
      {"nbd_close", &table.close},
      {"nbd_aio_connect_uri", &table.aio_connect_uri},
      {"nbd_aio_is_connecting", &table.aio_is_connecting},
      {"nbd_aio_is_ready", &table.aio_is_ready},
      {"nbd_get_size", &table.get_size},
      {"nbd_get_error", &table.get_error},
      {"nbd_get_errno", &table.get_errno},
      {"nbd_aio_pread", &table.aio_pread},
      {"nbd_aio_pwrite", &table.aio_pwrite},
      {"nbd_poll", &table.poll},
      {"nbd_aio_get_fd", &table.aio_get_fd},
      {"nbd_aio_get_direction", &table.aio_get_direction},
      {"nbd_aio_notify_read", &table.aio_notify_read},
      {"nbd_aio_notify_write", &table.aio_notify_write},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    void *found = dlsym(library, wanted[i].name);
    if (found == NULL) return;
    /* A function's address, into a pointer to a function. */
    memcpy(wanted[i].at, &found, sizeof found);
  }
  loaded = true;
}

const struct cbt_nbd *cbt_nbd(void) {
  pthread_once(&once, load);
  return loaded ? &table : NULL;
}
