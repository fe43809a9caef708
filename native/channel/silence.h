/*
 * How long nothing may come from the command, or from the server of a disk, while something is asked of it. It is counted in turns of
 * waiting: a program that itself stood still (stopped, in a debugger, on a frozen machine) spent one turn on that, however long it was.
 */
#ifndef CBT_SILENCE_H
#define CBT_SILENCE_H

#ifndef CBT_SILENCE_MS
#define CBT_SILENCE_MS 60000
#endif

/* What was asked in the middle of the first turn has the whole time, too. */
enum { CBT_TURN_MS = CBT_SILENCE_MS / 6, CBT_TURNS = 7 };

#endif
