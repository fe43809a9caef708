/** Whoever makes a `Session` keeps its promises; a line for each. */

import { domainThatIsOff, runningDomain } from './domainMakers.js';
import { memoryVm } from './memoryMakers.js';
import { sessionContract } from './session.js';
import { runningVm, vmOfAnother, vmThatIsOff } from './vmMakers.js';

sessionContract('of a running VM', runningVm);
sessionContract('of a running VM whose monitor another program has', vmOfAnother);
sessionContract('of a VM that is off', vmThatIsOff);
sessionContract('of a domain of libvirt that runs', runningDomain);
sessionContract('of a domain of libvirt that is off', domainThatIsOff);
sessionContract('of a VM in memory', memoryVm);
