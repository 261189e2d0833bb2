package validation

import (
	"fmt"
	"slices"
	"strconv"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/apis/discovery"
	conversion "k8s.io/kubernetes/pkg/apis/discovery/v1"
	"k8s.io/kubernetes/pkg/apis/discovery/validation"

	"github.com/external-workload/controller/pkg/plan"
)

// server stores slices and accepts writes that pass Kubernetes' validation.
type server struct {
	slices   []*discoveryv1.EndpointSlice
	revision int
}

// hold stores a slice without validation, like an older server.
func (s *server) hold(slice *discoveryv1.EndpointSlice) {
	s.stamp(slice)
	s.slices = append(s.slices, slice)
}

func (s *server) stamp(slice *discoveryv1.EndpointSlice) {
	s.revision++
	slice.ResourceVersion = strconv.Itoa(s.revision)
	if slice.UID == "" {
		slice.UID = types.UID("slice-" + slice.ResourceVersion)
	}
}

// write makes one write, or returns the error with which Kubernetes refuses it.
func (s *server) write(w plan.Write) error {
	at := slices.IndexFunc(s.slices, func(stored *discoveryv1.EndpointSlice) bool { return stored.Name == w.Slice.Name })
	next := w.Slice.DeepCopy()
	var refused field.ErrorList
	switch w.Operation {
	case plan.Delete:
		s.slices = slices.Delete(s.slices, at, at+1)
		return nil
	case plan.Create:
		internal, err := internalOf(next)
		if err != nil {
			return err
		}
		refused = validation.ValidateEndpointSliceCreate(internal)
		at = len(s.slices)
		s.slices = append(s.slices, nil)
	case plan.Update:
		internal, err := internalOf(next)
		if err != nil {
			return err
		}
		before, err := internalOf(s.slices[at].DeepCopy())
		if err != nil {
			return err
		}
		refused = validation.ValidateEndpointSliceUpdate(internal, before)
	}
	if len(refused) > 0 {
		return fmt.Errorf("%s of %s: %w", w.Operation, w.Slice.Name, refused.ToAggregate())
	}
	s.stamp(next)
	s.slices[at] = next
	return nil
}

// internalOf converts a slice to the form that the API server validates.
func internalOf(slice *discoveryv1.EndpointSlice) (*discovery.EndpointSlice, error) {
	conversion.SetObjectDefaults_EndpointSlice(slice)
	var internal discovery.EndpointSlice
	err := conversion.Convert_v1_EndpointSlice_To_discovery_EndpointSlice(slice, &internal, nil)
	return &internal, err
}
