/** What may become of a QMP command, for atEveryStep: over the port that everything goes through which speaks to a QEMU. */
import { QmpClient } from '../../lib/backend/qemu/qmp/qmpClient.js';
import { QmpCommandError } from '../../lib/backend/qemu/qmp/qmpError.js';
import { type Faults, failing } from './atEveryStep.js';

/** QEMU says no · the link is cut before the command · the command works, and the link is cut before its answer · cancelled. */
export const QMP_FAULTS = ['refused', 'cut', 'unheard', 'cancelled'] as const;

export function qmpFaults(kind: (typeof QMP_FAULTS)[number]): Faults {
  const at = (when: 'before' | 'after', fault: (port: object, args: unknown[]) => unknown): Faults =>
    failing(QmpClient.prototype, ['execute'], when, fault);
  switch (kind) {
    case 'refused':
      return at(
        'before',
        (_, [command]) => new QmpCommandError(String(command), 'GenericError', 'refused by the test'),
      );
    case 'cut':
      return at('before', cut);
    case 'unheard':
      return at('after', cut);
    case 'cancelled':
      return (n) => {
        const stop = new AbortController();
        // The command goes on, as one that is on its way does.
        const armed = at('before', () => stop.abort())(n);
        return { ...armed, signal: stop.signal };
      };
  }
}

async function cut(port: object): Promise<unknown> {
  const client = port as QmpClient;
  client['socket'].destroy();
  return client.ended;
}
