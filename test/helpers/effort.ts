/** How many inputs a property is tried with: as many as the gate has time for, times EFFORT. `npm run torture` gives it more. */
const EFFORT = Number(process.env['EFFORT'] ?? 1);

export function runs(usual: number): number {
  return Math.ceil(usual * EFFORT);
}
