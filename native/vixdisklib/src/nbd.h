/*
 * What is used of libnbd, which is loaded when the first disk is opened: a machine without it still has the library, and bytes go through
 * the command.
 */
#ifndef CBT_NBD_H
#define CBT_NBD_H

#include <stddef.h>
#include <stdint.h>

struct nbd_handle;

/* As libnbd's own: what is called when a request has ended, with 1 to be forgotten then. */
struct cbt_nbd_completion {
  int (*callback)(void *user_data, int *error);
  void *user_data;
  void (*free)(void *user_data);
};

struct cbt_nbd {
  struct nbd_handle *(*create)(void);
  void (*close)(struct nbd_handle *);
  int (*aio_connect_uri)(struct nbd_handle *, const char *);
  int (*aio_is_connecting)(struct nbd_handle *);
  int (*aio_is_ready)(struct nbd_handle *);
  int64_t (*get_size)(struct nbd_handle *);
  const char *(*get_error)(void);
  int (*get_errno)(void);
  int64_t (*aio_pread)(struct nbd_handle *, void *, size_t, uint64_t, struct cbt_nbd_completion, uint32_t);
  int64_t (*aio_pwrite)(struct nbd_handle *, const void *, size_t, uint64_t, struct cbt_nbd_completion, uint32_t);
  int (*poll)(struct nbd_handle *, int);
  int (*aio_get_fd)(struct nbd_handle *);
  unsigned (*aio_get_direction)(struct nbd_handle *);
  int (*aio_notify_read)(struct nbd_handle *);
  int (*aio_notify_write)(struct nbd_handle *);
};

/* NULL where it is not there, or is older than 1.0; the same for ever. */
const struct cbt_nbd *cbt_nbd(void);

#endif
