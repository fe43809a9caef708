/* The peer of `changes`: what a careful C program does with libnbd. Starts qemu-nbd by socket activation, asks one dirty
 * bitmap for the whole disk, merges neighbours, counts; prints milliseconds of the asking alone, runs and bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libnbd.h>

struct map {
  const char *context;
  uint64_t next, run_end, runs, bytes;
  int wrong;
};

static int on_extents(void *data, const char *context, uint64_t offset, uint32_t *entries, size_t count, int *error) {
  struct map *map = data;
  (void)error;
  if (strcmp(context, map->context) != 0)
    return 0;
  for (size_t i = 0; i + 1 < count; i += 2) {
    uint64_t length = entries[i];
    if (entries[i + 1] & 1) {
      if (map->runs == 0 || offset != map->run_end)
        map->runs++;
      map->run_end = offset + length;
      map->bytes += length;
    }
    offset += length;
  }
  map->next = offset;
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s IMAGE BITMAP\n", argv[0]);
    return 2;
  }
  char context[1100];
  snprintf(context, sizeof context, "qemu:dirty-bitmap:%s", argv[2]);
  char *server[] = {"qemu-nbd", "-r", "-f", "qcow2", "-B", argv[2], argv[1], NULL};
  struct nbd_handle *nbd = nbd_create();
  if (nbd == NULL || nbd_add_meta_context(nbd, context) == -1 ||
      nbd_connect_systemd_socket_activation(nbd, server) == -1 || nbd_can_meta_context(nbd, context) != 1) {
    fprintf(stderr, "%s\n", nbd_get_error() ? nbd_get_error() : "no such context");
    return 1;
  }
  int64_t size = nbd_get_size(nbd);
  struct map map = {.context = context};
  struct timespec a, b;
  clock_gettime(CLOCK_MONOTONIC, &a);
  while (map.next < (uint64_t)size) {
    uint64_t at = map.next, want = (uint64_t)size - at;
    if (want > 0xffff0000u)
      want = 0xffff0000u;
    nbd_extent_callback callback = {.callback = on_extents, .user_data = &map};
    if (nbd_block_status(nbd, want, at, callback, 0) == -1 || map.next <= at) {
      fprintf(stderr, "%s\n", nbd_get_error() ? nbd_get_error() : "no progress");
      return 1;
    }
  }
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("{\"ms\":%.3f,\"ranges\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
         (b.tv_sec - a.tv_sec) * 1e3 + (b.tv_nsec - a.tv_nsec) / 1e6, map.runs, map.bytes);
  nbd_close(nbd);
  return 0;
}
