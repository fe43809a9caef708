/**
 * Every moment of every operation with every fault, in an order that the seed shuffles, so that a run that is ended early has
 * tried some of each: `faults.js SEED COUNT|all [OPERATION KIND AT]`. Goes on after one that went wrong, and tells each with
 * what repeats it.
 */
import { seededRandom } from '../helpers/guestWriter.js';
import { endAsked } from './endAsked.js';
import { askForSchemasOnce } from './knownSchemas.js';
import { type Kind, kindsOf, Moments } from './moments.js';
import { OPERATIONS, type Operation } from './operations.js';
import { RestingImages } from './restingImages.js';
import { Space } from './space.js';

interface Moment {
  operation: Operation;
  kind: Kind;
  at: number;
}

const [seedText = '0', count = 'all', only, onlyKind, onlyAt] = process.argv.slice(2);
const seed = Number(seedText);
const EVERY = 20;

askForSchemasOnce();
await using space = await Space.mount();
await using resting = await RestingImages.start();
await using moments = await Moments.prepare(seed, space, resting);

const all: Moment[] = [];
for (const operation of OPERATIONS.filter(({ name }) => only === undefined || name === only)) {
  const effects = onlyAt === undefined ? await moments.count(operation, seed) : 0;
  const kinds = kindsOf(operation).filter((kind) => onlyKind === undefined || kind === onlyKind);
  const places = onlyAt === undefined ? Array.from({ length: effects }, (_, n) => n + 1) : [Number(onlyAt)];
  for (const kind of kinds) for (const at of places) all.push({ operation, kind, at });
}
const random = seededRandom(seed);
for (let n = all.length - 1; n > 0; n -= 1) {
  const other = random(n + 1);
  [all[n], all[other]] = [all[other] as Moment, all[n] as Moment];
}
const wanted = count === 'all' ? all : all.slice(0, Number(count));

const table = new Map<string, { whole: number; mended: number; wrong: number }>();
let wrong = 0;
const started = Date.now();
let tried = 0;
for (const { operation, kind, at } of wanted) {
  if (endAsked()) break;
  const key = `${operation.name} × ${kind}`;
  const cell = table.get(key) ?? { whole: 0, mended: 0, wrong: 0 };
  table.set(key, cell);
  try {
    cell[await moments.try(operation, kind, at, seed + at)] += 1;
  } catch (error) {
    cell.wrong += 1;
    wrong += 1;
    console.error(`FOUND faults ${seed} all '${operation.name}' ${kind} ${at}\n${(error as Error).stack}\n`);
  }
  tried += 1;
  if (tried % EVERY === 0) tell();
}
tell();
for (const [key, cell] of [...table].sort())
  console.log(`${key}: ${cell.whole} whole, ${cell.mended} mended, ${cell.wrong} wrong`);
process.exitCode = wrong === 0 ? 0 : 1;

function tell(): void {
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(`${tried} of ${all.length} moments, ${wrong} went wrong, ${seconds} s`);
}
