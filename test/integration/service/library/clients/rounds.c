/*
 * rounds FILE COUNT     opens, writes, reads and closes a disk so many times; in the end it holds no more than after the first ones
 * rounds FILE 0         for ever, with a line for each round
 */
#include "check.h"

#include <dirent.h>

struct held {
  unsigned descriptors, threads;
  long kib;
};

static unsigned entries(const char *folder) {
  unsigned count = 0;
  DIR *open = opendir(folder);
  CHECK(open != NULL);
  while (readdir(open) != NULL) count++;
  closedir(open);
  return count;
}

static struct held held(void) {
  struct held now = {entries("/proc/self/fd"), entries("/proc/self/task"), 0};
  FILE *memory = fopen("/proc/self/statm", "r");
  CHECK(memory != NULL && fscanf(memory, "%*d %ld", &now.kib) == 1);
  fclose(memory);
  now.kib *= sysconf(_SC_PAGESIZE) / 1024;
  return now;
}

static void round_of(VixDiskLibConnection connection, const char *file, unsigned number) {
  VixDiskLibHandle disk;
  uint8 data[512], back[512];
  memset(data, (int)(number % 255 + 1), sizeof data);
  EQUALS(VixDiskLib_Open(connection, file, 0, &disk), VIX_OK);
  EQUALS(VixDiskLib_Write(disk, number % 1024, 1, data), VIX_OK);
  EQUALS(VixDiskLib_Read(disk, number % 1024, 1, back), VIX_OK);
  CHECK(memcmp(data, back, sizeof data) == 0);
  EQUALS(VixDiskLib_Close(disk), VIX_OK);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  unsigned count = (unsigned)atoi(argv[2]), warm = count / 4;
  VixDiskLibConnection connection;
  struct held first = {0, 0, 0};
  EQUALS(VixDiskLib_InitEx(8, 0, NULL, NULL, NULL, NULL, NULL), VIX_OK);
  EQUALS(VixDiskLib_ConnectEx(NULL, FALSE, NULL, NULL, &connection), VIX_OK);
  for (unsigned n = 0; count == 0 || n < count; n++) {
    round_of(connection, argv[1], n);
    if (n == warm) first = held();
    if (count == 0) {
      puts("round");
      fflush(stdout);
    }
  }
  struct held last = held();
  EQUALS(last.descriptors, first.descriptors);
  EQUALS(last.threads, first.threads);
  /* What the heap keeps for itself; a connection that was left would be more. */
  CHECK(last.kib < first.kib + 4096);
  EQUALS(VixDiskLib_Disconnect(connection), VIX_OK);
  VixDiskLib_Exit();
  puts("done");
  return 0;
}
