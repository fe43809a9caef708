/** Enumerations that calls take one of; flags are numbers, since `A | B` is one. */
import type {
  PAM_SERVER,
  PAM_UNKNOWN,
  PSL_HIGH_SECURITY,
  PSL_LOW_SECURITY,
  PSL_NORMAL_SECURITY,
} from './generated/flags.js';

/** What a program is to the SDK; there is PAM_SERVER only. */
export type PRL_APPLICATION_MODE = typeof PAM_SERVER | typeof PAM_UNKNOWN;

/** How a login is encrypted; of no effect here. */
export type PRL_SECURITY_LEVEL =
  | typeof PSL_LOW_SECURITY
  | typeof PSL_NORMAL_SECURITY
  | typeof PSL_HIGH_SECURITY;
