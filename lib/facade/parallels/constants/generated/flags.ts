// Made by scripts/make-constants.mjs from scripts/sdk/parallels.json; do not edit.

/** No application mode; PrlApi_InitEx does not take it. */
export const PAM_UNKNOWN = 0xffff;
/** Application mode for PrlApi_InitEx. */
export const PAM_SERVER = 0;
/** The last of the application modes. */
export const PAM_LAST = 0;
/** PRL_BOOL of the SDK: an unsigned 32-bit number. */
export const PRL_FALSE = 0;
/** PRL_BOOL of the SDK; calls here take every number but 0 for true. */
export const PRL_TRUE = 1;
/** No flag: opening a local image with it is PRL_ERR_INVALID_ARG. */
export const PRL_DISK_NOTHING = 0;
/** Open a local image for reading; of no effect beside PRL_DISK_WRITE, and on an `nbd:` URL. */
export const PRL_DISK_READ = 1;
/** * Open a local image for reading and writing; PRL_ERR_DISK_OPERATION_NOT_ALLOWED for Parallels images. Of no effect on an `nbd:` URL. */
export const PRL_DISK_WRITE = 2;
/** Of the SDK; of no effect here: QEMU's own lock on the image counts. */
export const PRL_DISK_READ_LOCK = 4;
/** Of the SDK; of no effect here. */
export const PRL_DISK_FAKE_OPEN = 8;
/** Of the SDK; of no effect here: no DiskDescriptor.xml is ever written. */
export const PRL_DISK_XML_CHANGE = 0x20;
/** The bits of the four deprecated PRL_DISK_FOPS_ values. */
export const PRL_DISK_FOPS_MASK = 0x3c0;
/** Way of file access, deprecated in the SDK; of no effect here. */
export const PRL_DISK_FOPS_DEFAULT = 0;
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
export const PRL_DISK_USE_RAW_DISK = 0x2000;
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
export const PRL_DISK_DEFAULT_FLAG = 3;
/** Security level of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBSL_LOW_SECURITY = 0;
/** Security level of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBSL_NORMAL_SECURITY = 1;
/** Security level of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBSL_HIGH_SECURITY = 2;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_FULL = 0x800;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_INCREMENTAL = 0x1000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_DIFFERENTIAL = 0x2000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_RESTORE_TO_COPY = 0x4000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_IGNORE_NOT_EXISTS = 0x8000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_UNCOMPRESSED = 0x10000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_VM = 0x20000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_CT = 0x40000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_BACKUP_ID = 0x80000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_CHAIN = 0x100000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_KEEP_CHAIN = 0x200000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_DIRECT_DATA_CONNECTION = 0x400000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_RESTORE_RUNNING = 0x800000;
/** Flag of PrlSrv_CreateVmBackup, which is not implemented. */
export const PBT_DIRECT_DELTA = 0x1000000;
/** Keep a new point in time, so that a later backup can ask what changed since. */
export const PBMBF_CREATE_MAP = 0x800;
/** The guest's file systems must be frozen for the instant. */
export const PBMBF_FSSYNC = 0x1000;
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
/** Flag of PrlSrv_GetVmListEx, where it is of no effect: all are VMs. */
export const PVTF_VM = 0x800;
/** Flag of PrlSrv_GetVmListEx, where it is of no effect: all are VMs. */
export const PVTF_CT = 0x1000;
/** Flag of PrlSrv_GetVmListEx, where it is of no effect. */
export const PGVLF_GET_ONLY_IDENTITY_INFO = 0x2000;
/** Flag of PrlSrv_GetVmListEx, where it is of no effect. */
export const PGVLF_GET_STATE_INFO = 0x4000;
/** Flag of PrlSrv_GetVmListEx, where it is of no effect. */
export const PGVLF_FILL_AUTOGENERATED = 0x8000;
/** Flag of PrlSrv_GetVmListEx, where it is of no effect. */
export const PGVLF_GET_ONLY_VM_TEMPLATES = 0x10000;
/** Flag of PrlSrv_GetVmListEx, where it is of no effect. */
export const PGVLF_GET_NET_INFO = 0x20000;
/** Flag of PrlSrv_GetVmListEx, where it is of no effect. */
export const PGVLF_GET_NET_STATIC_IP_INFO = 0x40000;
/** Flag of PrlSrv_GetVmConfig, where it is of no effect. */
export const PGVC_SEARCH_BY_UUID = 0x800;
/** Flag of PrlSrv_GetVmConfig, where it is of no effect. */
export const PGVC_SEARCH_BY_NAME = 0x1000;
/** Flag of PrlSrv_GetVmConfig, where it is of no effect. */
export const PGVC_FILL_AUTOGENERATED = 0x2000;
/** Flag of PrlSrv_LoginLocalEx, where it is of no effect. */
export const PLLF_LOGIN_WITH_DELAYED_CONNECTION = 0x800;
/** Flag of PrlSrv_LoginLocalEx, where it is of no effect. */
export const PLLF_LOGIN_WITH_RSA_KEYS = 0x4000;
