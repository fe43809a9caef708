# The loop of changed-block tracking as a program for vCenter has it, written with rbvmomi: HOST PORT USER PASSWORD VM; one line of JSON a step.
require 'json'
require 'rbvmomi'

host, port, user, password, name = ARGV
vim = RbVmomi::VIM.connect(host: host, port: port.to_i, user: user, password: password, insecure: true)
datacenter = vim.serviceInstance.content.rootFolder.childEntity.grep(RbVmomi::VIM::Datacenter).first
vm = datacenter.find_vm(name)
disks = ->(of) { of.config.hardware.device.grep(RbVmomi::VIM::VirtualDisk) }
$stdout.sync = true
puts JSON.generate(power: vm.runtime.powerState, tracking: vm.config.changeTrackingEnabled)
$stdin.each_line do |line|
  step, base = line.split(' ', 2)
  break if step == 'end'
  if step == 'enable'
    vm.ReconfigVM_Task(spec: { changeTrackingEnabled: true }).wait_for_completion
    puts JSON.generate(tracking: vm.config.changeTrackingEnabled)
    next
  end
  snapshot = vm.CreateSnapshot_Task(name: 'backup', description: '', memory: false, quiesce: false).wait_for_completion
  disk = disks.call(snapshot).first
  info = vm.QueryChangedDiskAreas(snapshot: snapshot, deviceKey: disk.key, startOffset: 0, changeId: base.strip)
  snapshot.RemoveSnapshot_Task(removeChildren: false).wait_for_completion
  areas = (info.changedArea || []).map { |area| [area.start, area.length] }
  puts JSON.generate(changeId: disk.backing.changeId, areas: areas, left: !vm.snapshot.nil?)
end
vim.close
puts JSON.generate(done: true)
