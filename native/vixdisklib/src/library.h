/* What the program's use of the library is: its channel to the command and its log. And how each call asks the command. */
#ifndef CBT_LIBRARY_H
#define CBT_LIBRARY_H

#include "objects.h"

#define CBT_API __attribute__((visibility("default")))

/* A call of the program: what it is about, what is asked, what is answered. */
struct cbt_request {
  struct cbt_channel *channel;
  struct cbt_object *object;
  struct cbt_writer message;
  struct cbt_pending answer;
  struct cbt_reader *values;
};

/* Begins a call about the library itself: VIX_E_DISK_NOINIT before InitEx and in a copy of the process that fork made. */
VixError cbt_request_begin(struct cbt_request *request, const char *name);
/* Begins a call about an object, whose number is its first value; what is none is answered by its kind. */
VixError cbt_request_begin_on(struct cbt_request *request, const char *name, const void *handle, enum cbt_kind kind);
/* Asks. What was logged meanwhile is told by cbt_request_told. */
VixError cbt_request_call(struct cbt_request *request, VixDiskLibProgressFunc progress, void *progress_data);
/* After an answer, with nothing held: the program's log function may call the library. */
void cbt_request_told(struct cbt_request *request, VixError code);
/* Both. */
VixError cbt_request_ask(struct cbt_request *request, VixDiskLibProgressFunc progress, void *progress_data);
/* Ends a call that has begun; gives `code`. */
VixError cbt_request_end(struct cbt_request *request, VixError code);
/* Both: for calls that give nothing but a code. */
VixError cbt_request_run(struct cbt_request *request, VixDiskLibProgressFunc progress, void *progress_data);

/* The object of a call that does not ask the command; the caller drops it. */
VixError cbt_find(const void *handle, enum cbt_kind kind, struct cbt_object **object);
/* What is answered for a handle that is none. */
VixError cbt_no_object(enum cbt_kind kind);
/* The channel, kept for the caller; NULL where there is none for this process. */
struct cbt_channel *cbt_library_channel(void);
/* Whether it is the one in use: what was opened over another one is over. */
bool cbt_is_current(const struct cbt_channel *which);
/* A copy of the process by fork, in which nothing of the library's is to be had; asked before any lock is taken. */
bool cbt_is_copy(void);
/* Tells the program what the command logged. */
void cbt_pass_lines_on(struct cbt_channel *from);
/* A line for the program's log, on the thread that called. */
void cbt_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Asynchronous calls: whether this thread is one that tells outcomes, which must wait for none. */
bool cbt_in_callback(void);
/* Tells an outcome on the thread for that, which is started by the first. False without memory or thread. */
struct cbt_outcome {
  struct cbt_outcome *next;
  struct cbt_object *disk;
  VixDiskLibCompletionCB callback;
  void *data;
  VixError code;
  void *memory; /* that holds this; freed when it is told */
};
bool cbt_outcomes_start(void);
void cbt_outcome_tell(struct cbt_outcome *outcome);
/* This thread is one that tells outcomes. */
void cbt_tells_outcomes(void);
/* The same as cbt_outcome_tell on this thread, which is another one of the library that tells outcomes. */
void cbt_outcome_tell_here(struct cbt_outcome *outcome);
/* Until all are told. */
void cbt_outcomes_stop(void);

#endif
