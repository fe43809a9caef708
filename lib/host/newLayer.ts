/** The wiring of new qcow2 files, written from the disk's first byte to its last. */
export { NewLayer, type NewLayerOptions } from '../backend/image/qcow2/newLayer.js';
