/** The wiring of qcow2 files of plain clusters, read without QEMU. */
export { type HeldRun, PlainImage } from '../backend/image/qcow2/plainImage.js';
