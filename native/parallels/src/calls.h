/*
 * Calls that are nothing but their parameters, a letter each:
 *
 *     h handle   u 32 bits   U 64 bits   t text, or NULL   d name of a disk, or NULL
 *     H box of a handle   O box of 32 bits   S a text's buffer and the box of its length
 */
#ifndef CBT_CALLS_H
#define CBT_CALLS_H

#include "library.h"

/* A call that answers its code. */
PRL_RESULT cbt_call(const char *name, const char *shape, ...);
/* One that gives a job. */
PRL_HANDLE cbt_start(const char *name, const char *shape, ...);

#endif
