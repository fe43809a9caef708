/** Whoever makes a `TrackingTarget` keeps its promises; a line for each. */
import { imagesAtRest, memoryDisks, runningDisks } from './targetMakers.js';
import { trackingTargetContract } from './trackingTarget.js';

trackingTargetContract('on a running VM', runningDisks);
trackingTargetContract('on images that no VM uses', imagesAtRest);
trackingTargetContract('on a VM in memory', memoryDisks);
