/* What test programs of every library share. */
#ifndef ASSERTIONS_H
#define ASSERTIONS_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                                  \
      _exit(1);                                                                                                        \
    }                                                                                                                  \
  } while (0)

#define EQUALS(got, wanted)                                                                                            \
  do {                                                                                                                 \
    unsigned long long got_ = (unsigned long long)(got), wanted_ = (unsigned long long)(wanted);                       \
    if (got_ != wanted_) {                                                                                             \
      fprintf(stderr, "%s:%d: %s is %llu, not %llu\n", __FILE__, __LINE__, #got, got_, wanted_);                       \
      _exit(1);                                                                                                        \
    }                                                                                                                  \
  } while (0)

/* So many bytes that nothing may be read or written behind. */
static inline void *at_page_end(size_t bytes) {
  size_t page = 4096, pages = (bytes + page - 1) / page;
  char *all = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(all != MAP_FAILED && mprotect(all + pages * page, page, PROT_NONE) == 0);
  return all + pages * page - bytes;
}

#endif
