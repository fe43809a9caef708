/* What the channel has to know of the SDK whose library it is in: its codes. */
#ifndef CBT_SDK_H
#define CBT_SDK_H

#include "vixDiskLib.h"

/* How the library names itself to the command. */
#define CBT_SDK "vixdisklib"

typedef VixError cbt_code;

enum {
  CBT_OK = VIX_OK,
  CBT_LOST = VIX_E_HOST_CONNECTION_LOST,
  CBT_NO_MEMORY = VIX_E_OUT_OF_MEMORY,
  CBT_NO_START = VIX_E_DISK_SUBSYSTEM_INIT_FAIL
};

#endif
