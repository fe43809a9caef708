/*
 * Declarations of libprl_sdk.so for programs in C and C++: those of its functions that are more here than a name. Our own, from the facts
 * of the SDK's interface; a program that was compiled with the SDK's headers needs no other.
 */
#ifndef QEMU_CBT_PRLSDK_H
#define QEMU_CBT_PRLSDK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void PRL_VOID;
typedef void *PRL_VOID_PTR;
typedef void **PRL_VOID_PTR_PTR;
typedef const void *PRL_CONST_VOID_PTR;
typedef char *PRL_STR;
typedef const char *PRL_CONST_STR;
typedef PRL_CONST_STR *PRL_CONST_STR_PTR;
typedef uint8_t PRL_UINT8;
typedef uint16_t PRL_UINT16;
typedef int32_t PRL_INT32;
typedef uint32_t PRL_UINT32, *PRL_UINT32_PTR;
typedef uint64_t PRL_UINT64;
typedef uint32_t PRL_BOOL, *PRL_BOOL_PTR;
/* Below zero where it is a failure. */
typedef int32_t PRL_RESULT, *PRL_RESULT_PTR;
/* A number, never an address. */
typedef int *PRL_HANDLE, **PRL_HANDLE_PTR;
typedef uint32_t PRL_HANDLE_TYPE, *PRL_HANDLE_TYPE_PTR;
typedef uint32_t PRL_APPLICATION_MODE, *PRL_APPLICATION_MODE_PTR;
typedef uint32_t PRL_SECURITY_LEVEL;
typedef uint32_t PRL_DISK_OPEN_FLAGS;
typedef uint32_t PRL_EVENT_TYPE;
typedef uint32_t PRL_JOB_STATUS, *PRL_JOB_STATUS_PTR;
typedef uint32_t PRL_JOB_OPERATION_CODE, *PRL_JOB_OPERATION_CODE_PTR;
typedef PRL_BOOL (*PRL_DISK_CALLBACK)(int done, int total, PRL_VOID_PTR parameter);
/* Called on a thread of the library; the event is the function's to free. */
typedef PRL_RESULT (*PRL_EVENT_HANDLER_PTR)(PRL_HANDLE event, PRL_VOID_PTR userData);

#pragma pack(push, 1)

typedef struct {
  PRL_UINT32 Data1;
  PRL_UINT16 Data2;
  PRL_UINT16 Data3;
  PRL_UINT8 Data4[8];
} PRL_GUID;

typedef struct {
  PRL_UINT32 m_Type;
  PRL_UINT64 m_Start;
  PRL_UINT64 m_Size;
  PRL_STR m_FileName;
} PRL_STORAGE_PARAMETERS, *PRL_STORAGE_PARAMETERS_PTR;

typedef struct {
  PRL_UINT32 m_Heads;
  PRL_UINT32 m_Cylinders;
  PRL_UINT32 m_Sectors;
  PRL_UINT64 m_SizeInSectors;
  /* Sectors. */
  PRL_UINT32 m_BlockSize;
  PRL_UINT32 m_Parts;
  PRL_STORAGE_PARAMETERS_PTR m_Storages;
  PRL_GUID m_Uuid;
  PRL_STR m_Name;
} PRL_DISK_PARAMETERS, *PRL_DISK_PARAMETERS_PTR;
typedef const PRL_DISK_PARAMETERS *PRL_CONST_DISK_PARAMETERS_PTR;

#pragma pack(pop)

#define PRL_INVALID_HANDLE ((PRL_HANDLE)0)
#define PRL_FALSE 0
#define PRL_TRUE 1
#define PRL_SUCCEEDED(result) ((PRL_RESULT)(result) >= 0)
#define PRL_FAILED(result) ((PRL_RESULT)(result) < 0)
/* Of PrlJob_Wait. */
#define PRL_WAIT_INFINITE 0xffffffffu

#define VIRTUOZZO_API_VER 0x70000u
#define PAM_SERVER 0u
#define PSL_LOW_SECURITY 0u
#define PSL_NORMAL_SECURITY 1u
#define PSL_HIGH_SECURITY 2u
#define PJS_RUNNING 0xd0000001u
#define PJS_FINISHED 0xd0000002u
#define PRL_DISK_READ 0x1u
#define PRL_DISK_WRITE 0x2u
#define PRL_DISK_DEFAULT (PRL_DISK_READ | PRL_DISK_WRITE)
#define PBMBF_CREATE_MAP 0x800u
#define PBMBF_FSSYNC 0x1000u

#include "prlCalls.h"
#include "prlCodes.h"

#ifdef __cplusplus
}
#endif

#endif
