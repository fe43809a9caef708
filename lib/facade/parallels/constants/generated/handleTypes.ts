// Made by scripts/make-constants.mjs from scripts/sdk/parallels.json; do not edit.

/** No handle has this type. */
export const PHT_ERROR = 0x0;
/** From PrlSrv_Create. */
export const PHT_SERVER = 0x10000001;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SERVER_CONFIG = 0x10000002;
/** Of the SDK; no call here gives such a handle. */
export const PHT_REMOTE_FILESYSTEM_INFO = 0x10000003;
/** Of the SDK; no call here gives such a handle. */
export const PHT_REMOTE_FILESYSTEM_ENTRY = 0x10000004;
/** From the results of PrlSrv_GetVmList and PrlSrv_GetVmConfig. */
export const PHT_VIRTUAL_MACHINE = 0x10000005;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_DISPLAY = 0x10000006;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_KEYBOARD = 0x10000007;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_MOUSE = 0x10000008;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_FLOPPY = 0x10000009;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_HARD_DISK = 0x1000000a;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_NET_ADAPTER = 0x1000000b;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_PARALLEL_PORT = 0x1000000c;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_SERIAL_PORT = 0x1000000d;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_OPTICAL_DISK = 0x1000000e;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_USB_DEVICE = 0x1000000f;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_SOUND = 0x10000010;
/** From every call that starts a job. */
export const PHT_JOB = 0x10000011;
/** From PrlJob_GetError. */
export const PHT_EVENT = 0x10000012;
/** From PrlJob_GetResult. */
export const PHT_RESULT = 0x10000013;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VM_INFO = 0x10000014;
/** Of the SDK; no call here gives such a handle. */
export const PHT_USER_PROFILE = 0x10000015;
/** Of the SDK; no call here gives such a handle. */
export const PHT_DISP_CONFIG = 0x10000016;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SHARE = 0x10000017;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SCREEN_RESOLUTION = 0x10000018;
/** Of the SDK; no call here gives such a handle. */
export const PHT_DISP_NET_ADAPTER = 0x10000019;
/** Of the SDK; no call here gives such a handle. */
export const PHT_HW_GENERIC_DEVICE = 0x1000001a;
/** Of the SDK; no call here gives such a handle. */
export const PHT_HW_HARD_DISK = 0x1000001b;
/** Of the SDK; no call here gives such a handle. */
export const PHT_HW_HARD_DISK_PARTITION = 0x1000001c;
/** Of the SDK; no call here gives such a handle. */
export const PHT_HW_NET_ADAPTER = 0x1000001d;
/** Of the SDK; no call here gives such a handle. */
export const PHT_EVENT_PARAMETER = 0x1000001e;
/** Of the SDK; no call here gives such a handle. */
export const PHT_REMOTEDEV_CMD = 0x1000001f;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SYSTEM_STATISTICS = 0x10000020;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SYSTEM_STATISTICS_CPU = 0x10000021;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SYSTEM_STATISTICS_IFACE = 0x10000022;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SYSTEM_STATISTICS_USER_SESSION = 0x10000023;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SYSTEM_STATISTICS_DISK = 0x10000024;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SYSTEM_STATISTICS_DISK_PARTITION = 0x10000025;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SYSTEM_STATISTICS_PROCESS = 0x10000026;
/** Of the SDK; no call here gives such a handle. */
export const PHT_LICENSE = 0x10000027;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SERVER_INFO = 0x10000028;
/** Of the SDK; no call here gives such a handle. */
export const PHT_BOOT_DEVICE = 0x10000029;
/** From PrlApi_CreateStringsList. */
export const PHT_STRINGS_LIST = 0x1000002a;
/** From the result of PrlSrv_LoginLocal. */
export const PHT_LOGIN_RESPONSE = 0x1000002b;
/** Of the SDK; no call here gives such a handle. */
export const PHT_RUNNING_TASK = 0x1000002c;
/** Of the SDK; no call here gives such a handle. */
export const PHT_NET_SERVICE_STATUS = 0x1000002d;
/** From PrlApi_CreateHandlesList. */
export const PHT_HANDLES_LIST = 0x1000002e;
/** From PrlDisk_OpenDisk_Local, PrlDisk_CreateDisk_Local and PrlVmBackup_GetDisk. */
export const PHT_VIRTUAL_DISK = 0x1000002f;
/** Of the SDK; no call here gives such a handle. */
export const PHT_ACCESS_RIGHTS = 0x10000030;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VM_TOOLS_INFO = 0x10000031;
/** Of the SDK; no call here gives such a handle. */
export const PHT_FOUND_VM_INFO = 0x10000032;
/** Of the SDK; no call here gives such a handle. */
export const PHT_TIS_RECORD = 0x10000033;
/** Of the SDK; no call here gives such a handle. */
export const PHT_USER_INFO = 0x10000034;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VM_CONFIGURATION = 0x10000005;
/** Of the SDK; no call here gives such a handle. */
export const PHT_TIS_EMITTER = 0x10000036;
/** Of the SDK; no call here gives such a handle. */
export const PHT_TOOL = 0x10000037;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_HD_PARTITION = 0x10000038;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_GENERIC_PCI = 0x10000039;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DEV_GENERIC_SCSI = 0x1000003a;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VM_GUEST_SESSION = 0x1000003b;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_NETWORK = 0x1000003c;
/** Of the SDK; no call here gives such a handle. */
export const PHT_PORT_FORWARDING = 0x1000003d;
/** Of the SDK; no call here gives such a handle. */
export const PHT_HW_GENERIC_PCI_DEVICE = 0x1000003e;
/** Of the SDK; no call here gives such a handle. */
export const PHT_OPAQUE_TYPE_LIST = 0x1000003f;
/** Of the SDK; no call here gives such a handle. */
export const PHT_GUEST_OSES_MATRIX = 0x10000040;
/** Of the SDK; no call here gives such a handle. */
export const PHT_PROBLEM_REPORT = 0x10000041;
/** Of the SDK; no call here gives such a handle. */
export const PHT_APPLIANCE_CONFIG = 0x10000042;
/** Of the SDK; no call here gives such a handle. */
export const PHT_OFFLINE_SERVICE = 0x10000043;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VM_VIRTUAL_DEVICES_INFO = 0x10000044;
/** Of the SDK; no call here gives such a handle. */
export const PHT_NETWORK_CLASS = 0x10000045;
/** Of the SDK; no call here gives such a handle. */
export const PHT_NETWORK_SHAPING = 0x10000046;
/** Of the SDK; no call here gives such a handle. */
export const PHT_NETWORK_RATE = 0x10000047;
/** Of the SDK; no call here gives such a handle. */
export const PHT_ISCSI_LUN = 0x10000048;
/** Of the SDK; no call here gives such a handle. */
export const PHT_CT_TEMPLATE = 0x10000049;
/** Of the SDK; no call here gives such a handle. */
export const PHT_USB_IDENTITY = 0x10000051;
/** Of the SDK; no call here gives such a handle. */
export const PHT_FIREWALL_RULE = 0x10000052;
/** Of the SDK; no call here gives such a handle. */
export const PHT_IPPRIV_NET = 0x10000053;
/** Of the SDK; no call here gives such a handle. */
export const PHT_PLUGIN_INFO = 0x10000054;
/** Of the SDK; no call here gives such a handle. */
export const PHT_CVSRC = 0x10000055;
/** Of the SDK; no call here gives such a handle. */
export const PHT_DESKTOP_CONTROL = 0x10000056;
/** Of the SDK; no call here gives such a handle. */
export const PHT_BACKUP_RESULT = 0x10000057;
/** Of the SDK; no call here gives such a handle. */
export const PHT_NETWORK_SHAPING_CONFIG = 0x10000058;
/** Of the SDK; no call here gives such a handle. */
export const PHT_NETWORK_SHAPING_BANDWIDTH = 0x10000059;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SYSTEM_STATISTICS_VM_DATA = 0x1000005a;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIDEO_RECEIVER = 0x1000005b;
/** Of the SDK; no call here gives such a handle. */
export const PHT_SESSION_INFO = 0x1000005c;
/** Of the SDK; no call here gives such a handle. */
export const PHT_CPU_FEATURES = 0x1000005d;
/** Of the SDK; no call here gives such a handle. */
export const PHT_CPU_POOL = 0x1000005e;
/** From PrlDisk_GetChangesMap_Local. */
export const PHT_VIRTUAL_DISK_MAP = 0x1000005f;
/** From PrlDiskOpenPolicy_CreateOffset. */
export const PHT_VIRTUAL_DISK_OPEN_POLICY = 0x10000060;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VIRTUAL_DISK_ENCRYPTION = 0x10000061;
/** Of the SDK; no call here gives such a handle. */
export const PHT_VCMMD_CONFIG = 0x10000062;
/** From the result of PrlVm_BeginBackup. */
export const PHT_BACKUP = 0x10000063;
/** The largest type of the SDK. */
export const PHT_LAST = 0x10000063;
