/** What a login gives. */
import { PHT_LOGIN_RESPONSE } from '../constants/handleTypes.js';
import type { PrlObject } from '../runtime.js';

export class LoginResponse implements PrlObject {
  readonly handleType = PHT_LOGIN_RESPONSE;

  async close(): Promise<void> {
    // Nothing is held: the login is the server's.
  }
}
