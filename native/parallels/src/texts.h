/* What codes mean: in the words of the command; without one, by their names, and why none could be started. */
#ifndef CBT_TEXTS_H
#define CBT_TEXTS_H

#include "library.h"

/* Why the last command could not be started; empty where it could. */
void cbt_text_no_start(const char *why);
/* The session is ended because of this code: its words are kept until the next one. */
void cbt_text_keep(PRL_RESULT code);

#endif
