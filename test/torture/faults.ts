/**
 * Every moment of every operation with every fault, in an order that the seed shuffles, so that a run that is ended early has
 * tried some of each: `faults.js SEED COUNT|all FROM [OPERATION KIND AT]`. Goes on after one that went wrong, and tells each with
 * what repeats it. FROM leaves out so many: a run that was ended early goes on there.
 */
import { createHash } from 'node:crypto';
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

const [seedText = '0', count = 'all', from = '0', only, onlyKind, onlyAt] = process.argv.slice(2);
const seed = Number(seedText);
const first = Number(from);
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
// By what each is: how many there are differs by some from one run to the next, and moves no other.
const place = ({ operation, kind, at }: Moment): string =>
  createHash('sha256').update(`${seed} ${operation.name} ${kind} ${at}`).digest('hex');
const placed = all.map((moment) => ({ moment, place: place(moment) }));
placed.sort((a, b) => (a.place < b.place ? -1 : 1));
const inOrder = placed.map(({ moment }) => moment);
const wanted = inOrder.slice(first, count === 'all' ? all.length : first + Number(count));

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
    console.error(
      `FOUND faults.mjs ${seed} 1 0 '${operation.name}' ${kind} ${at}\n${(error as Error).stack}\n`,
    );
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
  const where = `${tried} of ${all.length} moments from ${first} on of seed ${seed}`;
  console.log(`${where}, ${wrong} went wrong, ${seconds} s`);
}
