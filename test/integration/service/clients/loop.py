"""A backup program for vCenter, written with pyVmomi and for nothing else: the loop of changed-block tracking.

    loop.py HOST PORT USER PASSWORD VM

Speaks a line at a time with whoever runs it: a word on its standard input begins the next step, a line of JSON is what came of it.
"""
import json
import ssl
import sys

from pyVim import connect, task
from pyVmomi import vim

host, port, user, password, name = sys.argv[1:]
context = ssl._create_unverified_context()
si = connect.SmartConnect(host=host, port=int(port), user=user, pwd=password, sslContext=context)
content = si.RetrieveContent()


def tell(**what):
    print(json.dumps(what), flush=True)


def find():
    view = content.viewManager.CreateContainerView(content.rootFolder, [vim.VirtualMachine], True)
    try:
        return next(vm for vm in view.view if vm.name == name)
    finally:
        view.DestroyView()


def wait(one):
    task.WaitForTask(one, si)
    return one.info.result


def disks(of):
    return [device for device in of.config.hardware.device if isinstance(device, vim.vm.device.VirtualDisk)]


def areas(vm, snapshot, disk, change_id):
    found, start = [], 0
    while start < disk.capacityInBytes:
        info = vm.QueryChangedDiskAreas(snapshot=snapshot, deviceKey=disk.key, startOffset=start, changeId=change_id)
        found += [[area.start, area.length] for area in info.changedArea]
        start = info.startOffset + info.length
    return found


def point(vm, base):
    """Takes a snapshot, reads what changed since `base` (all that is allocated for '*'), removes the snapshot."""
    snapshot = wait(vm.CreateSnapshot_Task(name="backup", description="", memory=False, quiesce=False))
    disk = disks(snapshot)[0]
    changed = areas(vm, snapshot, disk, base)
    names = [tree.name for tree in vm.snapshot.rootSnapshotList]
    wait(snapshot.RemoveSnapshot_Task(removeChildren=False))
    return {"changeId": disk.backing.changeId, "areas": changed, "names": names, "left": vm.snapshot is not None}


vm = find()
tell(power=vm.runtime.powerState, tracking=vm.config.changeTrackingEnabled, capacity=disks(vm)[0].capacityInBytes,
     uuid=vm.config.uuid, moref=vm._moId)
for line in sys.stdin:
    step, *rest = line.split(None, 1)
    if step == "enable":
        wait(vm.ReconfigVM_Task(vim.vm.ConfigSpec(changeTrackingEnabled=True)))
        tell(tracking=vm.config.changeTrackingEnabled)
    elif step == "point":
        tell(**point(vm, rest[0].strip()))
    elif step == "query":
        try:
            areas(vm, None, disks(vm)[0], rest[0].strip())
            tell(fault=None)
        except vim.fault.FileFault as fault:
            tell(fault=type(fault).__name__, file=fault.file, message=[one.message for one in fault.faultMessage])
    elif step == "end":
        break
connect.Disconnect(si)
tell(done=True)
