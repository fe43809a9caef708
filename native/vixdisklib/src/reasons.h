/* Why the library itself gave a code, in words: the newest of each code, until the command gives the same one for a reason of its own. */
#ifndef CBT_REASONS_H
#define CBT_REASONS_H

#include <stdbool.h>
#include <stddef.h>

#include "vixDiskLib.h"

/* Keeps the reason, tells the program's log, gives the code. */
VixError cbt_refuse(VixError code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The command gave this code: it knows the newest reason. */
void cbt_reason_is_the_commands(VixError code);
/* False where there is none. */
bool cbt_reason_of(VixError code, char *text, size_t room);

#endif
