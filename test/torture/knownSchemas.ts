/**
 * A command asks QEMU for its schema, a description as long as a book, each time it connects. Thousands of commands of one process need it once
 * for each program: QEMU's that know the same commands have the same schema. Commands that are processes of their own ask as always.
 */
import { QmpClient } from '../../lib/backend/qemu/qmp/qmpClient.js';

const known = new Map<string, unknown>();

export function askForSchemasOnce(): void {
  const { execute } = QmpClient.prototype;
  QmpClient.prototype.execute = async function (command, args, options) {
    if (command !== 'query-qmp-schema') return execute.call(this, command, args, options);
    const commands = JSON.stringify(await execute.call(this, 'query-commands', undefined, options));
    if (!known.has(commands)) known.set(commands, await execute.call(this, command, args, options));
    return known.get(commands);
  };
}
