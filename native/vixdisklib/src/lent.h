/* Memory that the program was given and gives back: only that is ever freed, whatever a program hands in. */
#ifndef CBT_LENT_H
#define CBT_LENT_H

#include <stddef.h>

enum cbt_lent { CBT_PARAMS = 1, CBT_INFO, CBT_BLOCKS, CBT_TEXT };

/* Zeroed memory, or NULL. In a copy of the process that fork made, where the list may be locked for ever, it is never freed. */
void *cbt_lend(size_t bytes, enum cbt_lent kind);
/* Frees it where it was lent as this kind, and is not back yet. */
void cbt_give_back(void *memory, enum cbt_lent kind);

#endif
