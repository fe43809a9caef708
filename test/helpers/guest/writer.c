/*
 * The guest's writers; each runs until SIGTERM and keeps the number of its last finished step in /run/<kind>.
 *
 *   writer ordered <folder>...       step n writes n to the file "number" of one folder after the other, each on stable
 *                                    storage before the next: at any instant a later folder has the same number or one less
 *   writer churn <folder> <seed>     writes, rewrites, punches, truncates, deletes and trims at random, syncing now and then
 *
 *   writer wait <kind> <steps>       waits until that writer has done so many steps more; says the number of its last
 *
 * After each step it rests: nobody asks for a guest that has the whole processor, and an emulated one costs it in full. The
 * ordered writer rests as long with the number on one disk as with the number on all, where an instant is to be told by it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BLOCK 4096
#define CHURN_FILES 12
#define CHURN_BYTES (1 << 20)
#define REST_MICROSECONDS 2000

static volatile sig_atomic_t stopping;

static void stop(int signal) {
  (void)signal;
  stopping = 1;
}

static void check(long result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

static int open_in(const char *folder, const char *name, int flags) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int file = open(path, flags, 0644);
  check(file, path);
  return file;
}

/* As decimal text of fixed length, so that no reader ever finds half of it. */
static void note(int status, long step) {
  char text[24];
  snprintf(text, sizeof text, "%020ld\n", step);
  check(pwrite(status, text, 21, 0), "status");
}

static void ordered(char **folders, int count, int status) {
  int files[8];
  char block[BLOCK];
  if (count > 8) exit(2);
  for (int i = 0; i < count; i++) files[i] = open_in(folders[i], "number", O_RDWR | O_CREAT);
  for (long step = 0; !stopping; step++) {
    snprintf(block, sizeof block, "%020ld\n", step);
    memset(block + 21, '.', sizeof block - 21);
    for (int i = 0; i < count; i++) {
      check(pwrite(files[i], block, sizeof block, 0), "write");
      /* The first write also makes the file; all others touch its one block alone. */
      check(step == 0 ? fsync(files[i]) : fdatasync(files[i]), "sync");
      usleep(REST_MICROSECONDS);
    }
    note(status, step);
  }
}

static uint64_t state;

/* xorshift64*: the same operations for the same seed. */
static uint32_t draw(uint32_t below) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)((state * 2685821657736338717u) >> 32) % below;
}

static void churn_once(const char *folder, int root) {
  static char bytes[1 << 16];
  char name[32];
  snprintf(name, sizeof name, "churn-%u", draw(CHURN_FILES));
  uint32_t offset = draw(CHURN_BYTES), length = 1 + draw(sizeof bytes);
  if (draw(40) == 0) {
    struct fstrim_range range = {.start = 0, .len = UINT64_MAX, .minlen = 0};
    check(ioctl(root, FITRIM, &range), "trim");
    return;
  }
  int file = open_in(folder, name, O_RDWR | O_CREAT);
  switch (draw(12)) {
    case 0:
      check(unlinkat(root, name, 0), "unlink");
      break;
    case 1:
      check(ftruncate(file, offset), "truncate");
      break;
    case 2:
      check(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length), "punch");
      break;
    default:
      for (uint32_t i = 0; i < length; i++) bytes[i] = (char)draw(256);
      check(pwrite(file, bytes, length, offset), "write");
  }
  if (draw(4) == 0) check(fsync(file), "sync");
  close(file);
}

static void churn(const char *folder, uint64_t seed, int status) {
  int root = open(folder, O_RDONLY | O_DIRECTORY);
  check(root, folder);
  state = seed * 2 + 1;
  for (long step = 0; !stopping; step++) {
    churn_once(folder, root);
    note(status, step);
    usleep(REST_MICROSECONDS);
  }
}

static long last_step(const char *kind) {
  char path[64], text[24] = "";
  snprintf(path, sizeof path, "/run/%s", kind);
  int status = open(path, O_RDONLY);
  if (status < 0) return -1;
  ssize_t length = pread(status, text, 21, 0);
  close(status);
  return length == 21 ? atol(text) : -1;
}

static void wait_for(const char *kind, long steps) {
  long wanted = last_step(kind) + steps, last;
  while ((last = last_step(kind)) < wanted) usleep(1000);
  printf("%ld\n", last);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  if (strcmp(argv[1], "wait") == 0 && argc == 4) {
    wait_for(argv[2], atol(argv[3]));
    return 0;
  }
  signal(SIGTERM, stop);
  int status = open_in("/run", argv[1], O_WRONLY | O_CREAT);
  if (strcmp(argv[1], "ordered") == 0) ordered(argv + 2, argc - 2, status);
  else if (strcmp(argv[1], "churn") == 0 && argc == 4) churn(argv[2], strtoull(argv[3], NULL, 10), status);
  else return 2;
  return 0;
}
