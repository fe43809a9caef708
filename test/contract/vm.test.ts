/** Whoever makes a `Vm` keeps its promises; a line for each. */

import {
  domainThatIsOff,
  runningDomain,
  twinsOfADomainThatIsOff,
  twinsOfARunningDomain,
} from './domainMakers.js';
import { memoryVm } from './memoryMakers.js';
import { vmContract } from './vm.js';
import { runningVm, twinsThatAreOff, vmOfAnother, vmThatIsOff } from './vmMakers.js';

vmContract('running', { running: true, make: runningVm });
vmContract('running, whose monitor another program has', { running: true, make: vmOfAnother });
vmContract('off', { running: false, make: vmThatIsOff, makeTwins: twinsThatAreOff });
vmContract('a domain of libvirt that runs', {
  running: true,
  make: runningDomain,
  makeTwins: twinsOfARunningDomain,
});
vmContract('a domain of libvirt that is off', {
  running: false,
  make: domainThatIsOff,
  makeTwins: twinsOfADomainThatIsOff,
});
vmContract('in memory, for unit tests', {
  running: true,
  make: memoryVm,
  unambiguous: true,
  monitorless: true,
});
