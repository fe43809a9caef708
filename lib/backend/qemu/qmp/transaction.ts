/**
 * Several actions as one QMP `transaction`: all of them happen, or none. QEMU drains all guest I/O once at the start and
 * then runs the actions in list order, which is part of their meaning (a backup action keeps its disk drained to the
 * end; a bitmap added before another is disabled loses no write), so the order given here is kept.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import type { BitmapName, TransactionAction } from './arguments.js';
import { qmp } from './commands.js';
import type { QmpPort } from './qmpPort.js';

/** One change to one bitmap; `node` is the QEMU node that holds it. */
export type BitmapAction =
  | {
      kind: 'add';
      node: string;
      name: string;
      /** A power of two, 512 bytes to 2 GiB; QEMU's choice when left out. */
      granularityBytes?: number | undefined;
      /** Stored in the image at its clean close; false by default, as in QEMU. */
      persistent?: boolean | undefined;
      /** Does not record; false by default. */
      disabled?: boolean | undefined;
    }
  | { kind: 'remove' | 'enable' | 'disable' | 'clear'; node: string; name: string }
  | { kind: 'merge'; node: string; name: string; sources: readonly BitmapName[] };

/** The QEMU action for a bitmap action. */
export function toTransactionAction(action: BitmapAction): TransactionAction {
  const { node, name } = action;
  switch (action.kind) {
    case 'add':
      return {
        type: 'block-dirty-bitmap-add',
        data: {
          node,
          name,
          ...(action.granularityBytes === undefined ? {} : { granularity: action.granularityBytes }),
          ...(action.persistent === undefined ? {} : { persistent: action.persistent }),
          ...(action.disabled === undefined ? {} : { disabled: action.disabled }),
        },
      };
    case 'merge':
      return { type: 'block-dirty-bitmap-merge', data: { node, target: name, bitmaps: action.sources } };
    default:
      return { type: `block-dirty-bitmap-${action.kind}`, data: { node, name } };
  }
}

/**
 * Runs the actions as one transaction; an empty list does nothing. When QEMU refuses, nothing has happened, save that a
 * persistent bitmap whose `remove` came before the refused action is gone from the file until the next clean close
 * (QEMU 7.2): put removals last. After a time-out or an abort it is not known whether the actions happened.
 */
export async function runTransaction(
  client: QmpPort,
  actions: readonly (TransactionAction | BitmapAction)[],
  options?: WaitOptions,
): Promise<void> {
  if (actions.length === 0) return;
  const spelled = actions.map((action) => ('kind' in action ? toTransactionAction(action) : action));
  for (const action of spelled) {
    if (action.type === 'block-dirty-bitmap-merge' && action.data.bitmaps.length === 0) {
      // QEMU takes an empty list and does nothing, which is what a lost segment would look like.
      const { node, target } = action.data;
      throw new CbtError('ERR_CBT_INTERNAL', `merge into bitmap ${target} of node ${node} names no source`);
    }
  }
  await qmp(client, 'transaction', { actions: spelled }, options);
}
