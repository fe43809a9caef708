/** Whoever makes a `DiskSource` keeps its promises; a line for each. */

import { diskSourceContract } from './diskSource.js';
import { runningDomainDisk } from './domainMakers.js';
import { memoryDisk } from './memoryMakers.js';
import { liveDisk, memory, parallelsFolder, qcow2Image, stoppedVm } from './sourceMakers.js';

diskSourceContract('a qcow2 image', qcow2Image);
diskSourceContract('a Parallels folder', parallelsFolder);
diskSourceContract('the fake in memory', memory);
diskSourceContract('a disk of a running QEMU', liveDisk);
diskSourceContract('a disk of a domain of libvirt that runs', runningDomainDisk);
diskSourceContract('an image of a VM that is off', () => stoppedVm());
diskSourceContract('the same under the name of its disk, as of a domain that is off', () => stoppedVm('vda'));
diskSourceContract('a disk of a VM in memory', memoryDisk);
