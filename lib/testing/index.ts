/** For unit tests of programs that use this library: a VM without QEMU, faults by rule and by seed, matchers. */
export type { TestDisk, TestDiskOptions, TestVm, TestVmOptions } from './createVm.js';
export { createVm } from './createVm.js';
export type { FaultCall, FaultError, FaultRule, RandomFaults } from './faults.js';
export { FAULT_CALLS } from './faults.js';
export type { CbtMatchers, ListedRanges, MatcherFunctions, MatcherResult } from './matchers.js';
export { matchers } from './matchers.js';
