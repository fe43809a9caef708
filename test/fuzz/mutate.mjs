// One input from others: the mutations that find most in binary formats, drawn from a seed that can be given again.

/** Numbers from 0 to 1 (Mulberry32), the same for the same seed. */
export function makeRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const WORDS = ['00', 'ff', '01', '80', '7fffffff', '80000000', 'ffffffff', '00000200', '00010000']
  .concat([
    '7fffffffffffffff',
    '8000000000000000',
    'ffffffffffffffff',
    '0000000000000001',
    '00fffffffffffe00',
  ])
  .map((text) => Buffer.from(text, 'hex'));

const MOST_BYTES = 1 << 20;

/**
 * Where to change something. Images are zeros for the most part, and what a parser reads is not: most places are at, or just
 * behind, a byte that is set.
 */
function placeIn(bytes, random, below) {
  const at = below(bytes.length + 1);
  if (random() < 0.25) return at;
  for (let next = at; next < bytes.length; next += 1) if (bytes[next] !== 0) return next + below(4);
  return below(Math.min(bytes.length, 192) + 1);
}

/**
 * A mutated copy of one of the inputs. `dictionary`: pieces that mean something to the parser. `placed`: what the input says
 * stands at fixed places, so nothing is put in or taken out that would move the rest.
 */
export function mutate(random, inputs, { dictionary, placed = false }) {
  const below = (n) => Math.floor(random() * n);
  const pick = (list) => list[below(list.length)];
  let bytes = Buffer.from(pick(inputs));
  for (let n = 1 + below(4); n > 0; n -= 1) {
    const at = placeIn(bytes, random, below);
    const put = (piece) => piece.copy(bytes, Math.min(at, Math.max(0, bytes.length - piece.length)));
    switch (below(placed ? 6 : 8)) {
      case 0:
        if (bytes.length > 0) bytes[at % bytes.length] ^= 1 << below(8);
        break;
      case 1:
        if (bytes.length > 0) bytes[at % bytes.length] += below(9) - 4;
        break;
      case 2:
        put(pick(WORDS));
        break;
      case 3:
        put(Buffer.from(pick(WORDS)).reverse());
        break;
      case 6:
        bytes = Buffer.concat([bytes.subarray(0, at), pick(dictionary), bytes.subarray(at)]);
        break;
      case 7:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(16))]);
        break;
      case 4: {
        const other = pick(inputs);
        const from = below(other.length + 1);
        put(other.subarray(from, from + 1 + below(64)));
        break;
      }
      default:
        if (random() < 0.1) bytes = bytes.subarray(0, at);
        else put(pick(dictionary));
    }
  }
  return bytes.subarray(0, MOST_BYTES);
}
