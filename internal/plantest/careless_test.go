package plantest_test

import (
	"reflect"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/plantest"
	"github.com/external-workload/controller/internal/plantest/planned"
	"github.com/external-workload/controller/internal/plantest/sliceapi"
)

// newCarelessController returns a controller that writes the desired slices in one go, as
// if nobody read them in between. It gets the desired slices from the real controller, by
// giving it a world without slices. So its slices are correct in the end.
func newCarelessController(withhold bool) plantest.Controller {
	return careless{planned.New(withhold)}
}

type careless struct{ plantest.Controller }

// Step implements plantest.Controller.
func (c careless) Step(view plantest.View) plantest.Step {
	stored := view.Slices
	view.Slices = nil
	var writes []plantest.Write
	used := map[*discoveryv1.EndpointSlice]bool{}
	for _, write := range c.Controller.Step(view).Writes {
		slice := firstUnused(stored, used, write.Slice)
		if slice == nil {
			writes = append(writes, write)
			continue
		}
		used[slice] = true
		changed := slice.DeepCopy()
		changed.Labels, changed.OwnerReferences = write.Slice.Labels, write.Slice.OwnerReferences
		changed.Ports, changed.Endpoints = write.Slice.Ports, write.Slice.Endpoints
		if !reflect.DeepEqual(changed, slice) {
			writes = append(writes, plantest.Write{Verb: sliceapi.Update, Slice: changed})
		}
	}
	for _, slice := range stored {
		if !used[slice] {
			writes = append(writes, plantest.Write{Verb: sliceapi.Delete, Slice: slice})
		}
	}
	return plantest.Step{Writes: writes}
}

// firstUnused finds a slice of the same owner and family to overwrite.
func firstUnused(slices []*discoveryv1.EndpointSlice, used map[*discoveryv1.EndpointSlice]bool, like *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	for _, slice := range slices {
		if !used[slice] && slice.AddressType == like.AddressType && reflect.DeepEqual(slice.OwnerReferences, like.OwnerReferences) {
			return slice
		}
	}
	return nil
}
