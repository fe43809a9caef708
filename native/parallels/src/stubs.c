/* What the SDK has and is not here: it answers so, and touches nothing that it is given. A job is one that has failed so. */
#include "calls.h"

#define NOW(name)                                                                                                     \
  CBT_API PRL_RESULT name(void);                                                                                       \
  CBT_API PRL_RESULT name(void) { return PRL_ERR_UNIMPLEMENTED; }
#define JOB(name)                                                                                                     \
  CBT_API PRL_HANDLE name(void);                                                                                       \
  CBT_API PRL_HANDLE name(void) { return cbt_start("unimplemented", "t", #name); }

#include "generated/stubs.h"
