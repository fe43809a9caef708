/* Functions of the program that are told of events, on a thread of the library with nothing locked: they may call it. */
#ifndef CBT_EVENTS_H
#define CBT_EVENTS_H

#include "library.h"

/* Whether this thread is the one that tells: what would wait for it must not be called there. */
bool cbt_in_handler(void);
/* An event came from the command: of a registration, about a handle's number. */
void cbt_event_came(uint64_t registration, uint64_t number);
/* With the session ended: nothing is told any more, and the thread is gone. */
void cbt_events_stop(void);

#endif
