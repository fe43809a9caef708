/* The one setting that is read before the command runs: which command that is. The command reads the others itself. */
#ifndef CBT_SETTINGS_H
#define CBT_SETTINGS_H

/* The value of `qemu-cbt.command` in the file, or NULL; the caller frees it. */
char *cbt_settings_command(const char *file);

#endif
