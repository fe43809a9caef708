/** Types of handles (PrlEnums.h of the Virtuozzo SDK; the Desktop SDK gives some of these numbers to other types). */
export type PRL_HANDLE = number;
export const PRL_INVALID_HANDLE: PRL_HANDLE = 0;

export const PHT_ERROR = 0;
export const PHT_SERVER = 0x10000001;
export const PHT_VIRTUAL_MACHINE = 0x10000005;
export const PHT_JOB = 0x10000011;
export const PHT_EVENT = 0x10000012;
export const PHT_RESULT = 0x10000013;
export const PHT_STRINGS_LIST = 0x1000002a;
export const PHT_HANDLES_LIST = 0x1000002e;
export const PHT_VIRTUAL_DISK = 0x1000002f;
export const PHT_BACKUP_RESULT = 0x10000057;
export const PHT_VIRTUAL_DISK_MAP = 0x1000005f;
export const PHT_VIRTUAL_DISK_OPEN_POLICY = 0x10000060;
export const PHT_BACKUP = 0x10000063;
export const PHT_LAST = PHT_BACKUP;
