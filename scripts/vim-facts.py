#!/usr/bin/env python3
"""Prints lib/facade/vsphere/schema/facts.ts: names, order and types of what the vSphere API has, in a notation of our own.

    python3 scripts/vim-facts.py <folder with pyVmomi's _typeinfo_*.py> > lib/facade/vsphere/schema/facts.ts

Which types are wanted stands below; what they inherit from, and the faults that the wanted methods declare, come by themselves.
"""
import ast
import os
import re
import sys

MANAGED = """ServiceInstance SearchIndex SessionManager ViewManager View ManagedObjectView ContainerView ListView PropertyCollector
PropertyFilter Task TaskManager HistoryCollector TaskHistoryCollector EventManager EventHistoryCollector VirtualMachine
VirtualMachineSnapshot Folder Datacenter ComputeResource HostSystem ResourcePool Datastore Network AuthorizationManager LicenseManager
OptionManager FileManager PerformanceManager HostDatastoreBrowser
HostAutoStartManager""".split()
METHODS = {
    "ServiceInstance": "CurrentTime RetrieveServiceContent",
    "SearchIndex": "FindAllByDnsName FindAllByIp FindAllByUuid FindByDatastorePath FindByDnsName FindByInventoryPath FindByIp FindByUuid FindChild",
    "SessionManager": "Login Logout SessionIsActive SetLocale TerminateSession",
    "ViewManager": "CreateContainerView CreateListView",
    "View": "DestroyView",
    "ListView": "ModifyListView ResetListView ResetListViewFromView",
    "PropertyCollector": "CancelRetrievePropertiesEx CancelWaitForUpdates CheckForUpdates ContinueRetrievePropertiesEx CreateFilter"
    " CreatePropertyCollector DestroyPropertyCollector RetrieveProperties RetrievePropertiesEx WaitForUpdates WaitForUpdatesEx",
    "PropertyFilter": "DestroyPropertyFilter",
    "Task": "CancelTask",
    "TaskManager": "CreateCollectorForTasks",
    "EventManager": "CreateCollectorForEvents QueryEvents",
    "HistoryCollector": "DestroyCollector ResetCollector RewindCollector SetCollectorPageSize",
    "TaskHistoryCollector": "ReadNextTasks ReadPreviousTasks",
    "EventHistoryCollector": "ReadNextEvents ReadPreviousEvents",
    "AuthorizationManager": "FetchUserPrivilegeOnEntities HasPrivilegeOnEntities HasPrivilegeOnEntity",
    "OptionManager": "QueryOptions",
    "PerformanceManager": "QueryAvailablePerfMetric QueryPerf QueryPerfCounter QueryPerfProviderSummary",
    "VirtualMachine": "ConsolidateVMDisks_Task CreateSnapshotEx_Task CreateSnapshot_Task QueryChangedDiskAreas ReconfigVM_Task"
    " RemoveAllSnapshots_Task RevertToCurrentSnapshot_Task",
    "VirtualMachineSnapshot": "RemoveSnapshot_Task RenameSnapshot RevertToSnapshot_Task",
}
DATA = """AboutInfo ServiceContent LocalizableMessage LocalizedMethodFault TaskInfo TaskReasonUser
VirtualMachineConfigInfo VirtualMachineConfigSpec VirtualMachineFileInfo VirtualHardware VirtualDevice Description
VirtualPCIController ParaVirtualSCSIController VirtualDisk VirtualDiskFlatVer2BackingInfo OptionValue VirtualMachineCapability
VirtualMachineRuntimeInfo VirtualMachineFileLayoutEx VirtualMachineFileLayoutExFileInfo
VirtualMachineFileLayoutExDiskLayout VirtualMachineFileLayoutExDiskUnit VirtualMachineSnapshotInfo
VirtualMachineSnapshotTree DiskChangeInfo DiskChangeExtent VirtualMachineGuestQuiesceSpec SelectionSpec TraversalSpec
ObjectSpec PropertySpec PropertyFilterSpec RetrieveOptions RetrieveResult ObjectContent DynamicProperty
MissingProperty MissingObject WaitOptions UpdateSet PropertyFilterUpdate ObjectUpdate PropertyChange UserSession
VirtualMachineSummary VirtualMachineConfigSummary VirtualMachineGuestSummary VirtualMachineStorageSummary VirtualMachineQuickStats
GuestInfo GuestNicInfo GuestDiskInfo VirtualMachineBootOptions VirtualMachineFlagInfo ToolsConfigInfo ResourceAllocationInfo SharesInfo
VirtualVmxnet3 VirtualEthernetCardNetworkBackingInfo VirtualDeviceConnectInfo VirtualMachineStorageInfo
VirtualMachineUsageOnDatastore ComputeResourceSummary ComputeResourceConfigInfo HostListSummary HostHardwareSummary HostConfigSummary
HostListSummaryQuickStats HostRuntimeInfo HostHardwareInfo HostSystemInfo HostCpuInfo HostCpuIdInfo HostNumaInfo HostConfigInfo
HostNetworkInfo HostDnsConfig HostConfigManager HostCapability HostStorageDeviceInfo DatastoreSummary DatastoreInfo LocalDatastoreInfo
DatastoreCapability DatastoreHostMount HostMountInfo NetworkSummary ResourcePoolSummary ResourcePoolRuntimeInfo
ResourcePoolResourceUsage ResourceConfigSpec TaskFilterSpec EventFilterSpec TaskDescription EventDescription ElementDescription
TypeDescription AuthorizationPrivilege EntityPrivilege PrivilegeAvailability Capability LicenseManagerLicenseInfo
HostAutoStartManagerConfig AutoStartDefaults PerfQuerySpec PerfMetricId PerfCounterInfo PerfProviderSummary""".split()
FAULTS = """ApplicationQuiesceFault DuplicateName FileFault FileLocked FileNotFound GenericVmConfigFault InvalidArgument
InvalidCollectorVersion InvalidLogin InvalidName InvalidPowerState InvalidProperty InvalidRequest InvalidState
ManagedObjectNotFound MethodNotFound NoPermission NotAuthenticated NotFound NotImplemented NotSupported RequestCanceled
SnapshotFault SystemError TaskInProgress Timedout VmConfigFault""".split()
SERVED = (6, 7, 1)

OPTIONAL = 4
types, managed, enums, wsdl, versions = {}, {}, {}, {}, {}


def value(node):
    if isinstance(node, ast.Name):
        return OPTIONAL if node.id == "F_OPTIONAL" else 0
    if isinstance(node, ast.BinOp):
        return value(node.left) | value(node.right)
    if isinstance(node, (ast.Tuple, ast.List)):
        return [value(one) for one in node.elts]
    return ast.literal_eval(node)


for part in ("core", "query", "vim"):
    with open(os.path.join(sys.argv[1], f"_typeinfo_{part}.py")) as file:
        for line in file:
            call = re.match(r"(CreateDataType|CreateManagedType|CreateEnumType|AddVersion)\(", line)
            if not call:
                continue
            args = [value(arg) for arg in ast.parse(line.strip()).body[0].value.args]
            if call[1] == "AddVersion":
                versions[args[0]] = args[2]
                continue
            wsdl[args[0]] = args[1]
            if call[1] == "CreateDataType":
                types[args[1]] = (args[2], args[4] or [])
            elif call[1] == "CreateEnumType":
                enums[args[1]] = args[3]
            elif call[1] == "CreateManagedType":
                managed[args[1]] = (args[0], args[2], args[4] or [], args[5] or [])
wsdl.update({"vmodl.MethodFault": "MethodFault", "vmodl.RuntimeFault": "RuntimeFault"})
types["MethodFault"] = (None, [["faultCause", "vmodl.MethodFault", "", OPTIONAL], ["faultMessage", "vmodl.LocalizableMessage[]", "", OPTIONAL]])
types["RuntimeFault"] = ("vmodl.MethodFault", [])
types["LocalizedMethodFault"] = (None, [["fault", "vmodl.MethodFault", "", 0], ["localizedMessage", "string", "", OPTIONAL]])


def name_of(vmodl):
    base, array = re.match(r"(.*?)((?:\[\])?)$", vmodl).groups()
    return wsdl.get(base, {"vmodl.ManagedObject": "ManagedObject"}.get(base, base.split(".")[-1])) + array


def field(one):
    name, kind, version, flags = one[:4]
    since = versions.get(version, "")
    newer = since[:1].isdigit() and tuple(int(n) for n in re.findall(r"\d+", since)[:3]) > SERVED
    return f"{name}:{name_of(kind)}{'?' if flags & OPTIONAL else ''}{'@' + since if newer else ''}"


def row(kind, name, base, fields):
    base = "" if base in (None, "vmodl.DynamicData", "vmodl.DataObject", "vmodl.ManagedObject") else f" : {name_of(base)}"
    return " ".join([f"{kind} {name}{base} |", *map(field, fields)])


def with_bases(names, table):
    found = []
    def add(name):
        if name in found or name not in table:
            return
        base = table[name][0] if table is types else table[name][1]
        if base and base not in ("vmodl.DynamicData", "vmodl.ManagedObject"):
            add(name_of(base))
        found.append(name)
    for name in names:
        add(name)
    return found


methods, declared = [], []
for owner, wanted in METHODS.items():
    for method in managed[owner][3]:
        if method[1] not in wanted.split():
            continue
        faults = [name_of(fault) for fault in method[6] or []]
        declared += faults
        result = method[4]
        answer = name_of(result[2]) if name_of(result[1]) != "Task" else f"Task<{name_of(result[2])}>"
        fields = " ".join(map(field, method[3]))
        methods.append(f"method {owner}.{method[1]} {method[0]} ({fields}) {answer}{'?' if result[0] & OPTIONAL else ''} | {' '.join(faults)}".rstrip())

rows = [row("fault", name, *types[name]) for name in sorted(with_bases(FAULTS + sorted(set(declared)), types), key=lambda n: 0)]
rows += [row("data", name, *types[name]) for name in with_bases(DATA, types)]
served = with_bases(MANAGED, managed)
for name in served:
    vmodl, base, properties, own = managed[name]
    rows.append(row("managed", f"{name} {vmodl} {len(own)}", base, properties))
rows += methods
named = {kind.rstrip("[]?") for line in rows for kind in re.findall(r"\w+:([\w\[\]]+)", line)}
rows += [f"enum {name} | {' '.join(enums[name])}" for name in sorted(named) if name in enums]
rows.append(f"references | {' '.join(sorted(name for name in named if name in managed and name not in served))}")
rows += [f"known {name} | {' '.join(method[1] for method in managed[name][3])}" for name in served if managed[name][3]]
print("""/**
 * What the vSphere API has, as far as it matters here: names, order and types, a row each. `?` may be left out, `[]` is a list, `@` is
 * the version of what is newer than the one served. A managed type has its inner name and the number of its own methods, a method its
 * inner name, its parameters, its result and the faults it declares. `references` are managed types that have no objects here, `known`
 * the names of all methods of a type. Made by scripts/vim-facts.py.
 */
export const FACTS = `""" + "\n".join(rows) + "\n`;")
