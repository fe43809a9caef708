/** A program's libvixDiskLib: its calls inside a library of its own. */
import { VixFailure } from '../../../facade/vixdisklib/errors.js';
import * as vix from '../../../facade/vixdisklib/index.js';
import type { CallArguments } from '../callArguments.js';
import type { Value } from '../frames.js';
import type { Answer, SdkCall, SdkClient, SdkOptions } from '../sdkClient.js';
import { answerBytes, CALLS } from './calls.js';
import { ClientObjects } from './objects.js';
import { readSettings } from './settings.js';

export class VixClient implements SdkClient {
  readonly #library = new vix.Library();
  readonly #objects: ClientObjects;
  readonly #log: (line: string) => void;

  constructor({ signal, log, ...reach }: SdkOptions) {
    this.#library.sharesServers = true;
    this.#library.signal = signal;
    this.#objects = new ClientObjects(this.#library, reach);
    this.#log = log;
  }

  answer(name: string, call: SdkCall): Promise<Answer> | Answer {
    return vix.runWithLibrary(this.#library, () => {
      if (name === 'VixDiskLib_InitEx') return this.#initialise(call.args);
      if (name === 'VixDiskLib_Exit') return this.#exit();
      const known = Object.hasOwn(CALLS, name) ? CALLS[name] : undefined;
      if (known === undefined)
        throw new VixFailure(vix.VIX_E_NOT_SUPPORTED, `there is no call ${JSON.stringify(name)}`);
      return known({ ...call, objects: this.#objects });
    });
  }

  failed(thrown: unknown): Answer {
    return { code: this.#library.answer(thrown) };
  }

  answerBytes(name: string, values: readonly Value[]): number {
    return answerBytes(name, values);
  }

  async close(): Promise<void> {
    await this.#library.close();
  }

  async #initialise(args: CallArguments): Promise<Answer> {
    const [major, minor, libDir, file] = [
      args.small('majorVersion'),
      args.small('minorVersion'),
      args.text('libDir'),
      args.text('configFile'),
    ];
    const answer = vix.VixDiskLib_InitEx(major, minor, this.#log, null, null, libDir, file);
    if (answer !== vix.VIX_OK) return { code: answer };
    try {
      const { host, library } = await readSettings(file);
      this.#objects.host = host;
      vix.configureVixDiskLib(library);
    } catch (thrown) {
      const code = this.#library.answer(thrown);
      vix.VixDiskLib_Exit();
      return { code };
    }
    return { code: answer };
  }

  /** Where C ends the library, what is open is closed first. */
  async #exit(): Promise<Answer> {
    await this.#library.close();
    return { code: vix.VIX_OK };
  }
}
