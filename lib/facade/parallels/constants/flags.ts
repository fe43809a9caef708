/** Flags and small enumerations of the SDK (PrlEnums.h, PrlDisk.h, PrlApiDisp.h). */

/** Application mode for PrlApi_InitEx. */
export const PAM_SERVER = 0;
/** The last of the application modes. */
export const PAM_LAST = PAM_SERVER;
/** No application mode; PrlApi_InitEx does not take it. */
export const PAM_UNKNOWN = 0xffff;

/** PRL_BOOL of the SDK: an unsigned 32-bit number. */
export const PRL_FALSE = 0;
/** PRL_BOOL of the SDK; calls here take every number but 0 for true. */
export const PRL_TRUE = 1;

/** No flag: opening a local image with it is PRL_ERR_INVALID_ARG. */
export const PRL_DISK_NOTHING = 0;
/** Open a local image for reading; of no effect beside PRL_DISK_WRITE, and on an `nbd:` URL. */
export const PRL_DISK_READ = 0x1;
/**
 * Open a local image for reading and writing; PRL_ERR_DISK_OPERATION_NOT_ALLOWED for Parallels images. Of no effect on an
 * `nbd:` URL.
 */
export const PRL_DISK_WRITE = 0x2;
/** Of the SDK; of no effect here: QEMU's own lock on the image counts. */
export const PRL_DISK_READ_LOCK = 0x4;
/** Of the SDK; of no effect here. */
export const PRL_DISK_FAKE_OPEN = 0x8;
/** Of the SDK; of no effect here: no DiskDescriptor.xml is ever written. */
export const PRL_DISK_XML_CHANGE = 0x20;
/** The bits of the four deprecated PRL_DISK_FOPS_ values. */
export const PRL_DISK_FOPS_MASK = 0x3c0;
/** Way of file access, deprecated in the SDK; of no effect here. */
export const PRL_DISK_FOPS_NORMAL = 0x40;
/** Way of file access, deprecated in the SDK; of no effect here. */
export const PRL_DISK_FOPS_NONCACHED = 0x80;
/** Way of file access, deprecated in the SDK; of no effect here. */
export const PRL_DISK_FOPS_MERGING = 0xc0;
/** Way of file access, deprecated in the SDK; of no effect here. */
export const PRL_DISK_FOPS_PCS = 0x1c0;
/** Of the SDK; of no effect here: images are always checked. */
export const PRL_DISK_NO_ERROR_CHECKING = 0x400;
/** Of the SDK; of no effect here: opening never makes an image. */
export const PRL_DISK_NO_IMAGE_CREATION = 0x1000;
/** Of the SDK; of no effect here. */
export const PRL_DISK_NOT_LIMIT_HANDLES = 0x4000;
/** Of the SDK; of no effect here. */
export const PRL_DISK_NO_SPACE_CHECKS = 0x8000;
/** Of the SDK; of no effect here. */
export const PRL_DISK_ALLOW_DATA_MODIFY = 0x10000;
/** Of the SDK; of no effect here. */
export const PRL_DISK_ALIGN_REQUESTS = 0x20000;
/** Of the SDK; of no effect here. */
export const PRL_DISK_IGNORE_PROTECTION = 0x40000;
/** PRL_DISK_READ | PRL_DISK_WRITE. */
export const PRL_DISK_DEFAULT = PRL_DISK_READ | PRL_DISK_WRITE;

/** Keep a new point in time, so that a later backup can ask what changed since. */
export const PBMBF_CREATE_MAP = 0x800;
/** The guest's file systems must be frozen for the instant. */
export const PBMBF_FSSYNC = 0x1000;

/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_FULL = 0x800;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_INCREMENTAL = 0x1000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_DIFFERENTIAL = 0x2000;

/** Status of a job in the SDK; PrlJob_GetStatus never answers it. */
export const PJS_UNKNOWN = 0;
/** The job's work goes on. */
export const PJS_RUNNING = 0xd0000001;
/** The job has its return code, a success or not. */
export const PJS_FINISHED = 0xd0000002;

/** Security level of PrlSrv_LoginLocal, where it is of no effect. */
export const PSL_LOW_SECURITY = 0;
/** Security level of PrlSrv_LoginLocal, where it is of no effect. */
export const PSL_NORMAL_SECURITY = 1;
/** Security level of PrlSrv_LoginLocal, where it is of no effect. */
export const PSL_HIGH_SECURITY = 2;
