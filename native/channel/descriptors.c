#include "descriptors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_OWNED = 1024 };

/* libnbd closes a socket that broke by itself, and its number may be another file's then: so it is known by what it is, too. */
struct owned {
  atomic_int fd; /* 0: free; -1: being set; else one more than the descriptor */
  _Atomic uint64_t device, inode;
};

static struct owned all[MAX_OWNED];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* In the copy, where its other threads left everything in the middle: no lock, no memory. */
static void close_all(void) {
  for (int i = 0; i < MAX_OWNED; i++) {
    int fd = atomic_load(&all[i].fd) - 1;
    struct stat is;
    if (fd >= 0 && fstat(fd, &is) == 0 && is.st_dev == atomic_load(&all[i].device) &&
        is.st_ino == atomic_load(&all[i].inode))
      close(fd);
    atomic_store(&all[i].fd, 0);
  }
}

static void watch_copies(void) { pthread_atfork(NULL, NULL, close_all); }

void cbt_descriptor_own(int fd) {
  struct stat is;
  if (fd < 0 || fstat(fd, &is) != 0) return;
  pthread_once(&once, watch_copies);
  /* What had that number before is gone. */
  cbt_descriptor_disown(fd);
  for (int i = 0; i < MAX_OWNED; i++) {
    int none = 0;
    if (!atomic_compare_exchange_strong(&all[i].fd, &none, -1)) continue;
    atomic_store(&all[i].device, is.st_dev);
    atomic_store(&all[i].inode, is.st_ino);
    atomic_store(&all[i].fd, fd + 1);
    return;
  }
}

void cbt_descriptor_disown(int fd) {
  for (int i = 0; i < MAX_OWNED; i++) {
    int held = fd + 1;
    if (fd >= 0 && atomic_compare_exchange_strong(&all[i].fd, &held, 0)) return;
  }
}
