/** What the calls on a VM take, as it is checked before anything is begun. */
import {
  abortSignal,
  type Checks,
  callback,
  checkOptions,
  flag,
  granularity,
  limitOf,
  milliseconds,
  names,
  oneOf,
  point,
  shape,
  text,
  uuid,
} from './options.js';
import type { EndSessionOptions } from './session.js';
import type { BeginVmOptions, DisksOptions, QuiesceOptions, ScratchOptions, StartVmOptions } from './vm.js';

/** One cluster of a scratch file: with less, a disk's share would be none. */
const MIN_SCRATCH_BYTES = 65_536;

const CALL = { signal: abortSignal, timeoutMs: milliseconds };

const DISKS: Checks<DisksOptions> = { ...CALL, disks: names };

const START: Checks<StartVmOptions> = {
  ...DISKS,
  pit: uuid,
  granularityBytes: granularity,
};

const QUIESCE: Checks<QuiesceOptions> = {
  agentSocket: text,
  onFailure: oneOf('fail', 'warn'),
  timeoutMs: milliseconds,
};

const SCRATCH: Checks<ScratchOptions> = { folder: text, limitBytes: limitOf(MIN_SCRATCH_BYTES) };

/** The same for whoever begins sessions by options of his own. */
export const sessionChecks = {
  disks: names,
  quiesce: shape<QuiesceOptions>(QUIESCE),
  scratch: shape<ScratchOptions>(SCRATCH),
  nbdSocket: text,
};

const BEGIN: Checks<BeginVmOptions> = {
  ...sessionChecks,
  pit: uuid,
  base: point,
  mode: oneOf('fleece', 'overlay'),
  detached: flag,
  allowUnwatchedScratch: flag,
  onlyLook: flag,
  ...CALL,
};

const END: Checks<EndSessionOptions> = { ...CALL, onProgress: callback };

export const checkDisks = (what: string, options: unknown): void => checkOptions(what, options, DISKS);
export const checkStart = (what: string, options: unknown): void => checkOptions(what, options, START);
export const checkBegin = (options: unknown): void => checkOptions('begin', options, BEGIN);
export const checkEnd = (what: string, options: unknown): void => checkOptions(what, options, END);
