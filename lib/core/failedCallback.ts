/** What a program's function throws is its own affair: the work goes on, and the process is warned (`QEMU_CBT_CALLBACK`). */
export function warnOfCallback(what: string, thrown: unknown): void {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  process.emitWarning(`${what}: ${why}`, { type: 'CbtWarning', code: 'QEMU_CBT_CALLBACK' });
}
