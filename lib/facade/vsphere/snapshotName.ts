/** What a snapshot may be called. */
import { InvalidName } from './faultClasses.js';

const MOST_CHARACTERS = 80;

export function requireName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name !== '' && name.length <= MOST_CHARACTERS) return;
  throw new InvalidName(`a snapshot's name has 1 to ${MOST_CHARACTERS} characters`, { name: String(name) });
}
