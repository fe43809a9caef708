/**
 * Faults at every step: the body runs with the first call of a port failing, then the second, the third …, until one run ends
 * without a fault. Each run gets a world of its own, and is held to the same promises, whatever failed in it.
 */

/** What fails. Armed right before the body, ended right after it. */
export type Faults = (n: number) => Armed;

export interface Armed {
  /** Fires instead of a failing call, where that is the fault. */
  signal?: AbortSignal;
  /** The call that failed, where the port tells; asked before the end. */
  what?(): string | undefined;
  /** Nothing fails any more; how many calls there were. */
  end(): number;
}

/** How one run of the body ended. */
export interface Ended<W, R> {
  world: W;
  /** The call that failed; in the last run none did. */
  step: number;
  failed: boolean;
  /** Which call that was, where the port tells. */
  what: string | undefined;
  result: R | undefined;
  error: unknown;
}

export interface Steps {
  /** Of so many calls one fails; which one of them, `from` says. Every one unless given. */
  every?: number;
  /** The first call that fails; 1 unless given. */
  from?: number;
}

/** The gate's run over a newer QEMU takes so many times fewer steps, and others ({@link someSteps}). */
export const STEPS_APART = Number(process.env['STEPS_APART'] ?? 1);

/** Of so many calls one; `kind`: a number, for others of each. Where there are fewer runs, none of the calls that the others take. */
export function someSteps(every: number, kind: number): Required<Steps> {
  return { every: every * STEPS_APART, from: 1 + ((kind + (STEPS_APART > 1 ? 2 : 0)) % every) };
}

/** Gives how many calls failed, one run each. The run without a fault must succeed. */
export async function atEveryStep<W, R>(
  faults: Faults,
  prepare: () => Promise<W>,
  body: (world: W, signal: AbortSignal | undefined) => Promise<R>,
  check: (ended: Ended<W, R>) => Promise<void>,
  { every = 1, from = 1 }: Steps = {},
): Promise<number> {
  for (let step = from, met = 0; ; step += every, met += 1) {
    const world = await prepare();
    const armed = faults(step);
    let result: R | undefined;
    let error: unknown;
    try {
      result = await body(world, armed.signal);
    } catch (thrown) {
      error = thrown;
    }
    const what = armed.what?.();
    const calls = armed.end();
    const failed = calls >= step;
    try {
      if (!failed && error !== undefined) throw error;
      await check({ world, step, failed, what, result, error });
    } catch (cause) {
      const which = what === undefined ? '' : ` (${what})`;
      const how = failed
        ? `call ${step} of at least ${calls}${which} failed`
        : `none of ${calls} calls failed`;
      const said = error instanceof Error ? `${error.message} — then: ` : '';
      throw new Error(`${how}: ${said}${(cause as Error).message}`, { cause });
    }
    if (!failed) return met;
  }
}

/**
 * The n-th call of an object's methods goes wrong: `before` it had any effect, or `after`, when only its answer is lost. What `fault`
 * gives is thrown; it gets what the method was called on, and its arguments. Where it gives nothing the call goes on. `lasting`: so does
 * every call after it.
 */
export function failing(
  port: object,
  methods: readonly string[],
  when: 'before' | 'after',
  fault: (on: object, args: unknown[]) => unknown,
  { lasting = false }: { lasting?: boolean } = {},
): Faults {
  return (n) => {
    let calls = 0;
    const real = port as Record<string, (...args: unknown[]) => Promise<unknown>>;
    const kept = methods.map((name) => [name, Object.getOwnPropertyDescriptor(port, name)] as const);
    for (const name of methods) {
      const call = real[name]!;
      real[name] = async function (this: object, ...args) {
        calls += 1;
        const fails = lasting ? calls >= n : calls === n;
        const fail = async (): Promise<void> => {
          const thrown = await fault(this, args);
          if (thrown !== undefined) throw thrown;
        };
        if (fails && when === 'before') await fail();
        const answer = await call.apply(this, args);
        if (fails && when === 'after') await fail();
        return answer;
      };
    }
    return {
      end: () => {
        for (const [name, own] of kept)
          if (own === undefined) delete real[name];
          else Object.defineProperty(port, name, own);
        return calls;
      },
    };
  };
}
