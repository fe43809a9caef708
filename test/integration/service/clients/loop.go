// The loop of changed-block tracking as a program for vCenter has it, written with govmomi: HOST PORT USER PASSWORD VM; one line of
// JSON a step.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func tell(what map[string]interface{}) {
	text, err := json.Marshal(what)
	check(err)
	fmt.Println(string(text))
}

func diskOf(devices object.VirtualDeviceList) *types.VirtualDisk {
	return devices.SelectByType((*types.VirtualDisk)(nil))[0].(*types.VirtualDisk)
}

func main() {
	ctx := context.Background()
	address := url.URL{Scheme: "https", Host: os.Args[1] + ":" + os.Args[2], Path: "/sdk", User: url.UserPassword(os.Args[3], os.Args[4])}
	client, err := govmomi.NewClient(ctx, &address, true)
	check(err)
	finder := find.NewFinder(client.Client)
	datacenter, err := finder.DefaultDatacenter(ctx)
	check(err)
	vm, err := finder.SetDatacenter(datacenter).VirtualMachine(ctx, os.Args[5])
	check(err)
	power, err := vm.PowerState(ctx)
	check(err)
	tell(map[string]interface{}{"power": power, "path": vm.InventoryPath})
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.SplitN(lines.Text(), " ", 2)
		if words[0] == "end" {
			break
		}
		if words[0] == "enable" {
			on := true
			task, err := vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{ChangeTrackingEnabled: &on})
			check(err)
			check(task.Wait(ctx))
			tell(map[string]interface{}{"tracking": true})
			continue
		}
		task, err := vm.CreateSnapshot(ctx, "backup", "", false, false)
		check(err)
		info, err := task.WaitForResult(ctx, nil)
		check(err)
		snapshot := info.Result.(types.ManagedObjectReference)
		var properties mo.VirtualMachineSnapshot
		check(vm.Properties(ctx, snapshot, []string{"config.hardware.device"}, &properties))
		disk := diskOf(properties.Config.Hardware.Device)
		request := types.QueryChangedDiskAreas{This: vm.Reference(), Snapshot: &snapshot, DeviceKey: disk.Key, ChangeId: words[1]}
		answer, err := methods.QueryChangedDiskAreas(ctx, client.Client, &request)
		check(err)
		areas := [][2]int64{}
		for _, area := range answer.Returnval.ChangedArea {
			areas = append(areas, [2]int64{area.Start, area.Length})
		}
		consolidate := true
		removed, err := vm.RemoveSnapshot(ctx, snapshot.Value, false, &consolidate)
		check(err)
		check(removed.Wait(ctx))
		backing := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		tell(map[string]interface{}{"changeId": backing.ChangeId, "areas": areas})
	}
	check(client.Logout(ctx))
	tell(map[string]interface{}{"done": true})
}
