// Made by scripts/make-constants.mjs from scripts/sdk/vixdisklib.json; do not edit.

/** A result: VIX_OK, VIX_ASYNC, or what went wrong. */
export type VixError =
  | 0
  | 1
  | 2
  | 3
  | 4
  | 5
  | 6
  | 7
  | 8
  | 9
  | 10
  | 11
  | 12
  | 13
  | 14
  | 15
  | 16
  | 20
  | 21
  | 22
  | 23
  | 24
  | 25
  | 26
  | 27
  | 29
  | 30
  | 31
  | 32
  | 34
  | 35
  | 36
  | 41
  | 44
  | 1000
  | 1001
  | 1002
  | 2000
  | 2001
  | 2002
  | 3000
  | 3001
  | 3003
  | 3004
  | 3005
  | 3006
  | 3007
  | 3008
  | 3009
  | 3010
  | 3011
  | 3012
  | 3013
  | 3014
  | 3015
  | 3016
  | 3017
  | 3018
  | 3019
  | 3023
  | 3024
  | 3025
  | 3026
  | 3027
  | 3028
  | 3031
  | 3032
  | 3033
  | 3034
  | 3035
  | 3041
  | 3043
  | 3046
  | 3047
  | 4000
  | 4001
  | 4002
  | 4003
  | 4004
  | 4006
  | 4011
  | 6000
  | 6001
  | 6002
  | 6003
  | 6004
  | 6005
  | 8000
  | 10000
  | 10001
  | 13000
  | 13001
  | 13002
  | 13003
  | 13004
  | 13005
  | 13006
  | 13007
  | 13008
  | 13009
  | 13010
  | 13011
  | 13012
  | 13013
  | 13014
  | 13015
  | 13016
  | 13017
  | 13018
  | 13019
  | 13020
  | 13021
  | 13024
  | 14003
  | 14004
  | 14005
  | 14006
  | 14007
  | 14008
  | 14009
  | 14010
  | 14011
  | 14012
  | 14013
  | 14014
  | 14015
  | 16000
  | 16001
  | 16002
  | 16003
  | 16006
  | 16007
  | 16008
  | 16009
  | 16010
  | 16011
  | 16012
  | 16013
  | 16014
  | 16015
  | 16016
  | 16017
  | 16018
  | 16019
  | 16020
  | 16022
  | 16024
  | 16027
  | 16028
  | 16029
  | 16030
  | 16052
  | 16053
  | 16054
  | 16061
  | 16062
  | 16063
  | 16064
  | 16065
  | 16066
  | 16067
  | 16068
  | 16069
  | 17000
  | 17001
  | 17002
  | 17003
  | 17004
  | 17005
  | 17006
  | 17007
  | 17008
  | 17009
  | 17010
  | 17011
  | 17012
  | 18000
  | 18001
  | 18002
  | 19000
  | 19001
  | 19002
  | 19003
  | 20000
  | 20001
  | 20002
  | 20003
  | 20004
  | 20005
  | 21000
  | 21001
  | 21002
  | 21003
  | 21004
  | 21005
  | 21006
  | 21007
  | 21008
  | 21009
  | 21010
  | 21011
  | 21012
  | 22001
  | 22002
  | 22003
  | 22004
  | 22005
  | 22006
  | 24000
  | 24001
  | 24002
  | 24003
  | 24004
  | 24005
  | 24006
  | 24007
  | 24008
  | 24009
  | 24010
  | 24011
  | 24012
  | 24013
  | 24014
  | 24015
  | 24016
  | 24017
  | 24018
  | 24019
  | 24020
  | 24021
  | 24022
  | 24300
  | 24301
  | 24302
  | 24303
  | 24304
  | 24305
  | 24306
  | 24307
  | 24308
  | 24309
  | 24310
  | 24311
  | 24312
  | 24313
  | 24314
  | 24315
  | 24316
  | 24317
  | 24318
  | 24319
  | 24320
  | 24321
  | 24322
  | 25000
  | 26000
  | 30001
  | 30003
  | 30005
  | 30006
  | 30007
  | 30022
  | 30028
  | 30035
  | 30047
  | 30200
  | 30201
  | 30202;

/** Done. */
export const VIX_OK = 0;
/** A bug of this library, or an error that is none of its own. */
export const VIX_E_FAIL = 1;
/** Never answered here. */
export const VIX_E_OUT_OF_MEMORY = 2;
/** A parameter is not what it must be. */
export const VIX_E_INVALID_ARG = 3;
/** No such file, or no such disk in the VM or snapshot. */
export const VIX_E_FILE_NOT_FOUND = 4;
/** VixDiskLib_PrepareForAccess: another one holds the VM, or is changing it. */
export const VIX_E_OBJECT_IS_BUSY = 5;
/** A call, disk type or image that this library or QEMU does not support. */
export const VIX_E_NOT_SUPPORTED = 6;
/** A file or QEMU could not be reached. */
export const VIX_E_FILE_ERROR = 7;
/** The file system has no space left. */
export const VIX_E_DISK_FULL = 8;
/** The name does not say the image's format, and `configureVixDiskLib({ formats })` does not either. */
export const VIX_E_INCORRECT_FILE_TYPE = 9;
/** What was asked was aborted. */
export const VIX_E_CANCELLED = 10;
/** Writing to a disk or connection that is open for reading. */
export const VIX_E_FILE_READ_ONLY = 11;
/** A file of that name is there, and stays as it is. */
export const VIX_E_FILE_ALREADY_EXISTS = 12;
/** The file system does not permit it. */
export const VIX_E_FILE_ACCESS_ERROR = 13;
/** Never answered here. */
export const VIX_E_REQUIRES_LARGE_FILES = 14;
/** A QEMU, or another program, holds the image. */
export const VIX_E_FILE_ALREADY_LOCKED = 15;
/** Never answered here. */
export const VIX_E_VMDB = 16;
/** The call works on files of this machine only, or the disk of a running VM was asked for without a snapshot. */
export const VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT = 20;
/** Never answered here. */
export const VIX_E_FILE_TOO_BIG = 21;
/** A path that is neither absolute nor `[store] folder/name`, leads out of its datastore, or names one that is not known. */
export const VIX_E_FILE_NAME_INVALID = 22;
/** Never answered here. */
export const VIX_E_ALREADY_EXISTS = 23;
/** The buffer is too small; the length needed is given. */
export const VIX_E_BUFFER_TOOSMALL = 24;
/** Never answered here. */
export const VIX_E_OBJECT_NOT_FOUND = 25;
/** Never answered here. */
export const VIX_E_HOST_NOT_CONNECTED = 26;
/** Never answered here. */
export const VIX_E_INVALID_UTF8_STRING = 27;
/** Never answered here. */
export const VIX_E_UNFINISHED_JOB = 29;
/** Never answered here. */
export const VIX_E_NEED_KEY = 30;
/** Never answered here. */
export const VIX_E_OPERATION_ALREADY_IN_PROGRESS = 31;
/** Never answered here. */
export const VIX_E_LICENSE = 32;
/** Never answered here. */
export const VIX_E_VM_HOST_DISCONNECTED = 34;
/** Never answered here. */
export const VIX_E_AUTHENTICATION_FAIL = 35;
/** QEMU or an NBD server gave no answer in time. */
export const VIX_E_HOST_CONNECTION_LOST = 36;
/** Never answered here. */
export const VIX_E_DUPLICATE_NAME = 41;
/** Never answered here. */
export const VIX_E_ARGUMENT_TOO_BIG = 44;
/** A handle or connection that was closed. */
export const VIX_E_INVALID_HANDLE = 1000;
/** Never answered here. */
export const VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE = 1001;
/** Never answered here. */
export const VIX_E_TOO_MANY_HANDLES = 1002;
/** A point in time that is not known, or a VM that is not held. */
export const VIX_E_NOT_FOUND = 2000;
/** Never answered here. */
export const VIX_E_TYPE_MISMATCH = 2001;
/** Never answered here. */
export const VIX_E_INVALID_XML = 2002;
/** Never answered here. */
export const VIX_E_TIMEOUT_WAITING_FOR_TOOLS = 3000;
/** Never answered here. */
export const VIX_E_UNRECOGNIZED_COMMAND = 3001;
/** Never answered here. */
export const VIX_E_OP_NOT_SUPPORTED_ON_GUEST = 3003;
/** Never answered here. */
export const VIX_E_PROGRAM_NOT_STARTED = 3004;
/** Never answered here. */
export const VIX_E_CANNOT_START_READ_ONLY_VM = 3005;
/** Never answered here. */
export const VIX_E_VM_NOT_RUNNING = 3006;
/** Never answered here. */
export const VIX_E_VM_IS_RUNNING = 3007;
/** Never answered here. */
export const VIX_E_CANNOT_CONNECT_TO_VM = 3008;
/** Never answered here. */
export const VIX_E_POWEROP_SCRIPTS_NOT_AVAILABLE = 3009;
/** Never answered here. */
export const VIX_E_NO_GUEST_OS_INSTALLED = 3010;
/** Never answered here. */
export const VIX_E_VM_INSUFFICIENT_HOST_MEMORY = 3011;
/** Never answered here. */
export const VIX_E_SUSPEND_ERROR = 3012;
/** Never answered here. */
export const VIX_E_VM_NOT_ENOUGH_CPUS = 3013;
/** Never answered here. */
export const VIX_E_HOST_USER_PERMISSIONS = 3014;
/** Never answered here. */
export const VIX_E_GUEST_USER_PERMISSIONS = 3015;
/** Never answered here. */
export const VIX_E_TOOLS_NOT_RUNNING = 3016;
/** Never answered here. */
export const VIX_E_GUEST_OPERATIONS_PROHIBITED = 3017;
/** Never answered here. */
export const VIX_E_ANON_GUEST_OPERATIONS_PROHIBITED = 3018;
/** Never answered here. */
export const VIX_E_ROOT_GUEST_OPERATIONS_PROHIBITED = 3019;
/** Never answered here. */
export const VIX_E_MISSING_ANON_GUEST_ACCOUNT = 3023;
/** Never answered here. */
export const VIX_E_CANNOT_AUTHENTICATE_WITH_GUEST = 3024;
/** Never answered here. */
export const VIX_E_UNRECOGNIZED_COMMAND_IN_GUEST = 3025;
/** Never answered here. */
export const VIX_E_CONSOLE_GUEST_OPERATIONS_PROHIBITED = 3026;
/** Never answered here. */
export const VIX_E_MUST_BE_CONSOLE_USER = 3027;
/** Never answered here. */
export const VIX_E_VMX_MSG_DIALOG_AND_NO_UI = 3028;
/** Never answered here. */
export const VIX_E_OPERATION_NOT_ALLOWED_FOR_LOGIN_TYPE = 3031;
/** Never answered here. */
export const VIX_E_LOGIN_TYPE_NOT_SUPPORTED = 3032;
/** Never answered here. */
export const VIX_E_EMPTY_PASSWORD_NOT_ALLOWED_IN_GUEST = 3033;
/** Never answered here. */
export const VIX_E_INTERACTIVE_SESSION_NOT_PRESENT = 3034;
/** Never answered here. */
export const VIX_E_INTERACTIVE_SESSION_USER_MISMATCH = 3035;
/** Never answered here. */
export const VIX_E_CANNOT_POWER_ON_VM = 3041;
/** Never answered here. */
export const VIX_E_NO_DISPLAY_SERVER = 3043;
/** Never answered here. */
export const VIX_E_TOO_MANY_LOGONS = 3046;
/** Never answered here. */
export const VIX_E_INVALID_AUTHENTICATION_SESSION = 3047;
/** The service has no such VM, or there is no service: see configureVixDiskLib. */
export const VIX_E_VM_NOT_FOUND = 4000;
/** Never answered here. */
export const VIX_E_NOT_SUPPORTED_FOR_VM_VERSION = 4001;
/** Never answered here. */
export const VIX_E_CANNOT_READ_VM_CONFIG = 4002;
/** Never answered here. */
export const VIX_E_TEMPLATE_VM = 4003;
/** Never answered here. */
export const VIX_E_VM_ALREADY_LOADED = 4004;
/** Never answered here. */
export const VIX_E_VM_ALREADY_UP_TO_DATE = 4006;
/** Never answered here. */
export const VIX_E_VM_UNSUPPORTED_GUEST = 4011;
/** Never answered here. */
export const VIX_E_UNRECOGNIZED_PROPERTY = 6000;
/** Never answered here. */
export const VIX_E_INVALID_PROPERTY_VALUE = 6001;
/** Never answered here. */
export const VIX_E_READ_ONLY_PROPERTY = 6002;
/** Never answered here. */
export const VIX_E_MISSING_REQUIRED_PROPERTY = 6003;
/** Never answered here. */
export const VIX_E_INVALID_SERIALIZED_DATA = 6004;
/** Never answered here. */
export const VIX_E_PROPERTY_TYPE_MISMATCH = 6005;
/** Never answered here. */
export const VIX_E_BAD_VM_INDEX = 8000;
/** Never answered here. */
export const VIX_E_INVALID_MESSAGE_HEADER = 10000;
/** Never answered here. */
export const VIX_E_INVALID_MESSAGE_BODY = 10001;
/** Never answered here. */
export const VIX_E_SNAPSHOT_INVAL = 13000;
/** Never answered here. */
export const VIX_E_SNAPSHOT_DUMPER = 13001;
/** Never answered here. */
export const VIX_E_SNAPSHOT_DISKLIB = 13002;
/** No such snapshot, or its content is gone: QEMU was restarted, or the image was written since. */
export const VIX_E_SNAPSHOT_NOTFOUND = 13003;
/** Never answered here. */
export const VIX_E_SNAPSHOT_EXISTS = 13004;
/** Never answered here. */
export const VIX_E_SNAPSHOT_VERSION = 13005;
/** Never answered here. */
export const VIX_E_SNAPSHOT_NOPERM = 13006;
/** Never answered here. */
export const VIX_E_SNAPSHOT_CONFIG = 13007;
/** Never answered here. */
export const VIX_E_SNAPSHOT_NOCHANGE = 13008;
/** Never answered here. */
export const VIX_E_SNAPSHOT_CHECKPOINT = 13009;
/** Never answered here. */
export const VIX_E_SNAPSHOT_LOCKED = 13010;
/** Never answered here. */
export const VIX_E_SNAPSHOT_INCONSISTENT = 13011;
/** Never answered here. */
export const VIX_E_SNAPSHOT_NAMETOOLONG = 13012;
/** Never answered here. */
export const VIX_E_SNAPSHOT_VIXFILE = 13013;
/** Never answered here. */
export const VIX_E_SNAPSHOT_DISKLOCKED = 13014;
/** Never answered here. */
export const VIX_E_SNAPSHOT_DUPLICATEDDISK = 13015;
/** Never answered here. */
export const VIX_E_SNAPSHOT_INDEPENDENTDISK = 13016;
/** Never answered here. */
export const VIX_E_SNAPSHOT_NONUNIQUE_NAME = 13017;
/** Never answered here. */
export const VIX_E_SNAPSHOT_MEMORY_ON_INDEPENDENT_DISK = 13018;
/** Never answered here. */
export const VIX_E_SNAPSHOT_MAXSNAPSHOTS = 13019;
/** Never answered here. */
export const VIX_E_SNAPSHOT_MIN_FREE_SPACE = 13020;
/** Never answered here. */
export const VIX_E_SNAPSHOT_HIERARCHY_TOODEEP = 13021;
/** Never answered here. */
export const VIX_E_SNAPSHOT_NOT_REVERTABLE = 13024;
/** Never answered here. */
export const VIX_E_HOST_DISK_INVALID_VALUE = 14003;
/** Never answered here. */
export const VIX_E_HOST_DISK_SECTORSIZE = 14004;
/** Never answered here. */
export const VIX_E_HOST_FILE_ERROR_EOF = 14005;
/** Never answered here. */
export const VIX_E_HOST_NETBLKDEV_HANDSHAKE = 14006;
/** Never answered here. */
export const VIX_E_HOST_SOCKET_CREATION_ERROR = 14007;
/** Never answered here. */
export const VIX_E_HOST_SERVER_NOT_FOUND = 14008;
/** Never answered here. */
export const VIX_E_HOST_NETWORK_CONN_REFUSED = 14009;
/** Never answered here. */
export const VIX_E_HOST_TCP_SOCKET_ERROR = 14010;
/** Never answered here. */
export const VIX_E_HOST_TCP_CONN_LOST = 14011;
/** Never answered here. */
export const VIX_E_HOST_NBD_HASHFILE_VOLUME = 14012;
/** Never answered here. */
export const VIX_E_HOST_NBD_HASHFILE_INIT = 14013;
/** Never answered here. */
export const VIX_E_HOST_SERVER_SHUTDOWN = 14014;
/** Never answered here. */
export const VIX_E_HOST_SERVER_NOT_AVAILABLE = 14015;
/** The metadata beside an image is damaged, or a size does not fit the disk. */
export const VIX_E_DISK_INVAL = 16000;
/** VixDiskLib_Init or VixDiskLib_InitEx has not been called. */
export const VIX_E_DISK_NOINIT = 16001;
/** Reading or writing failed. */
export const VIX_E_DISK_NOIO = 16002;
/** Never answered here. */
export const VIX_E_DISK_PARTIALCHAIN = 16003;
/** Never answered here. */
export const VIX_E_DISK_NEEDSREPAIR = 16006;
/** Sectors past the end of the disk. */
export const VIX_E_DISK_OUTOFRANGE = 16007;
/** Never answered here. */
export const VIX_E_DISK_CID_MISMATCH = 16008;
/** Never answered here. */
export const VIX_E_DISK_CANTSHRINK = 16009;
/** Never answered here. */
export const VIX_E_DISK_PARTMISMATCH = 16010;
/** Never answered here. */
export const VIX_E_DISK_UNSUPPORTEDDISKVERSION = 16011;
/** Never answered here. */
export const VIX_E_DISK_OPENPARENT = 16012;
/** Never answered: see VIX_E_NOT_SUPPORTED. */
export const VIX_E_DISK_NOTSUPPORTED = 16013;
/** Never answered here. */
export const VIX_E_DISK_NEEDKEY = 16014;
/** Never answered here. */
export const VIX_E_DISK_NOKEYOVERRIDE = 16015;
/** Never answered here. */
export const VIX_E_DISK_NOTENCRYPTED = 16016;
/** Never answered here. */
export const VIX_E_DISK_NOKEY = 16017;
/** Never answered here. */
export const VIX_E_DISK_INVALIDPARTITIONTABLE = 16018;
/** Never answered here. */
export const VIX_E_DISK_NOTNORMAL = 16019;
/** Never answered here. */
export const VIX_E_DISK_NOTENCDESC = 16020;
/** Never answered here. */
export const VIX_E_DISK_NEEDVMFS = 16022;
/** Never answered here. */
export const VIX_E_DISK_RAWTOOBIG = 16024;
/** Never answered here. */
export const VIX_E_DISK_TOOMANYOPENFILES = 16027;
/** Never answered here. */
export const VIX_E_DISK_TOOMANYREDO = 16028;
/** Never answered here. */
export const VIX_E_DISK_RAWTOOSMALL = 16029;
/** Never answered here. */
export const VIX_E_DISK_INVALIDCHAIN = 16030;
/** VixDiskLib_ReadMetadata: no such key. */
export const VIX_E_DISK_KEY_NOTFOUND = 16052;
/** Never answered here. */
export const VIX_E_DISK_SUBSYSTEM_INIT_FAIL = 16053;
/** A connection that is none, or was closed. */
export const VIX_E_DISK_INVALID_CONNECTION = 16054;
/** Never answered here. */
export const VIX_E_DISK_ENCODING = 16061;
/** VixDiskLib_CheckRepair was asked to repair the image, and could not. */
export const VIX_E_DISK_CANTREPAIR = 16062;
/** The image breaks the rules of its format. */
export const VIX_E_DISK_INVALIDDISK = 16063;
/** Never answered here. */
export const VIX_E_DISK_NOLICENSE = 16064;
/** Never answered here. */
export const VIX_E_DISK_NODEVICE = 16065;
/** Never answered here. */
export const VIX_E_DISK_UNSUPPORTEDDEVICE = 16066;
/** Never answered here. */
export const VIX_E_DISK_CAPACITY_MISMATCH = 16067;
/** Never answered here. */
export const VIX_E_DISK_PARENT_NOTALLOWED = 16068;
/** Never answered here. */
export const VIX_E_DISK_ATTACH_ROOTLINK = 16069;
/** Never answered here. */
export const VIX_E_CRYPTO_UNKNOWN_ALGORITHM = 17000;
/** Never answered here. */
export const VIX_E_CRYPTO_BAD_BUFFER_SIZE = 17001;
/** Never answered here. */
export const VIX_E_CRYPTO_INVALID_OPERATION = 17002;
/** Never answered here. */
export const VIX_E_CRYPTO_RANDOM_DEVICE = 17003;
/** Never answered here. */
export const VIX_E_CRYPTO_NEED_PASSWORD = 17004;
/** Never answered here. */
export const VIX_E_CRYPTO_BAD_PASSWORD = 17005;
/** Never answered here. */
export const VIX_E_CRYPTO_NOT_IN_DICTIONARY = 17006;
/** Never answered here. */
export const VIX_E_CRYPTO_NO_CRYPTO = 17007;
/** Never answered here. */
export const VIX_E_CRYPTO_ERROR = 17008;
/** Never answered here. */
export const VIX_E_CRYPTO_BAD_FORMAT = 17009;
/** Never answered here. */
export const VIX_E_CRYPTO_LOCKED = 17010;
/** Never answered here. */
export const VIX_E_CRYPTO_EMPTY = 17011;
/** Never answered here. */
export const VIX_E_CRYPTO_KEYSAFE_LOCATOR = 17012;
/** Never answered: there is no host to log in to. */
export const VIX_E_CANNOT_CONNECT_TO_HOST = 18000;
/** Never answered here. */
export const VIX_E_NOT_FOR_REMOTE_HOST = 18001;
/** Never answered here. */
export const VIX_E_INVALID_HOSTNAME_SPECIFICATION = 18002;
/** Never answered here. */
export const VIX_E_SCREEN_CAPTURE_ERROR = 19000;
/** Never answered here. */
export const VIX_E_SCREEN_CAPTURE_BAD_FORMAT = 19001;
/** Never answered here. */
export const VIX_E_SCREEN_CAPTURE_COMPRESSION_FAIL = 19002;
/** Never answered here. */
export const VIX_E_SCREEN_CAPTURE_LARGE_DATA = 19003;
/** Never answered here. */
export const VIX_E_GUEST_VOLUMES_NOT_FROZEN = 20000;
/** Never answered here. */
export const VIX_E_NOT_A_FILE = 20001;
/** Never answered here. */
export const VIX_E_NOT_A_DIRECTORY = 20002;
/** Never answered here. */
export const VIX_E_NO_SUCH_PROCESS = 20003;
/** Never answered here. */
export const VIX_E_FILE_NAME_TOO_LONG = 20004;
/** Never answered here. */
export const VIX_E_OPERATION_DISABLED = 20005;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_NO_IMAGE = 21000;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_IMAGE_INACCESIBLE = 21001;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_NO_DEVICE = 21002;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_DEVICE_NOT_CONNECTED = 21003;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_CANCELLED = 21004;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_INIT_FAILED = 21005;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_AUTO_NOT_SUPPORTED = 21006;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_GUEST_NOT_READY = 21007;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_SIG_CHECK_FAILED = 21008;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_ERROR = 21009;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_ALREADY_UP_TO_DATE = 21010;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_IN_PROGRESS = 21011;
/** Never answered here. */
export const VIX_E_TOOLS_INSTALL_IMAGE_COPY_FAILED = 21012;
/** Never answered here. */
export const VIX_E_WRAPPER_WORKSTATION_NOT_INSTALLED = 22001;
/** Never answered here. */
export const VIX_E_WRAPPER_VERSION_NOT_FOUND = 22002;
/** Never answered here. */
export const VIX_E_WRAPPER_SERVICEPROVIDER_NOT_FOUND = 22003;
/** Never answered here. */
export const VIX_E_WRAPPER_PLAYER_NOT_INSTALLED = 22004;
/** Never answered here. */
export const VIX_E_WRAPPER_RUNTIME_NOT_INSTALLED = 22005;
/** Never answered here. */
export const VIX_E_WRAPPER_MULTIPLE_SERVICEPROVIDERS = 22006;
/** Never answered here. */
export const VIX_E_MNTAPI_MOUNTPT_NOT_FOUND = 24000;
/** Never answered here. */
export const VIX_E_MNTAPI_MOUNTPT_IN_USE = 24001;
/** Never answered here. */
export const VIX_E_MNTAPI_DISK_NOT_FOUND = 24002;
/** Never answered here. */
export const VIX_E_MNTAPI_DISK_NOT_MOUNTED = 24003;
/** Never answered here. */
export const VIX_E_MNTAPI_DISK_IS_MOUNTED = 24004;
/** Never answered here. */
export const VIX_E_MNTAPI_DISK_NOT_SAFE = 24005;
/** Never answered here. */
export const VIX_E_MNTAPI_DISK_CANT_OPEN = 24006;
/** Never answered here. */
export const VIX_E_MNTAPI_CANT_READ_PARTS = 24007;
/** Never answered here. */
export const VIX_E_MNTAPI_UMOUNT_APP_NOT_FOUND = 24008;
/** Never answered here. */
export const VIX_E_MNTAPI_UMOUNT = 24009;
/** Never answered here. */
export const VIX_E_MNTAPI_NO_MOUNTABLE_PARTITONS = 24010;
/** Never answered here. */
export const VIX_E_MNTAPI_PARTITION_RANGE = 24011;
/** Never answered here. */
export const VIX_E_MNTAPI_PERM = 24012;
/** Never answered here. */
export const VIX_E_MNTAPI_DICT = 24013;
/** Never answered here. */
export const VIX_E_MNTAPI_DICT_LOCKED = 24014;
/** Never answered here. */
export const VIX_E_MNTAPI_OPEN_HANDLES = 24015;
/** Never answered here. */
export const VIX_E_MNTAPI_CANT_MAKE_VAR_DIR = 24016;
/** Never answered here. */
export const VIX_E_MNTAPI_NO_ROOT = 24017;
/** Never answered here. */
export const VIX_E_MNTAPI_LOOP_FAILED = 24018;
/** Never answered here. */
export const VIX_E_MNTAPI_DAEMON = 24019;
/** Never answered here. */
export const VIX_E_MNTAPI_INTERNAL = 24020;
/** Never answered here. */
export const VIX_E_MNTAPI_SYSTEM = 24021;
/** Never answered here. */
export const VIX_E_MNTAPI_NO_CONNECTION_DETAILS = 24022;
/** Never answered here. */
export const VIX_E_MNTAPI_INCOMPATIBLE_VERSION = 24300;
/** Never answered here. */
export const VIX_E_MNTAPI_OS_ERROR = 24301;
/** Never answered here. */
export const VIX_E_MNTAPI_DRIVE_LETTER_IN_USE = 24302;
/** Never answered here. */
export const VIX_E_MNTAPI_DRIVE_LETTER_ALREADY_ASSIGNED = 24303;
/** Never answered here. */
export const VIX_E_MNTAPI_VOLUME_NOT_MOUNTED = 24304;
/** Never answered here. */
export const VIX_E_MNTAPI_VOLUME_ALREADY_MOUNTED = 24305;
/** Never answered here. */
export const VIX_E_MNTAPI_FORMAT_FAILURE = 24306;
/** Never answered here. */
export const VIX_E_MNTAPI_NO_DRIVER = 24307;
/** Never answered here. */
export const VIX_E_MNTAPI_ALREADY_OPENED = 24308;
/** Never answered here. */
export const VIX_E_MNTAPI_ITEM_NOT_FOUND = 24309;
/** Never answered here. */
export const VIX_E_MNTAPI_UNSUPPROTED_BOOT_LOADER = 24310;
/** Never answered here. */
export const VIX_E_MNTAPI_UNSUPPROTED_OS = 24311;
/** Never answered here. */
export const VIX_E_MNTAPI_CODECONVERSION = 24312;
/** Never answered here. */
export const VIX_E_MNTAPI_REGWRITE_ERROR = 24313;
/** Never answered here. */
export const VIX_E_MNTAPI_UNSUPPORTED_FT_VOLUME = 24314;
/** Never answered here. */
export const VIX_E_MNTAPI_PARTITION_NOT_FOUND = 24315;
/** Never answered here. */
export const VIX_E_MNTAPI_PUTFILE_ERROR = 24316;
/** Never answered here. */
export const VIX_E_MNTAPI_GETFILE_ERROR = 24317;
/** Never answered here. */
export const VIX_E_MNTAPI_REG_NOT_OPENED = 24318;
/** Never answered here. */
export const VIX_E_MNTAPI_REGDELKEY_ERROR = 24319;
/** Never answered here. */
export const VIX_E_MNTAPI_CREATE_PARTITIONTABLE_ERROR = 24320;
/** Never answered here. */
export const VIX_E_MNTAPI_OPEN_FAILURE = 24321;
/** Never answered here. */
export const VIX_E_MNTAPI_VOLUME_NOT_WRITABLE = 24322;
/** VixDiskLib_ReadAsync and VixDiskLib_WriteAsync: begun; the callback gets the result. */
export const VIX_ASYNC = 25000;
/** Never answered here. */
export const VIX_E_ASYNC_MIXEDMODE_UNSUPPORTED = 26000;
/** Never answered here. */
export const VIX_E_NET_HTTP_UNSUPPORTED_PROTOCOL = 30001;
/** Never answered here. */
export const VIX_E_NET_HTTP_URL_MALFORMAT = 30003;
/** Never answered here. */
export const VIX_E_NET_HTTP_COULDNT_RESOLVE_PROXY = 30005;
/** Never answered here. */
export const VIX_E_NET_HTTP_COULDNT_RESOLVE_HOST = 30006;
/** Never answered here. */
export const VIX_E_NET_HTTP_COULDNT_CONNECT = 30007;
/** Never answered here. */
export const VIX_E_NET_HTTP_HTTP_RETURNED_ERROR = 30022;
/** Never answered here. */
export const VIX_E_NET_HTTP_OPERATION_TIMEDOUT = 30028;
/** Never answered here. */
export const VIX_E_NET_HTTP_SSL_CONNECT_ERROR = 30035;
/** Never answered here. */
export const VIX_E_NET_HTTP_TOO_MANY_REDIRECTS = 30047;
/** Never answered here. */
export const VIX_E_NET_HTTP_TRANSFER = 30200;
/** Never answered here. */
export const VIX_E_NET_HTTP_SSL_SECURITY = 30201;
/** Never answered here. */
export const VIX_E_NET_HTTP_GENERIC = 30202;
