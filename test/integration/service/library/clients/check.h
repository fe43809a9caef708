/* What the test programs share. */
#ifndef CHECK_H
#define CHECK_H

#include "assertions.h"
#include "vixDiskLib.h"

static inline void print_log(const char *fmt, va_list args) {
  vfprintf(stderr, fmt, args);
  fputc('\n', stderr);
}

#endif
