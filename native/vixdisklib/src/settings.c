#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char NAME[] = "qemu-cbt.command";
static const char SPACE[] = " \t\r\n";

/* What stands behind the name in the line, without quotes; NULL for other lines. */
static char *value_of(char *line) {
  char *at = line + strspn(line, SPACE);
  if (strncmp(at, NAME, sizeof NAME - 1) != 0) return NULL;
  at += sizeof NAME - 1;
  at += strspn(at, SPACE);
  if (*at++ != '=') return NULL;
  at += strspn(at, SPACE);
  size_t length = strlen(at);
  while (length > 0 && strchr(SPACE, at[length - 1]) != NULL) at[--length] = '\0';
  if (length >= 2 && at[0] == '"' && at[length - 1] == '"') {
    at[length - 1] = '\0';
    at++;
  }
  return strdup(at);
}

char *cbt_settings_command(const char *file) {
  if (file == NULL || *file == '\0') return NULL;
  FILE *open = fopen(file, "re");
  /* The command tells that it could not be read, and answers the code for it. */
  if (open == NULL) return NULL;
  char *line = NULL, *found = NULL;
  size_t room = 0;
  while (found == NULL && getline(&line, &room, open) >= 0) found = value_of(line);
  free(line);
  fclose(open);
  return found;
}
