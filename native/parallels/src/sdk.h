/* What the channel has to know of the SDK whose library it is in: its codes. */
#ifndef CBT_SDK_H
#define CBT_SDK_H

#include "prlSdk.h"

/* How the library names itself to the command. */
#define CBT_SDK "parallels"

/* A PRL_RESULT, as a number without a sign. */
typedef uint64_t cbt_code;

#define CBT_OK ((cbt_code)PRL_ERR_SUCCESS)
#define CBT_LOST ((cbt_code)(uint32_t)PRL_ERR_WS_DISP_CONNECTION_CLOSED)
#define CBT_NO_MEMORY ((cbt_code)(uint32_t)PRL_ERR_OUT_OF_MEMORY)
#define CBT_NO_START ((cbt_code)(uint32_t)PRL_ERR_CANT_CONNECT_TO_DISPATCHER)

#endif
