/**
 * What the vSphere API has, as far as it matters here: names, order and types, a row each. `?` may be left out, `[]` is a list, `@` is
 * the version of what is newer than the one served. A managed type has its inner name and the number of its own methods, a method its
 * inner name, its parameters, its result and the faults it declares. Made by scripts/vim-facts.py.
 */
export const FACTS = `fault MethodFault | faultCause:MethodFault? faultMessage:LocalizableMessage[]?
fault VimFault : MethodFault |
fault SnapshotFault : VimFault |
fault ApplicationQuiesceFault : SnapshotFault |
fault DuplicateName : VimFault | name:string object:ManagedObject
fault FileFault : VimFault | file:string
fault FileLocked : FileFault |
fault FileNotFound : FileFault |
fault VmConfigFault : VimFault |
fault GenericVmConfigFault : VmConfigFault | reason:string
fault RuntimeFault : MethodFault |
fault InvalidArgument : RuntimeFault | invalidProperty:PropertyPath?
fault InvalidCollectorVersion : MethodFault |
fault InvalidLogin : VimFault |
fault InvalidName : VimFault | name:string entity:ManagedEntity?
fault InvalidState : VimFault |
fault InvalidPowerState : InvalidState | requestedState:VirtualMachinePowerState? existingState:VirtualMachinePowerState
fault InvalidProperty : MethodFault | name:PropertyPath
fault InvalidRequest : RuntimeFault |
fault ManagedObjectNotFound : RuntimeFault | obj:ManagedObject
fault MethodNotFound : InvalidRequest | receiver:ManagedObject method:string
fault SecurityError : RuntimeFault |
fault NoPermission : SecurityError | object:ManagedObject? privilegeId:string? missingPrivileges:NoPermissionEntityPrivileges[]?@7.0.3.2
fault NotAuthenticated : NoPermission |
fault NotFound : VimFault |
fault NotImplemented : RuntimeFault |
fault NotSupported : RuntimeFault |
fault RequestCanceled : RuntimeFault |
fault SystemError : RuntimeFault | reason:string
fault TaskInProgress : VimFault | task:Task
fault Timedout : VimFault |
fault ConcurrentAccess : VimFault |
fault InsufficientResourcesFault : VimFault |
fault InvalidDatastore : VimFault | datastore:Datastore? name:string?
data AboutInfo | name:string fullName:string vendor:string version:string patchLevel:string?@7.0.2.0 build:string localeVersion:string? localeBuild:string? osType:string productLineId:string apiType:string apiVersion:string instanceUuid:string? licenseProductName:string? licenseProductVersion:string?
data ServiceContent | rootFolder:Folder propertyCollector:PropertyCollector viewManager:ViewManager? about:AboutInfo setting:OptionManager? userDirectory:UserDirectory? sessionManager:SessionManager? authorizationManager:AuthorizationManager? serviceManager:ServiceManager? perfManager:PerformanceManager? scheduledTaskManager:ScheduledTaskManager? alarmManager:AlarmManager? eventManager:EventManager? taskManager:TaskManager? extensionManager:ExtensionManager? customizationSpecManager:CustomizationSpecManager? guestCustomizationManager:VirtualMachineGuestCustomizationManager?@6.8.7 customFieldsManager:CustomFieldsManager? accountManager:HostLocalAccountManager? diagnosticManager:DiagnosticManager? licenseManager:LicenseManager? searchIndex:SearchIndex? fileManager:FileManager? datastoreNamespaceManager:DatastoreNamespaceManager? virtualDiskManager:VirtualDiskManager? virtualizationManager:VirtualizationManager? snmpSystem:HostSnmpSystem? vmProvisioningChecker:VirtualMachineProvisioningChecker? vmCompatibilityChecker:VirtualMachineCompatibilityChecker? ovfManager:OvfManager? ipPoolManager:IpPoolManager? dvSwitchManager:DistributedVirtualSwitchManager? hostProfileManager:HostProfileManager? clusterProfileManager:ClusterProfileManager? complianceManager:ProfileComplianceManager? localizationManager:LocalizationManager? storageResourceManager:StorageResourceManager? guestOperationsManager:GuestOperationsManager? overheadMemoryManager:OverheadMemoryManager? certificateManager:CertificateManager? ioFilterManager:IoFilterManager? vStorageObjectManager:VStorageObjectManagerBase? hostSpecManager:HostSpecificationManager? cryptoManager:CryptoManager? healthUpdateManager:HealthUpdateManager? failoverClusterConfigurator:FailoverClusterConfigurator? failoverClusterManager:FailoverClusterManager? tenantManager:TenantTenantManager?@6.9.1 siteInfoManager:SiteInfoManager?@7.0.0.0 storageQueryManager:StorageQueryManager?@6.7.2
data LocalizableMessage | key:string arg:KeyAnyValue[]? message:string?
data LocalizedMethodFault | fault:MethodFault localizedMessage:string?
data TaskInfo | key:string task:Task description:LocalizableMessage? name:MethodName? descriptionId:string entity:ManagedEntity? entityName:string? locked:ManagedEntity[]? state:TaskInfoState cancelled:boolean cancelable:boolean error:MethodFault? result:anyType? progress:int? progressDetails:KeyAnyValue[]?@8.0.1.0 reason:TaskReason queueTime:DateTime startTime:DateTime? completeTime:DateTime? eventChainId:int changeTag:string? parentTaskKey:string? rootTaskKey:string? activationId:string?
data TaskReason |
data TaskReasonUser : TaskReason | userName:string
data VirtualMachineConfigInfo | changeVersion:string modified:DateTime name:string guestFullName:string version:string uuid:string createDate:DateTime? instanceUuid:string? npivNodeWorldWideName:long[]? npivPortWorldWideName:long[]? npivWorldWideNameType:string? npivDesiredNodeWwns:short? npivDesiredPortWwns:short? npivTemporaryDisabled:boolean? npivOnNonRdmDisks:boolean? locationId:string? template:boolean guestId:string alternateGuestName:string annotation:string? files:VirtualMachineFileInfo tools:ToolsConfigInfo? flags:VirtualMachineFlagInfo consolePreferences:VirtualMachineConsolePreferences? defaultPowerOps:VirtualMachineDefaultPowerOpInfo rebootPowerOff:boolean?@8.0.0.1 hardware:VirtualHardware vcpuConfig:VirtualMachineVcpuConfig[]?@7.0.0.0 cpuAllocation:ResourceAllocationInfo? memoryAllocation:ResourceAllocationInfo? latencySensitivity:LatencySensitivity? memoryHotAddEnabled:boolean? cpuHotAddEnabled:boolean? cpuHotRemoveEnabled:boolean? hotPlugMemoryLimit:long? hotPlugMemoryIncrementSize:long? cpuAffinity:VirtualMachineAffinityInfo? memoryAffinity:VirtualMachineAffinityInfo? networkShaper:VirtualMachineNetworkShaperInfo? extraConfig:OptionValue[]? cpuFeatureMask:HostCpuIdInfo[]? datastoreUrl:VirtualMachineConfigInfoDatastoreUrlPair[]? swapPlacement:string? bootOptions:VirtualMachineBootOptions? ftInfo:FaultToleranceConfigInfo? repConfig:ReplicationConfigSpec? vAppConfig:VmConfigInfo? vAssertsEnabled:boolean? changeTrackingEnabled:boolean? firmware:string? maxMksConnections:int? guestAutoLockEnabled:boolean? managedBy:ManagedByInfo? memoryReservationLockedToMax:boolean? initialOverhead:VirtualMachineConfigInfoOverheadInfo? nestedHVEnabled:boolean? vPMCEnabled:boolean? scheduledHardwareUpgradeInfo:ScheduledHardwareUpgradeInfo? forkConfigInfo:VirtualMachineForkConfigInfo? vFlashCacheReservation:long? vmxConfigChecksum:Binary? messageBusTunnelEnabled:boolean? vmStorageObjectId:string? swapStorageObjectId:string? keyId:CryptoKeyId? guestIntegrityInfo:VirtualMachineGuestIntegrityInfo? migrateEncryption:string? sgxInfo:VirtualMachineSgxInfo?@7.0.0.0 contentLibItemInfo:VirtualMachineContentLibraryItemInfo?@7.0.0.0 ftEncryptionMode:string?@7.0.2.0 guestMonitoringModeInfo:VirtualMachineGuestMonitoringModeInfo?@7.0.0.0 sevEnabled:boolean?@7.0.1.0 numaInfo:VirtualMachineVirtualNumaInfo?@8.0.0.1 pmemFailoverEnabled:boolean?@7.0.2.0 vmxStatsCollectionEnabled:boolean?@7.0.3.1 vmOpNotificationToAppEnabled:boolean?@7.0.3.0 vmOpNotificationTimeout:long?@8.0.0.1 deviceSwap:VirtualMachineVirtualDeviceSwap?@8.0.0.1 pmem:VirtualMachineVirtualPMem?@7.0.3.0 deviceGroups:VirtualMachineVirtualDeviceGroups?@8.0.0.1 fixedPassthruHotPlugEnabled:boolean?@8.0.1.0 metroFtEnabled:boolean?@8.0.3.0 metroFtHostGroup:string?@8.0.3.0
data VirtualMachineConfigSpec | changeVersion:string? name:string? version:string? createDate:DateTime? uuid:string? instanceUuid:string? npivNodeWorldWideName:long[]? npivPortWorldWideName:long[]? npivWorldWideNameType:string? npivDesiredNodeWwns:short? npivDesiredPortWwns:short? npivTemporaryDisabled:boolean? npivOnNonRdmDisks:boolean? npivWorldWideNameOp:string? locationId:string? guestId:string? alternateGuestName:string? annotation:string? files:VirtualMachineFileInfo? tools:ToolsConfigInfo? flags:VirtualMachineFlagInfo? consolePreferences:VirtualMachineConsolePreferences? powerOpInfo:VirtualMachineDefaultPowerOpInfo? rebootPowerOff:boolean?@8.0.0.1 numCPUs:int? vcpuConfig:VirtualMachineVcpuConfig[]?@7.0.0.0 numCoresPerSocket:int? memoryMB:long? memoryHotAddEnabled:boolean? cpuHotAddEnabled:boolean? cpuHotRemoveEnabled:boolean? virtualICH7MPresent:boolean? virtualSMCPresent:boolean? deviceChange:VirtualDeviceConfigSpec[]? cpuAllocation:ResourceAllocationInfo? memoryAllocation:ResourceAllocationInfo? latencySensitivity:LatencySensitivity? cpuAffinity:VirtualMachineAffinityInfo? memoryAffinity:VirtualMachineAffinityInfo? networkShaper:VirtualMachineNetworkShaperInfo? cpuFeatureMask:VirtualMachineCpuIdInfoSpec[]? extraConfig:OptionValue[]? swapPlacement:string? bootOptions:VirtualMachineBootOptions? vAppConfig:VmConfigSpec? ftInfo:FaultToleranceConfigInfo? repConfig:ReplicationConfigSpec? vAppConfigRemoved:boolean? vAssertsEnabled:boolean? changeTrackingEnabled:boolean? firmware:string? maxMksConnections:int? guestAutoLockEnabled:boolean? managedBy:ManagedByInfo? memoryReservationLockedToMax:boolean? nestedHVEnabled:boolean? vPMCEnabled:boolean? scheduledHardwareUpgradeInfo:ScheduledHardwareUpgradeInfo? vmProfile:VirtualMachineProfileSpec[]? messageBusTunnelEnabled:boolean? crypto:CryptoSpec? migrateEncryption:string? sgxInfo:VirtualMachineSgxInfo?@7.0.0.0 ftEncryptionMode:string?@7.0.2.0 guestMonitoringModeInfo:VirtualMachineGuestMonitoringModeInfo?@7.0.0.0 sevEnabled:boolean?@7.0.1.0 virtualNuma:VirtualMachineVirtualNuma?@8.0.0.1 motherboardLayout:string?@8.0.0.1 pmemFailoverEnabled:boolean?@7.0.2.0 vmxStatsCollectionEnabled:boolean?@7.0.3.1 vmOpNotificationToAppEnabled:boolean?@7.0.3.0 vmOpNotificationTimeout:long?@8.0.0.1 deviceSwap:VirtualMachineVirtualDeviceSwap?@8.0.0.1 simultaneousThreads:int?@8.0.0.1 pmem:VirtualMachineVirtualPMem?@7.0.3.0 deviceGroups:VirtualMachineVirtualDeviceGroups?@8.0.0.1 fixedPassthruHotPlugEnabled:boolean?@8.0.1.0 metroFtEnabled:boolean?@8.0.3.0 metroFtHostGroup:string?@8.0.3.0
data VirtualMachineFileInfo | vmPathName:string? snapshotDirectory:string? suspendDirectory:string? logDirectory:string? ftMetadataDirectory:string?
data VirtualHardware | numCPU:int numCoresPerSocket:int? autoCoresPerSocket:boolean?@8.0.0.1 memoryMB:int virtualICH7MPresent:boolean? virtualSMCPresent:boolean? device:VirtualDevice[]? motherboardLayout:string?@8.0.0.1 simultaneousThreads:int?@8.0.0.1
data VirtualDevice | key:int deviceInfo:Description? backing:VirtualDeviceBackingInfo? connectable:VirtualDeviceConnectInfo? slotInfo:VirtualDeviceBusSlotInfo? controllerKey:int? unitNumber:int? numaNode:int?@8.0.0.1 deviceGroupInfo:VirtualDeviceDeviceGroupInfo?@8.0.0.1
data Description | label:string summary:string
data VirtualController : VirtualDevice | busNumber:int device:int[]?
data VirtualPCIController : VirtualController |
data VirtualSCSIController : VirtualController | hotAddRemove:boolean? sharedBus:VirtualSCSISharing scsiCtlrUnitNumber:int?
data ParaVirtualSCSIController : VirtualSCSIController |
data VirtualDisk : VirtualDevice | capacityInKB:long capacityInBytes:long? shares:SharesInfo? storageIOAllocation:StorageIOAllocationInfo? diskObjectId:string? vFlashCacheConfigInfo:VirtualDiskVFlashCacheConfigInfo? iofilter:string[]? vDiskId:ID? vDiskVersion:int?@8.0.1.0 nativeUnmanagedLinkedClone:boolean? independentFilters:VirtualMachineBaseIndependentFilterSpec[]?@7.0.2.1 guestReadOnly:boolean?@8.0.2.0
data VirtualDeviceBackingInfo |
data VirtualDeviceFileBackingInfo : VirtualDeviceBackingInfo | fileName:string datastore:Datastore? backingObjectId:string?
data VirtualDiskFlatVer2BackingInfo : VirtualDeviceFileBackingInfo | diskMode:string split:boolean? writeThrough:boolean? thinProvisioned:boolean? eagerlyScrub:boolean? uuid:string? contentId:string? changeId:string? parent:VirtualDiskFlatVer2BackingInfo? deltaDiskFormat:string? digestEnabled:boolean? deltaGrainSize:int? deltaDiskFormatVariant:string? sharing:string? keyId:CryptoKeyId?
data OptionValue | key:string value:anyType?
data VirtualMachineCapability | snapshotOperationsSupported:boolean multipleSnapshotsSupported:boolean snapshotConfigSupported:boolean poweredOffSnapshotsSupported:boolean memorySnapshotsSupported:boolean revertToSnapshotSupported:boolean quiescedSnapshotsSupported:boolean disableSnapshotsSupported:boolean lockSnapshotsSupported:boolean consolePreferencesSupported:boolean cpuFeatureMaskSupported:boolean s1AcpiManagementSupported:boolean settingScreenResolutionSupported:boolean toolsAutoUpdateSupported:boolean vmNpivWwnSupported:boolean npivWwnOnNonRdmVmSupported:boolean vmNpivWwnDisableSupported:boolean vmNpivWwnUpdateSupported:boolean swapPlacementSupported:boolean toolsSyncTimeSupported:boolean virtualMmuUsageSupported:boolean diskSharesSupported:boolean bootOptionsSupported:boolean bootRetryOptionsSupported:boolean settingVideoRamSizeSupported:boolean settingDisplayTopologySupported:boolean recordReplaySupported:boolean changeTrackingSupported:boolean multipleCoresPerSocketSupported:boolean hostBasedReplicationSupported:boolean guestAutoLockSupported:boolean memoryReservationLockSupported:boolean featureRequirementSupported:boolean poweredOnMonitorTypeChangeSupported:boolean seSparseDiskSupported:boolean nestedHVSupported:boolean vPMCSupported:boolean secureBootSupported:boolean? perVmEvcSupported:boolean? virtualMmuUsageIgnored:boolean? virtualExecUsageIgnored:boolean? diskOnlySnapshotOnSuspendedVMSupported:boolean? suspendToMemorySupported:boolean?@7.0.2.0 toolsSyncTimeAllowSupported:boolean?@7.0.1.0 sevSupported:boolean?@7.0.1.0 pmemFailoverSupported:boolean?@7.0.2.0 requireSgxAttestationSupported:boolean?@8.0.0.1 changeModeDisksSupported:boolean?@8.0.0.1 vendorDeviceGroupSupported:boolean?@8.0.1.0
data VirtualMachineRuntimeInfo | device:VirtualMachineDeviceRuntimeInfo[]? host:HostSystem? connectionState:VirtualMachineConnectionState powerState:VirtualMachinePowerState vmFailoverInProgress:boolean?@7.0.2.0 faultToleranceState:VirtualMachineFaultToleranceState dasVmProtection:VirtualMachineRuntimeInfoDasProtectionState? toolsInstallerMounted:boolean suspendTime:DateTime? bootTime:DateTime? suspendInterval:long? question:VirtualMachineQuestionInfo? memoryOverhead:long? maxCpuUsage:int? maxMemoryUsage:int? numMksConnections:int recordReplayState:VirtualMachineRecordReplayState cleanPowerOff:boolean? needSecondaryReason:string? onlineStandby:boolean minRequiredEVCModeKey:string? consolidationNeeded:boolean offlineFeatureRequirement:VirtualMachineFeatureRequirement[]? featureRequirement:VirtualMachineFeatureRequirement[]? featureMask:HostFeatureMask[]? vFlashCacheAllocation:long? paused:boolean? snapshotInBackground:boolean? quiescedForkParent:boolean? instantCloneFrozen:boolean? cryptoState:string? suspendedToMemory:boolean?@7.0.2.0 opNotificationTimeout:long?@8.0.0.1 iommuActive:boolean?@8.0.1.0
data VirtualMachineFileLayoutEx | file:VirtualMachineFileLayoutExFileInfo[]? disk:VirtualMachineFileLayoutExDiskLayout[]? snapshot:VirtualMachineFileLayoutExSnapshotLayout[]? timestamp:DateTime
data VirtualMachineFileLayoutExFileInfo | key:int name:string type:string size:long uniqueSize:long? backingObjectId:string? accessible:boolean?
data VirtualMachineFileLayoutExDiskLayout | key:int chain:VirtualMachineFileLayoutExDiskUnit[]?
data VirtualMachineFileLayoutExDiskUnit | fileKey:int[]
data VirtualMachineSnapshotInfo | currentSnapshot:VirtualMachineSnapshot? rootSnapshotList:VirtualMachineSnapshotTree[]
data VirtualMachineSnapshotTree | snapshot:VirtualMachineSnapshot vm:VirtualMachine name:string description:string id:int createTime:DateTime state:VirtualMachinePowerState quiesced:boolean backupManifest:string? childSnapshotList:VirtualMachineSnapshotTree[]? replaySupported:boolean?
data DiskChangeInfo | startOffset:long length:long changedArea:DiskChangeExtent[]?
data DiskChangeExtent | start:long length:long
data VirtualMachineGuestQuiesceSpec | timeout:int?
data SelectionSpec | name:string?
data TraversalSpec : SelectionSpec | type:TypeName path:PropertyPath skip:boolean? selectSet:SelectionSpec[]?
data ObjectSpec | obj:ManagedObject skip:boolean? selectSet:SelectionSpec[]?
data PropertySpec | type:TypeName all:boolean? pathSet:PropertyPath[]?
data PropertyFilterSpec | propSet:PropertySpec[] objectSet:ObjectSpec[] reportMissingObjectsInResults:boolean?
data RetrieveOptions | maxObjects:int?
data RetrieveResult | token:string? objects:ObjectContent[]
data ObjectContent | obj:ManagedObject propSet:DynamicProperty[]? missingSet:MissingProperty[]?
data DynamicProperty | name:PropertyPath val:anyType
data MissingProperty | path:PropertyPath fault:MethodFault
managed ServiceInstance vim.ServiceInstance 5 | serverClock:DateTime capability:Capability content:ServiceContent
managed SearchIndex vim.SearchIndex 9 |
managed ViewManager vim.view.ViewManager 4 | viewList:View[]?
managed View vim.view.View 1 |
managed ManagedObjectView vim.view.ManagedObjectView 0 : View | view:ManagedObject[]?
managed ContainerView vim.view.ContainerView 0 : ManagedObjectView | container:ManagedEntity type:TypeName[]? recursive:boolean
managed PropertyCollector vmodl.query.PropertyCollector 11 | filter:PropertyFilter[]?
managed ExtensibleManagedObject vim.ExtensibleManagedObject 1 | value:CustomFieldValue[]? availableField:CustomFieldDef[]?
managed Task vim.Task 4 : ExtensibleManagedObject | info:TaskInfo
managed ManagedEntity vim.ManagedEntity 3 : ExtensibleManagedObject | parent:ManagedEntity? customValue:CustomFieldValue[]? overallStatus:ManagedEntityStatus configStatus:ManagedEntityStatus configIssue:Event[]? effectiveRole:int[]? permission:Permission[]? name:string disabledMethod:MethodName[]? recentTask:Task[]? declaredAlarmState:AlarmState[]? triggeredAlarmState:AlarmState[]? alarmActionsEnabled:boolean? tag:Tag[]?
managed VirtualMachine vim.VirtualMachine 64 : ManagedEntity | capability:VirtualMachineCapability config:VirtualMachineConfigInfo? layout:VirtualMachineFileLayout? layoutEx:VirtualMachineFileLayoutEx? storage:VirtualMachineStorageInfo? environmentBrowser:EnvironmentBrowser resourcePool:ResourcePool? parentVApp:ManagedEntity? resourceConfig:ResourceConfigSpec? runtime:VirtualMachineRuntimeInfo guest:GuestInfo? summary:VirtualMachineSummary datastore:Datastore[]? network:Network[]? snapshot:VirtualMachineSnapshotInfo? rootSnapshot:VirtualMachineSnapshot[]? guestHeartbeatStatus:ManagedEntityStatus
managed VirtualMachineSnapshot vim.vm.Snapshot 4 : ExtensibleManagedObject | config:VirtualMachineConfigInfo childSnapshot:VirtualMachineSnapshot[]? vm:VirtualMachine
managed Folder vim.Folder 13 : ManagedEntity | childType:TypeName[]? childEntity:ManagedEntity[]? namespace:string?@7.0.0.0
managed Datacenter vim.Datacenter 6 : ManagedEntity | vmFolder:Folder hostFolder:Folder datastoreFolder:Folder networkFolder:Folder datastore:Datastore[]? network:Network[]? configuration:DatacenterConfigInfo
method ServiceInstance.CurrentTime currentTime () DateTime |
method ServiceInstance.RetrieveServiceContent retrieveContent () ServiceContent |
method SearchIndex.FindByUuid findByUuid (datacenter:Datacenter? uuid:string vmSearch:boolean instanceUuid:boolean?) ManagedEntity? |
method SearchIndex.FindByDatastorePath findByDatastorePath (datacenter:Datacenter path:string) VirtualMachine? | InvalidDatastore
method SearchIndex.FindByDnsName findByDnsName (datacenter:Datacenter? dnsName:string vmSearch:boolean) ManagedEntity? |
method SearchIndex.FindByIp findByIp (datacenter:Datacenter? ip:string vmSearch:boolean) ManagedEntity? |
method SearchIndex.FindByInventoryPath findByInventoryPath (inventoryPath:string) ManagedEntity? |
method SearchIndex.FindChild findChild (entity:ManagedEntity name:string) ManagedEntity? |
method SearchIndex.FindAllByUuid findAllByUuid (datacenter:Datacenter? uuid:string vmSearch:boolean instanceUuid:boolean?) ManagedEntity[] |
method SearchIndex.FindAllByDnsName findAllByDnsName (datacenter:Datacenter? dnsName:string vmSearch:boolean) ManagedEntity[] |
method SearchIndex.FindAllByIp findAllByIp (datacenter:Datacenter? ip:string vmSearch:boolean) ManagedEntity[] |
method ViewManager.CreateContainerView createContainerView (container:ManagedEntity type:TypeName[]? recursive:boolean) ContainerView |
method View.DestroyView destroy () void |
method PropertyCollector.RetrieveProperties retrieveContents (specSet:PropertyFilterSpec[]) ObjectContent[]? | InvalidProperty
method PropertyCollector.RetrievePropertiesEx retrievePropertiesEx (specSet:PropertyFilterSpec[] options:RetrieveOptions) RetrieveResult? | InvalidProperty
method Task.CancelTask cancel () void | InvalidState
method VirtualMachine.CreateSnapshot_Task createSnapshot (name:string description:string? memory:boolean quiesce:boolean) Task<VirtualMachineSnapshot> | TaskInProgress SnapshotFault VmConfigFault FileFault InvalidName InvalidState
method VirtualMachine.CreateSnapshotEx_Task createSnapshotEx (name:string description:string? memory:boolean quiesceSpec:VirtualMachineGuestQuiesceSpec?) Task<VirtualMachineSnapshot> | TaskInProgress SnapshotFault VmConfigFault FileFault InvalidName InvalidState
method VirtualMachine.RevertToCurrentSnapshot_Task revertToCurrentSnapshot (host:HostSystem? suppressPowerOn:boolean?) Task<void> | TaskInProgress SnapshotFault InsufficientResourcesFault InvalidState VmConfigFault NotFound
method VirtualMachine.RemoveAllSnapshots_Task removeAllSnapshots (consolidate:boolean? spec:SnapshotSelectionSpec?@8.0.3.0) Task<void> | TaskInProgress InvalidState SnapshotFault
method VirtualMachine.ConsolidateVMDisks_Task consolidateDisks () Task<void> | TaskInProgress InvalidState FileFault VmConfigFault
method VirtualMachine.ReconfigVM_Task reconfigure (spec:VirtualMachineConfigSpec) Task<void> | TaskInProgress VmConfigFault ConcurrentAccess FileFault InvalidName DuplicateName InvalidState InsufficientResourcesFault InvalidDatastore
method VirtualMachine.QueryChangedDiskAreas queryChangedDiskAreas (snapshot:VirtualMachineSnapshot? deviceKey:int startOffset:long changeId:string) DiskChangeInfo | FileFault NotFound
method VirtualMachineSnapshot.RevertToSnapshot_Task revert (host:HostSystem? suppressPowerOn:boolean?) Task<void> | TaskInProgress InsufficientResourcesFault InvalidState FileFault VmConfigFault
method VirtualMachineSnapshot.RemoveSnapshot_Task remove (removeChildren:boolean consolidate:boolean?) Task<void> | TaskInProgress
method VirtualMachineSnapshot.RenameSnapshot rename (name:string? description:string?) void | InvalidName TaskInProgress InvalidState
`;
