/** Where random tests begin: SEED, which the gate sets so that what fails there fails again; without it, elsewhere each time. */
import fc from 'fast-check';

export const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

// For every property of the file. Without SEED fast-check draws one, and tells it with what failed.
if (process.env['SEED'] !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED });
