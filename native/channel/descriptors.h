/*
 * Descriptors that a copy of the process by fork must not keep: as long as it has one, who is at the other end does not see that the
 * program died.
 */
#ifndef CBT_DESCRIPTORS_H
#define CBT_DESCRIPTORS_H

/* A copy that is made from now on closes it. Without room for one more it does not. */
void cbt_descriptor_own(int fd);
/* Before it is closed here. */
void cbt_descriptor_disown(int fd);

#endif
