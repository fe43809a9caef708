/**
 * Faults by rule and by seed: which call of a VM in memory fails, how, and how often. The same rules and the same calls give the same faults, so that a test
 * that failed fails again.
 */
import { CODES, REASONS } from '../core/errorCodes.js';
import { CbtError, type CbtErrorCode, type CbtReason } from '../core/errors.js';
import type { DiskName } from '../core/ids.js';
import {
  type Checks,
  checkOptions,
  integer,
  listOf,
  milliseconds,
  oneOf,
  required,
  shape,
  text,
} from '../core/options.js';

/** The calls that can fail: of a VM, of its sessions, of the disks and the data that they open. */
export const FAULT_CALLS = [
  'facts',
  'disks',
  'openDisk',
  'enable',
  'reset',
  'disable',
  'forget',
  'undo',
  'begin',
  'resume',
  'check',
  'commit',
  'rollback',
  'openData',
  'question',
  'read',
] as const;

/** One of the calls that can fail. */
export type FaultCall = (typeof FAULT_CALLS)[number];

/** What happens at a call. */
export interface FaultRule {
  /** Which call meets it. */
  call: FaultCall;
  /** Only of this disk, where the call is of one. */
  disk?: DiskName | undefined;
  /** Lets so many of these calls go by first; 0 unless given. */
  after?: number | undefined;
  /** How often; once unless given. */
  times?: number | undefined;
  /**
   * `failure` of the call, with `error`, unless given; `crash`: the process is killed; `lostBitmap`: somebody takes the newest one of the disk away, and the
   * call goes on; `delay`: it goes on after `delayMs`.
   */
  happens?: 'failure' | 'crash' | 'lostBitmap' | 'delay' | undefined;
  /** 100 unless given. */
  delayMs?: number | undefined;
  /** `ERR_CBT_BACKEND_UNAVAILABLE` unless given. */
  error?: FaultError | undefined;
}

/** The error of a call that fails. */
export interface FaultError {
  /** Any but `ERR_CBT_INTERNAL`, which says that the library is wrong. */
  code: Exclude<CbtErrorCode, 'ERR_CBT_INTERNAL'>;
  /** Its reason; none unless given. */
  reason?: CbtReason | undefined;
  /** Its words; ours unless given. */
  message?: string | undefined;
}

/** Faults without a plan: each of the calls fails with this chance. */
export interface RandomFaults {
  /** A whole number; the same one gives the same faults. */
  seed: number;
  /** Of a thousand calls, about so many fail. */
  perThousand: number;
  /** All of them unless given. */
  calls?: readonly FaultCall[] | undefined;
}

const ERROR: Checks<FaultError> = {
  code: required(oneOf(...CODES.filter((code) => code !== 'ERR_CBT_INTERNAL'))),
  reason: oneOf(...REASONS),
  message: text,
};
const RULE: Checks<FaultRule> = {
  call: required(oneOf(...FAULT_CALLS)),
  disk: text,
  after: integer(0),
  times: integer(1),
  happens: oneOf('failure', 'crash', 'lostBitmap', 'delay'),
  delayMs: milliseconds,
  error: shape<FaultError>(ERROR),
};
const RANDOM: Checks<RandomFaults> = {
  seed: required(integer(0, 2 ** 32 - 1)),
  perThousand: required(integer(0, 1000)),
  calls: listOf(oneOf(...FAULT_CALLS)),
};

/** The faults of one VM. */
export class Faults {
  readonly #rules: { rule: FaultRule; left: number; skip: number }[] = [];
  #random: { of: RandomFaults; next: () => number } | null = null;

  /** From here on; rules that are there stay. */
  add(rule: FaultRule): void {
    checkOptions('a fault', rule, RULE);
    this.#rules.push({ rule, left: rule.times ?? 1, skip: rule.after ?? 0 });
  }

  /** From here on; instead of those before. */
  atRandom(faults: RandomFaults): void {
    checkOptions('faults at random', faults, RANDOM);
    this.#random = { of: faults, next: seeded(faults.seed) };
  }

  /** No more. */
  clear(): void {
    this.#rules.length = 0;
    this.#random = null;
  }

  /** What happens at this call; null where nothing does. The first rule that fits is the one. */
  next(call: FaultCall, disk: string | null): FaultRule | null {
    for (const one of this.#rules) {
      const { rule } = one;
      if (rule.call !== call || one.left === 0 || (rule.disk !== undefined && rule.disk !== disk)) continue;
      if (one.skip > 0) {
        one.skip -= 1;
        continue;
      }
      one.left -= 1;
      return rule;
    }
    if (this.#random === null) return null;
    const { of, next } = this.#random;
    if (of.calls !== undefined && !of.calls.includes(call)) return null;
    return next() * 1000 < of.perThousand ? { call } : null;
  }
}

/** The error of a rule, as the call throws it. */
export function errorOf({ call, error }: FaultRule, disk: string | null): CbtError {
  const {
    code = 'ERR_CBT_BACKEND_UNAVAILABLE',
    reason,
    message = `${call} failed, as the test wanted`,
  } = error ?? {};
  return new CbtError(code, message, {
    ...(reason !== undefined && { reason }),
    ...(disk !== null && { disk }),
  });
}

/** Numbers from 0 up to 1 by a seed, the same everywhere: a linear congruence modulo 2^32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  const step = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  // Neighbouring seeds begin alike.
  for (let turn = 0; turn < 8; turn += 1) step();
  // Its low bits repeat soon.
  return () => (step() >>> 8) / 2 ** 24;
}
