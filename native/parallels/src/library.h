/* What the program's use of the library is: its channel to the command, and the handles that it has from there. */
#ifndef CBT_LIBRARY_H
#define CBT_LIBRARY_H

#include "channel.h"

#define CBT_API __attribute__((visibility("default")))

/* A session with the command. Its handles begin above all that programs were given before, so that no old one is ever a new one. */
struct cbt_session {
  struct cbt_channel *channel;
  uint64_t above;
};

/*
 * The session of this process, whose channel is kept for the caller. False before PrlApi_Init, after PrlApi_Deinit, and in a copy of the
 * process that fork made.
 */
bool cbt_session_take(struct cbt_session *session);
/* A copy of the process by fork, in which nothing of the library's is to be had; asked before any lock is taken. */
bool cbt_is_copy(void);

/* What a handle is to the command; 0, which is no handle, for one of another session. */
uint64_t cbt_handle_number(const struct cbt_session *session, PRL_HANDLE handle);
PRL_HANDLE cbt_handle_of(const struct cbt_session *session, uint64_t number);
/* A handle that is none: what is asked of it answers what it would answer without a session. */
PRL_HANDLE cbt_dead_handle(void);

/* A code of the command. */
PRL_RESULT cbt_result(cbt_code code);
/* What a call about a handle answers where there is no session: disks and maps do not look whether the library is initialised. */
PRL_RESULT cbt_no_session(const char *name);

#endif
