/** A program's libprl_sdk: its calls inside a runtime of its own. */
import { PRL_ERR_UNIMPLEMENTED } from '../../../facade/parallels/constants/results.js';
import { PrlError } from '../../../facade/parallels/errors.js';
import type { PRL_EVENT_HANDLER_PTR } from '../../../facade/parallels/index.js';
import { Runtime, runWithRuntime } from '../../../facade/parallels/runtime.js';
import type { Value } from '../frames.js';
import { type Answer, MAX_PIECE_BYTES, type SdkCall, type SdkClient, type SdkOptions } from '../sdkClient.js';
import { findCall } from './calls.js';

export class PrlClient implements SdkClient {
  readonly #runtime = new Runtime();
  readonly #handlers = new Map<bigint, PRL_EVENT_HANDLER_PTR>();
  readonly #event: SdkOptions['event'];

  constructor({ event, host }: SdkOptions) {
    this.#event = event;
    this.#runtime.vms = host;
  }

  answer(name: string, call: SdkCall): Promise<Answer> | Answer {
    return runWithRuntime(this.#runtime, () => {
      const known = findCall(name);
      if (known === undefined)
        throw new PrlError(PRL_ERR_UNIMPLEMENTED, `there is no call ${JSON.stringify(name)}`);
      return known({ ...call, handler: (registration) => this.#handler(registration) });
    });
  }

  failed(thrown: unknown): Answer {
    return { code: this.#runtime.answer(thrown) };
  }

  answerBytes(name: string, values: readonly Value[]): number {
    const size = name === 'PrlDisk_Read' || name === 'PrlDiskMap_Bytes' ? values[3] : 0n;
    return typeof size === 'bigint' ? Math.min(Number(size), MAX_PIECE_BYTES) : 0;
  }

  async close(): Promise<void> {
    await this.#runtime.close();
  }

  /** 0 is no function. */
  #handler(registration: bigint): PRL_EVENT_HANDLER_PTR | null {
    if (registration === 0n) return null;
    const known = this.#handlers.get(registration);
    const handler = known ?? ((event) => this.#event(registration, BigInt(event)));
    this.#handlers.set(registration, handler);
    return handler;
  }
}
