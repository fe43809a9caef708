// Made by scripts/make-constants.mjs from scripts/sdk/parallels.json; do not edit.

/** Of the SDK; no job here has it. */
export const PJOC_UNKNOWN = 0;
/** PrlJob_Cancel. */
export const PJOC_JOB_CANCEL = 1;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_LOOKUP_VIRTUOZZO_SERVERS = 2;
/** PrlSrv_Login. */
export const PJOC_SRV_LOGIN = 3;
/** PrlSrv_LoginLocal and PrlSrv_LoginLocalEx. */
export const PJOC_SRV_LOGIN_LOCAL = 4;
/** PrlSrv_Logoff. */
export const PJOC_SRV_LOGOFF = 5;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_SRV_CONFIG = 6;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_COMMON_PREFS = 7;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_COMMON_PREFS_BEGIN_EDIT = 8;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_COMMON_PREFS_COMMIT = 9;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_USER_PROFILE = 10;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_STATISTICS = 11;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_USER_PROFILE_BEGIN_EDIT = 12;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_USER_PROFILE_COMMIT = 13;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_REGISTER_VM = 14;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_REGISTER_VM_EX = 14;
/** PrlSrv_GetVmList. */
export const PJOC_SRV_GET_VM_LIST = 15;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_SUBSCRIBE_TO_HOST_STATISTICS = 16;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UNSUBSCRIBE_FROM_HOST_STATISTICS = 17;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_SHUTDOWN = 18;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_FS_GET_DISK_LIST = 19;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_FS_GET_DIR_ENTRIES = 20;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_FS_CREATE_DIR = 21;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_FS_REMOVE_ENTRY = 22;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_FS_CAN_CREATE_FILE = 23;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_FS_RENAME_ENTRY = 24;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_FS_GENERATE_ENTRY_NAME = 25;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UPDATE_LICENSE = 26;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_LICENSE_INFO = 27;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_SEND_ANSWER = 28;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_START_SEARCH_VMS = 29;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_NET_SERVICE_START = 30;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_NET_SERVICE_STOP = 31;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_NET_SERVICE_RESTART = 32;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_NET_SERVICE_RESTORE_DEFAULTS = 33;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_NET_SERVICE_STATUS = 34;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_ADD_NET_ADAPTER = 35;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_DELETE_NET_ADAPTER = 36;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UPDATE_NET_ADAPTER = 37;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_PROBLEM_REPORT = 38;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_ATTACH_TO_LOST_TASK = 39;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_USER_INFO_LIST = 40;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_USER_INFO = 41;
/** Of the SDK; no job here has it. */
export const PJOC_VM_START = 42;
/** Of the SDK; no job here has it. */
export const PJOC_VM_STOP = 43;
/** Of the SDK; no job here has it. */
export const PJOC_VM_PAUSE = 44;
/** Of the SDK; no job here has it. */
export const PJOC_VM_RESET = 45;
/** Of the SDK; no job here has it. */
export const PJOC_VM_SUSPEND = 46;
/** Of the SDK; no job here has it. */
export const PJOC_VM_RESUME = 42;
/** Of the SDK; no job here has it. */
export const PJOC_VM_DROP_SUSPENDED_STATE = 49;
/** Of the SDK; no job here has it. */
export const PJOC_VM_CLONE = 50;
/** Of the SDK; no job here has it. */
export const PJOC_VM_DELETE = 51;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GET_PROBLEM_REPORT = 52;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GET_STATE = 53;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GENERATE_VM_DEV_FILENAME = 54;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GET_TOOLS_STATE = 55;
/** Of the SDK; no job here has it. */
export const PJOC_VM_REFRESH_CONFIG = 56;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GET_STATISTICS = 57;
/** Of the SDK; no job here has it. */
export const PJOC_VM_SUBSCRIBE_TO_GUEST_STATISTICS = 58;
/** Of the SDK; no job here has it. */
export const PJOC_VM_UNSUBSCRIBE_FROM_GUEST_STATISTICS = 59;
/** Of the SDK; no job here has it. */
export const PJOC_VM_REG = 60;
/** Of the SDK; no job here has it. */
export const PJOC_VM_UNREG = 61;
/** Of the SDK; no job here has it. */
export const PJOC_VM_BEGIN_EDIT = 62;
/** Of the SDK; no job here has it. */
export const PJOC_VM_COMMIT = 63;
/** Of the SDK; no job here has it. */
export const PJOC_VM_CREATE_UNATTENDED_FLOPPY = 64;
/** Of the SDK; no job here has it. */
export const PJOC_VM_INITIATE_DEV_STATE_NOTIFICATIONS = 65;
/** Of the SDK; no job here has it. */
export const PJOC_VM_UPDATE_SECURITY = 66;
/** Of the SDK; no job here has it. */
export const PJOC_VM_VALIDATE_CONFIG = 67;
/** Of the SDK; no job here has it. */
export const PJOC_VM_DEV_CONNECT = 68;
/** Of the SDK; no job here has it. */
export const PJOC_VM_DEV_DISCONNECT = 69;
/** Of the SDK; no job here has it. */
export const PJOC_VM_DEV_CREATE_IMAGE = 70;
/** Of the SDK; no job here has it. */
export const PJOC_VM_INSTALL_TOOLS = 71;
/** Of the SDK; no job here has it. */
export const PJOC_VM_SEND_SHUTDOWN_COMMAND = 72;
/** Of the SDK; no job here has it. */
export const PJOC_VM_SEND_CLIPBOARD_REQUEST = 73;
/** Of the SDK; no job here has it. */
export const PJOC_VM_CONNECT_TO_VM = 74;
/** Of the SDK; no job here has it. */
export const PJOC_VM_DEV_DISPLAY_CAPTURE_SCREEN = 75;
/** Of the SDK; no job here has it. */
export const PJOC_VM_MIGRATE = 76;
/** Of the SDK; no job here has it. */
export const PJOC_VM_SEND_DRAGDROP_COMMAND = 77;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GUEST_RUN_PROGRAM = 78;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GUEST_LOGOUT = 79;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_SUBSCRIBE_PERFSTATS = 80;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UNSUBSCRIBE_PERFSTATS = 81;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_PERFSTATS = 82;
/** Of the SDK; no job here has it. */
export const PJOC_VM_SUBSCRIBE_PERFSTATS = 83;
/** Of the SDK; no job here has it. */
export const PJOC_VM_UNSUBSCRIBE_PERFSTATS = 84;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GET_PERFSTATS = 85;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GET_SUSPENDED_SCREEN = 86;
/** Of the SDK; no job here has it. */
export const PJOC_VM_MIGRATE_CANCEL = 87;
/** Of the SDK; no job here has it. */
export const PJOC_VM_RUN_COMPRESSOR = 88;
/** Of the SDK; no job here has it. */
export const PJOC_VM_CANCEL_COMPRESSOR = 89;
/** Of the SDK; no job here has it. */
export const PJOC_VM_CREATE_SNAPSHOT = 90;
/** Of the SDK; no job here has it. */
export const PJOC_VM_SWITCH_TO_SNAPSHOT = 91;
/** Of the SDK; no job here has it. */
export const PJOC_VM_DELETE_SNAPSHOT = 92;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GET_SNAPSHOTS_TREE = 93;
/** Of the SDK; no job here has it. */
export const PJOC_VM_START_EX = 94;
/** Of the SDK; no job here has it. */
export const PJOC_VM_LOGIN_IN_GUEST = 95;
/** Of the SDK; no job here has it. */
export const PJOC_VM_UPDATE_SNAPSHOT_DATA = 96;
/** Of the SDK; no job here has it. */
export const PJOC_VM_RESTART = 97;
/** Of the SDK; no job here has it. */
export const PJOC_VM_INSTALL_UTILITY = 98;
/** Of the SDK; no job here has it. */
export const PJOC_VM_UPDATE_TOOLS_SECTION = 99;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_ALL_HOST_USERS = 100;
/** Of the SDK; no job here has it. */
export const PJOC_VM_RESTORE = 101;
/** Of the SDK; no job here has it. */
export const PJOC_VM_START_VNC_SERVER = 102;
/** Of the SDK; no job here has it. */
export const PJOC_VM_STOP_VNC_SERVER = 103;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GUEST_GET_NETWORK_SETTINGS = 104;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_VIRTUAL_NETWORK_LIST = 105;
/** Of the SDK; no job here has it. */
export const PJOC_VM_AUTH_WITH_GUEST_SECURITY_DB = 106;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GUEST_SET_USER_PASSWD = 107;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_ADD_VIRTUAL_NETWORK = 108;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UPDATE_VIRTUAL_NETWORK = 109;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_DELETE_VIRTUAL_NETWORK = 110;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_CONFIGURE_GENERIC_PCI = 111;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_PREPARE_FOR_HIBERNATE = 112;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_AFTER_HOST_RESUME = 113;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_BACKUP_TREE = 114;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_CREATE_VM_BACKUP = 115;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_RESTORE_VM_BACKUP = 116;
/** Of the SDK; no job here has it. */
export const PJOC_API_SEND_PROBLEM_REPORT = 117;
/** Of the SDK; no job here has it. */
export const PJOC_VM_LOCK = 118;
/** Of the SDK; no job here has it. */
export const PJOC_VM_UNLOCK = 119;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_SET_NON_INTERACTIVE_SESSION = 120;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_CREATE_UNATTENDED_CD = 121;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_REMOVE_VM_BACKUP = 122;
/** Of the SDK; no job here has it. */
export const PJOC_VM_RESIZE_DISK_IMAGE = 123;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_SET_SESSION_CONFIRMATION_MODE = 124;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_STORE_VALUE_BY_KEY = 125;
/** Of the SDK; no job here has it. */
export const PJOC_VM_STORE_VALUE_BY_KEY = 126;
/** Of the SDK; no job here has it. */
export const PJOC_VM_COMPACT = 127;
/** Of the SDK; no job here has it. */
export const PJOC_VM_CANCEL_COMPACT = 128;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_SEND_CLIENT_STATISTICS = 129;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GET_PACKED_PROBLEM_REPORT = 130;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_PACKED_PROBLEM_REPORT = 131;
/** Of the SDK; no job here has it. */
export const PJOC_API_SEND_PACKED_PROBLEM_REPORT = 132;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UPDATE_USB_ASSOC_LIST = 133;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_REGISTER_3RD_PARTY_VM = 134;
/** Of the SDK; no job here has it. */
export const PJOC_VM_CHANGE_SID = 135;
/** Of the SDK; no job here has it. */
export const PJOC_VM_RESET_UPTIME = 136;
/** Of the SDK; no job here has it. */
export const PJOC_REPORT_ASSEMBLY = 137;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_INSTALL_APPLIANCE = 138;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UPDATE_OFFLINE_SERVICE = 139;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_DELETE_OFFLINE_SERVICE = 140;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_OFFLINE_SERVICES_LIST = 141;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_START_CLUSTER_SERVICE = 142;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_STOP_CLUSTER_SERVICE = 143;
/** Of the SDK; no job here has it. */
export const PJOC_VM_CMD_INTERNAL = 144;
/** Of the SDK; no job here has it. */
export const PJOC_VM_GET_VIRTUAL_DEVICES_INFO = 145;
/** Of the SDK; no job here has it. */
export const PJOC_VM_CONVERT_DISKS = 146;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UPDATE_NETWORK_CLASSES_CONFIG = 152;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_NETWORK_CLASSES_LIST = 153;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UPDATE_NETWORK_SHAPING_CONFIG = 154;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_NETWORK_SHAPING_CONFIG = 155;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_RESTART_NETWORK_SHAPING = 156;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_PROXY_GET_REGISTERED_HOSTS = 157;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_REGISTER_ISCSI_STORAGE = 158;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UNREGISTER_ISCSI_STORAGE = 159;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_EXTEND_ISCSI_STORAGE = 160;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_CT_TEMPLATE_LIST = 161;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_CHECK_ALIVE = 162;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_DEFAULT_VM_CONFIG = 163;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_REMOVE_CT_TEMPLATE = 164;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_COPY_CT_TEMPLATE = 165;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_ADD_IPPRIVATE_NETWORK = 166;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_REMOVE_IPPRIVATE_NETWORK = 167;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UPDATE_IPPRIVATE_NETWORK = 168;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_IPPRIVATE_NETWORKS_LIST = 169;
/** Of the SDK; no job here has it. */
export const PJOC_VM_DEV_COPY_IMAGE = 170;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_REFRESH_PLUGINS = 171;
/** Of the SDK; no job here has it. */
export const PJOC_VM_MOUNT = 172;
/** Of the SDK; no job here has it. */
export const PJOC_VM_UMOUNT = 173;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_PLUGINS_LIST = 174;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_DISK_FREE_SPACE = 175;
/** Of the SDK; no job here has it. */
export const PJOC_DESKTOP_CONTROL_CONNECT = 176;
/** Of the SDK; no job here has it. */
export const PJOC_VM_MOVE = 177;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GENERATE_CSR = 178;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_SIGN_CERTIFICATION_REQUEST = 179;
/** PrlSrv_GetVmConfig. */
export const PJOC_SRV_GET_VM_CONFIG = 180;
/** Of the SDK; no job here has it. */
export const PJOC_PTM_RPC = 181;
/** Of the SDK; no job here has it. */
export const PJOC_API_PUT_USER_DATA = 182;
/** Of the SDK; no job here has it. */
export const PJOC_API_GET_USER_DATA = 183;
/** Of the SDK; no job here has it. */
export const PJOC_API_GET_USER_KEYS = 184;
/** Of the SDK; no job here has it. */
export const PJOC_API_REMOVE_USER_DATA = 185;
/** Of the SDK; no job here has it. */
export const PJOC_API_PUT_ICON = 186;
/** Of the SDK; no job here has it. */
export const PJOC_API_VALIDATE_IN_CACHE = 187;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_UPDATE_SESSION_INFO = 188;
/** Of the SDK; no job here has it. */
export const PJOC_API_SUBSCRIBE_ON_REGISTRATION = 189;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_SEND_PROBLEM_REPORT = 190;
/** Of the SDK; no job here has it. */
export const PJOC_VM_SEND_PROBLEM_REPORT = 191;
/** Of the SDK; no job here has it. */
export const PJOC_VM_SET_PROTECTION = 192;
/** Of the SDK; no job here has it. */
export const PJOC_VM_REMOVE_PROTECTION = 193;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_CPU_POOLS_LIST_POOLS = 194;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_CPU_POOLS_MOVE = 195;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_CPU_POOLS_RECALCULATE = 196;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_CPU_POOLS_JOIN = 197;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_CPU_POOLS_LEAVE = 198;
/** Of the SDK; no job here has it. */
export const PJOC_VM_COMMIT_ENCRYPTION = 199;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_VCMMD_CONFIG = 200;
/** Of the SDK; no job here has it. */
export const PJOC_CT_REINSTALL = 201;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_BEGIN_VM_BACKUP = 202;
/** Of the SDK; no job here has it. */
export const PJOC_VM_END_BACKUP = 203;
/** Of the SDK; no job here has it. */
export const PJOC_SRV_GET_CPU_MASKING_FEATURE_SUPPORT = 204;
/** Of the SDK; no job here has it. */
export const PJOC_VM_UPDATE_NVRAM = 205;
/** Of the SDK; no job here has it. */
export const PJOC_CT_CONVERT = 206;
