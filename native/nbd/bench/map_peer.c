/* The peer of the map bench: what a plain program on libnbd does for one context. One request at a time, synchronous,
 * each as long as the protocol's 32 bits allow, dirty ranges joined and counted.
 *
 *   map_peer SOCKET EXPORT CONTEXT      prints seconds, ranges, dirty bytes
 */
#include <inttypes.h>
#include <libnbd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct map {
  const char *context;
  uint64_t position;  /* told up to here */
  uint64_t last_end;  /* of the last dirty range */
  double *values;     /* offset and length pairs */
  size_t count, capacity;
};

static void fail(const char *what) {
  fprintf(stderr, "map_peer: %s: %s\n", what, nbd_get_error());
  exit(1);
}

static int on_extents(void *user, const char *context, uint64_t offset, uint32_t *entries, size_t count, int *error) {
  struct map *map = user;
  if (strcmp(context, map->context) != 0) return 0;
  (void)error;
  for (size_t i = 0; i + 1 < count; i += 2) {
    const uint64_t length = entries[i];
    if ((entries[i + 1] & 1) != 0) {
      if (map->count > 0 && map->last_end == offset) {
        map->values[map->count - 1] += (double)length;
      } else {
        if (map->count + 2 > map->capacity) {
          map->capacity = map->capacity == 0 ? 4096 : 2 * map->capacity;
          map->values = realloc(map->values, map->capacity * sizeof *map->values);
          if (map->values == NULL) exit(1);
        }
        map->values[map->count++] = (double)offset;
        map->values[map->count++] = (double)length;
      }
      map->last_end = offset + length;
    }
    offset += length;
  }
  map->position = offset;
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: map_peer SOCKET EXPORT CONTEXT\n");
    return 2;
  }
  struct nbd_handle *nbd = nbd_create();
  if (nbd == NULL || nbd_set_export_name(nbd, argv[2]) == -1 || nbd_add_meta_context(nbd, argv[3]) == -1 ||
      nbd_connect_unix(nbd, argv[1]) == -1)
    fail("connect");
  if (nbd_can_meta_context(nbd, argv[3]) != 1) fail("context");
  const int64_t size = nbd_get_size(nbd);
  if (size < 0) fail("size");

  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  struct map map = {.context = argv[3]};
  while (map.position < (uint64_t)size) {
    const uint64_t left = (uint64_t)size - map.position;
    const uint64_t most = UINT64_C(0xffffffff) & ~UINT64_C(0xffff);
    const nbd_extent_callback callback = {.callback = on_extents, .user_data = &map};
    if (nbd_block_status(nbd, left < most ? left : most, map.position, callback, 0) == -1) fail("block status");
  }
  clock_gettime(CLOCK_MONOTONIC, &end);

  double dirty = 0;
  for (size_t i = 1; i < map.count; i += 2) dirty += map.values[i];
  printf("%.6f %zu %.0f\n", (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec),
         map.count / 2, dirty);
  nbd_shutdown(nbd, 0);
  nbd_close(nbd);
  free(map.values);
  return 0;
}
