/*
 * Connections and disk handles of a program. What it holds is no address but a number in the shape of one: a slot, and which of the
 * objects that were there before. So what is closed, forged or of the other kind is told at once, and nothing of it is looked at.
 */
#ifndef CBT_OBJECTS_H
#define CBT_OBJECTS_H

#include "channel.h"

enum cbt_kind { CBT_CONNECTION = 3, CBT_DISK = 5 };

struct cbt_object {
  enum cbt_kind kind;
  unsigned references; /* of objects.c alone */
  struct cbt_channel *channel;
  uint64_t number; /* by which the command knows it */
  uint64_t owner;  /* of a disk: the number of its connection */
  /* Of a disk. */
  uint64_t capacity;
  bool read_only;
  const char *transport;
  pthread_mutex_t lock;
  pthread_cond_t idle;
  unsigned flying; /* reads and writes that have not told their outcome */
  unsigned later;  /* those of them that are asynchronous */
  bool ending;     /* none begins any more; of a connection: no disk is opened any more */
  struct cbt_object *next_closing; /* of objects.c alone */
  struct cbt_lane *lane; /* to the server of its bytes; NULL: they go through the command */
};

/* A new object with one reference; NULL without memory. */
struct cbt_object *cbt_object_make(enum cbt_kind kind, struct cbt_channel *channel, uint64_t number);
/* Takes the reference over into a slot; NULL where all are taken, and then the reference is still the caller's. */
void *cbt_object_publish(struct cbt_object *object);
/* The object with one reference more; NULL for what is none of this kind. */
struct cbt_object *cbt_object_find(const void *handle, enum cbt_kind kind);
/* Takes it out of its slot; the reference of the slot is the caller's then. NULL for what is none of this kind. A disk is closing then. */
struct cbt_object *cbt_object_withdraw(const void *handle, enum cbt_kind kind);
/* A withdrawn disk is closed. Drops the reference. */
void cbt_object_closed(struct cbt_object *disk);
/*
 * Takes out the disks of a connection (of all, where it is NULL, and the connections too), ends and drops them; and waits for those that
 * others close.
 */
void cbt_objects_withdraw_all(const struct cbt_object *connection);
void cbt_object_drop(struct cbt_object *object);
/* Begins a read or a write of a disk; false for one that is being closed. */
bool cbt_object_enter(struct cbt_object *disk, bool later);
void cbt_object_leave(struct cbt_object *disk, bool later);
/* Until nothing asynchronous is on its way, what callbacks have begun included. What other threads wait for is theirs. */
void cbt_object_wait_until_idle(struct cbt_object *disk);
/* Whether something may still be begun on it. */
bool cbt_object_is_ending(struct cbt_object *object);
/* Waits for what is on its way, lets nothing more begin, and leaves the server. Whoever withdrew it does so. */
void cbt_object_end(struct cbt_object *object);

#endif
