/* Starts the command that does the work, as nobody's child: the program sees no SIGCHLD, and no process that it could wait for. */
#ifndef CBT_SPAWN_H
#define CBT_SPAWN_H

#include <stddef.h>

/*
 * Starts `command` (NULL: the one that this library belongs to, else the one in PATH) with one end of a socket as its standard input
 * and output. Gives the other end, or -1 with a text that says why not. `errors` becomes a file that has what the command says of
 * itself; the caller closes it.
 */
int cbt_spawn(const char *command, int *errors, char *why, size_t why_room);

#endif
