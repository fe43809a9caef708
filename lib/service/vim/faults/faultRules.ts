/**
 * What goes wrong in the simulator, by rules: at which calls, how often, and what. Which call is met is decided by counts and by a seed,
 * never by time, so that the same program meets the same faults each time.
 */
import { z } from 'zod';
import { CbtError, type CbtReason } from '../../../core/errors.js';
import { hasMethod, TYPES } from '../../../facade/vsphere/schema/schema.js';
import { FAULT_CLASSES } from './faultNames.js';

/** What a VM of the simulator can suffer. */
export const HARMS = ['loseBitmap', 'crash', 'newEpoch', 'resize', 'removeSnapshots'] as const;
export type Harm = (typeof HARMS)[number];

/** What a rule does. */
export type Effect =
  | { kind: 'fault'; name: string; reason?: CbtReason }
  | { kind: 'delay'; ms: number }
  | { kind: 'page'; areas: number }
  | { kind: 'hang' | 'close' | 'endSession' }
  | { kind: 'harm'; harm: Harm };

const REASONS = [
  'CRASHED',
  'MISSING',
  'UNKNOWN_PIT',
  'OTHER_EPOCH',
  'NOT_RECORDING',
  'OVERLAY',
  'GRANULARITY',
  'SIZE',
  'VOLATILE',
  'FORMAT',
  'BUSY',
  'FOREIGN',
] as const satisfies readonly CbtReason[];

const WORDS =
  'the name of a fault (FileFault, or FileFault:CRASHED), hang, close, endSession, delay:<milliseconds>, page:<areas>, loseBitmap, crash, newEpoch, resize, removeSnapshots';

/** The words of a rule as an effect; null for what means nothing. */
function effectOf(text: string): Effect | null {
  const [word = '', of] = text.split(':', 2);
  const number = Number(of);
  const isCount = /^\d{1,7}$/.test(of ?? '');
  if (word === 'delay') return isCount ? { kind: 'delay', ms: number } : null;
  if (word === 'page') return isCount && number > 0 ? { kind: 'page', areas: number } : null;
  const reason = REASONS.find((one) => one === of);
  if (FAULT_CLASSES.has(word) && (of === undefined || reason !== undefined))
    return { kind: 'fault', name: word, ...(reason !== undefined && { reason }) };
  if (of !== undefined) return null;
  if (word === 'hang' || word === 'close' || word === 'endSession') return { kind: word };
  const harm = HARMS.find((one) => one === word);
  return harm === undefined ? null : { kind: 'harm', harm };
}

const isMethod = (name: string): boolean =>
  name === '*' || name === 'Fetch' || [...TYPES.keys()].some((type) => hasMethod(type, name));

const ruleSchema = z.strictObject({
  on: z.string().refine(isMethod, 'the name of a method, or *'),
  do: z.string().transform((text, context): Effect => {
    const effect = effectOf(text);
    if (effect !== null) return effect;
    context.addIssue({ code: 'custom', message: WORDS });
    return z.NEVER;
  }),
  /** The call that it begins with, of those that it is about; the first unless given. */
  nth: z.number().int().min(1).max(1e9).optional(),
  /** How many calls from there on; one where `nth` is given, else all. */
  times: z.number().int().min(1).max(1e9).optional(),
  /** Of a thousand such calls so many, by the seed. */
  perThousand: z.number().int().min(1).max(1000).optional(),
});
const planSchema = z.strictObject({
  seed: z
    .number()
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1),
  rules: z.array(ruleSchema).max(1000),
});

export type FaultPlan = z.infer<typeof planSchema>;

/** The rules of a text; `where` is what it is called in errors. */
export function parseFaultPlan(where: string, text: string): FaultPlan {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch (cause) {
    throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `${where} is no JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
  const checked = planSchema.safeParse(said);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const at = issue?.path.reduce<unknown>((value, key) => (value as never)?.[key], said);
  throw new CbtError(
    'ERR_CBT_INVALID_ARGUMENT',
    `${where}: ${issue?.path.join('.') || 'it'} is ${JSON.stringify(at)?.slice(0, 80)}, expected ${issue?.message}`,
    { details: { path: where } },
  );
}

/** The rules at work: counts calls, and says what each meets. */
export class FaultRules {
  #plan: FaultPlan = { seed: 1, rules: [] };
  #seen: number[] = [];
  #random: () => number = () => 0;

  constructor(
    plan: FaultPlan,
    /** Makes a VM suffer; its name, null for the first. */
    readonly harm: (harm: Harm, vm: string | null) => Promise<void>,
    readonly draw: (seed: number) => () => number,
  ) {
    this.replace(plan);
  }

  /** Other rules from now on; counts and draws begin anew. */
  replace(plan: FaultPlan): void {
    this.#plan = plan;
    this.#seen = plan.rules.map(() => 0);
    this.#random = this.draw(plan.seed);
  }

  /** How often each rule has been met, in their order, and the seed. */
  get state(): { seed: number; calls: readonly number[] } {
    return { seed: this.#plan.seed, calls: this.#seen };
  }

  /** What the next call of a method meets, in the order of the rules. */
  next(method: string): Effect[] {
    return this.#plan.rules.flatMap((rule, at) => {
      if (rule.on !== '*' && rule.on !== method) return [];
      const count = (this.#seen[at] ?? 0) + 1;
      this.#seen[at] = count;
      const { nth = 1, times = rule.nth === undefined ? Number.POSITIVE_INFINITY : 1, perThousand } = rule;
      // Drawn at each call, so that what one rule draws does not hang on another's count.
      const isDrawn = perThousand === undefined || this.#random() * 1000 < perThousand;
      return count >= nth && count < nth + times && isDrawn ? [rule.do] : [];
    });
  }
}
