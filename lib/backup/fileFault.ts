/** Failures of the file system, as this folder's files see them. */
export { isMissing, onFile } from '../linux/fileFault.js';
