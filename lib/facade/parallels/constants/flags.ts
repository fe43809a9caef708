/** Flags and small enumerations of the SDK (PrlEnums.h, PrlDisk.h, PrlCommandsFlags.h). */
import { PRL_DISK_DEFAULT_FLAG } from './generated/flags.js';

export * from './generated/flags.js';

/** {@link PRL_DISK_DEFAULT_FLAG}, shorter. */
export const PRL_DISK_DEFAULT = PRL_DISK_DEFAULT_FLAG;
