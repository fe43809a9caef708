/** Flags and small enumerations of the SDK (PrlEnums.h, PrlDisk.h, PrlApiDisp.h). */

/** Version of the SDK that is spoken: major in the upper 16 bits. Backup calls are API level 7. */
export const PRLAPI_VER = 7 << 16;

/** Application mode for PrlApi_InitEx. */
export const PAM_SERVER = 0;

export const PRL_FALSE = 0;
export const PRL_TRUE = 1;

export const PRL_DISK_NOTHING = 0;
export const PRL_DISK_READ = 0x1;
export const PRL_DISK_WRITE = 0x2;
export const PRL_DISK_READ_LOCK = 0x4;
export const PRL_DISK_FAKE_OPEN = 0x8;
export const PRL_DISK_XML_CHANGE = 0x20;
export const PRL_DISK_FOPS_MASK = 0x3c0;
export const PRL_DISK_FOPS_NORMAL = 0x40;
export const PRL_DISK_FOPS_NONCACHED = 0x80;
export const PRL_DISK_FOPS_MERGING = 0xc0;
export const PRL_DISK_FOPS_PCS = 0x1c0;
export const PRL_DISK_NO_ERROR_CHECKING = 0x400;
export const PRL_DISK_NO_IMAGE_CREATION = 0x1000;
export const PRL_DISK_NOT_LIMIT_HANDLES = 0x4000;
export const PRL_DISK_NO_SPACE_CHECKS = 0x8000;
export const PRL_DISK_ALLOW_DATA_MODIFY = 0x10000;
export const PRL_DISK_ALIGN_REQUESTS = 0x20000;
export const PRL_DISK_IGNORE_PROTECTION = 0x40000;
export const PRL_DISK_DEFAULT = PRL_DISK_READ | PRL_DISK_WRITE;

/** Keep a new point in time, so that a later backup can ask what changed since. */
export const PBMBF_CREATE_MAP = 0x800;
/** The guest's file systems must be frozen for the instant. */
export const PBMBF_FSSYNC = 0x1000;

export const PBT_FULL = 0x800;
export const PBT_INCREMENTAL = 0x1000;
export const PBT_DIFFERENTIAL = 0x2000;

export const PJS_UNKNOWN = 0xd0000000;
export const PJS_RUNNING = 0xd0000001;
export const PJS_FINISHED = 0xd0000002;

export const PSL_LOW_SECURITY = 0;
export const PSL_NORMAL_SECURITY = 1;
export const PSL_HIGH_SECURITY = 2;
