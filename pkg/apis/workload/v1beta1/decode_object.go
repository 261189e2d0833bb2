package v1beta1

import (
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubejson "sigs.k8s.io/json"
)

// once records which fields of an object were read. An object with a repeated field is
// left to the general decoder.
type once uint32

func (o *once) first(field int) bool {
	bit := once(1) << field
	seen := *o&bit != 0
	*o |= bit
	return !seen
}

// decodeOnce reads an ExternalWorkload in one pass; the general decoder needs several.
// It accepts only the plain form that API servers write. For any other form it returns
// false, and the object is undefined. FuzzDecodeOnce checks that both decoders read the
// same. The strings are copies.
func decodeOnce(data []byte, into *ExternalWorkload) bool {
	s := &scanner{data: data}
	var seen once
	ok := s.object(func(key []byte) bool {
		switch string(key) {
		case "kind":
			return seen.first(0) && text(s, &into.Kind)
		case "apiVersion":
			return seen.first(1) && text(s, &into.APIVersion)
		case "metadata":
			return seen.first(2) && s.metadata(&into.ObjectMeta)
		case "spec":
			return seen.first(3) && s.spec(&into.Spec)
		case "status":
			return seen.first(4) && s.status(&into.Status)
		default:
			return s.skip(0)
		}
	})
	// The general decoder drops a stored annotation of this name.
	_, unreadable := into.Annotations[UnreadableAnnotation]
	return ok && s.end() && !unreadable
}

func (s *scanner) metadata(into *metav1.ObjectMeta) bool {
	var seen once
	return s.object(func(key []byte) bool {
		switch string(key) {
		case "name":
			return seen.first(0) && text(s, &into.Name)
		case "namespace":
			return seen.first(1) && text(s, &into.Namespace)
		case "uid":
			return seen.first(2) && text(s, &into.UID)
		case "resourceVersion":
			return seen.first(3) && text(s, &into.ResourceVersion)
		case "generation":
			number, ok := s.integer()
			into.Generation = number
			return seen.first(4) && ok
		case "creationTimestamp":
			return seen.first(5) && s.time(&into.CreationTimestamp)
		case "labels":
			return seen.first(6) && s.texts(&into.Labels)
		case "annotations":
			return seen.first(7) && s.texts(&into.Annotations)
		case "managedFields":
			return seen.first(8) && s.managedFields(&into.ManagedFields)
		case "generateName":
			return seen.first(9) && text(s, &into.GenerateName)
		case "selfLink":
			return seen.first(10) && text(s, &into.SelfLink) //nolint:staticcheck // old objects may have it
		case "deletionTimestamp":
			return seen.first(11) && s.general(&into.DeletionTimestamp)
		case "deletionGracePeriodSeconds":
			return seen.first(12) && s.general(&into.DeletionGracePeriodSeconds)
		case "ownerReferences":
			return seen.first(13) && s.general(&into.OwnerReferences)
		case "finalizers":
			return seen.first(14) && s.general(&into.Finalizers)
		default:
			return s.skip(0)
		}
	})
}

// general reads a rare value with the general decoder.
func (s *scanner) general(into any) bool {
	raw, ok := s.raw()
	return ok && kubejson.UnmarshalCaseSensitivePreserveInts(raw, into) == nil
}

// time reads a time that is not null, as [metav1.Time.UnmarshalJSON] does, but without
// encoding/json, which took most of the time.
func (s *scanner) time(into *metav1.Time) bool {
	var stamp string
	if !text(s, &stamp) {
		return false
	}
	parsed, err := time.Parse(time.RFC3339, stamp)
	into.Time = parsed.Local()
	return err == nil
}

func (s *scanner) managedFields(into *[]metav1.ManagedFieldsEntry) bool {
	*into = []metav1.ManagedFieldsEntry{}
	return s.array(func() bool {
		var entry metav1.ManagedFieldsEntry
		if !s.managedFieldsEntry(&entry) {
			return false
		}
		*into = append(*into, entry)
		return true
	})
}

func (s *scanner) managedFieldsEntry(into *metav1.ManagedFieldsEntry) bool {
	var seen once
	return s.object(func(key []byte) bool {
		switch string(key) {
		case "manager":
			return seen.first(0) && text(s, &into.Manager)
		case "operation":
			return seen.first(1) && text(s, &into.Operation)
		case "apiVersion":
			return seen.first(2) && text(s, &into.APIVersion)
		case "time":
			into.Time = &metav1.Time{}
			return seen.first(3) && s.time(into.Time)
		case "fieldsType":
			return seen.first(4) && text(s, &into.FieldsType)
		case "fieldsV1":
			raw, ok := s.raw()
			into.FieldsV1 = &metav1.FieldsV1{}
			return seen.first(5) && ok && raw[0] == '{' && into.FieldsV1.UnmarshalJSON(raw) == nil
		case "subresource":
			return seen.first(6) && text(s, &into.Subresource)
		default:
			return s.skip(0)
		}
	})
}

func (s *scanner) spec(into *ExternalWorkloadSpec) bool {
	var seen once
	return s.object(func(key []byte) bool {
		switch string(key) {
		case "meshTLS":
			return seen.first(0) && s.meshTLS(&into.MeshTLS)
		case "ports":
			into.Ports = []PortSpec{}
			return seen.first(1) && s.array(func() bool {
				into.Ports = append(into.Ports, PortSpec{})
				return s.port(&into.Ports[len(into.Ports)-1])
			})
		case "workloadIPs":
			into.WorkloadIPs = []WorkloadIP{}
			return seen.first(2) && s.array(func() bool {
				into.WorkloadIPs = append(into.WorkloadIPs, WorkloadIP{})
				return s.workloadIP(&into.WorkloadIPs[len(into.WorkloadIPs)-1])
			})
		default:
			return s.skip(0)
		}
	})
}

func (s *scanner) meshTLS(into *MeshTLS) bool {
	var seen once
	return s.object(func(key []byte) bool {
		switch string(key) {
		case "identity":
			return seen.first(0) && text(s, &into.Identity)
		case "serverName":
			return seen.first(1) && text(s, &into.ServerName)
		default:
			return s.skip(0)
		}
	})
}

func (s *scanner) port(into *PortSpec) bool {
	var seen once
	return s.object(func(key []byte) bool {
		switch string(key) {
		case "name":
			return seen.first(0) && text(s, &into.Name)
		case "port":
			number, ok := s.integer()
			if !ok || number < math.MinInt32 || number > math.MaxInt32 {
				return false
			}
			into.Port = int32(number)
			return seen.first(1)
		case "protocol":
			return seen.first(2) && text(s, &into.Protocol)
		default:
			return s.skip(0)
		}
	})
}

func (s *scanner) workloadIP(into *WorkloadIP) bool {
	var seen once
	return s.object(func(key []byte) bool {
		if string(key) == "ip" {
			return seen.first(0) && text(s, &into.IP)
		}
		return s.skip(0)
	})
}

func (s *scanner) status(into *ExternalWorkloadStatus) bool {
	var seen once
	return s.object(func(key []byte) bool {
		if string(key) != "conditions" {
			return s.skip(0)
		}
		into.Conditions = []WorkloadCondition{}
		return seen.first(0) && s.array(func() bool {
			into.Conditions = append(into.Conditions, WorkloadCondition{})
			return s.condition(&into.Conditions[len(into.Conditions)-1])
		})
	})
}

func (s *scanner) condition(into *WorkloadCondition) bool {
	var seen once
	return s.object(func(key []byte) bool {
		switch string(key) {
		case "type":
			return seen.first(0) && text(s, &into.Type)
		case "status":
			return seen.first(1) && text(s, &into.Status)
		case "lastProbeTime":
			return seen.first(2) && s.time(&into.LastProbeTime)
		case "lastTransitionTime":
			return seen.first(3) && s.time(&into.LastTransitionTime)
		case "reason":
			return seen.first(4) && text(s, &into.Reason)
		case "message":
			return seen.first(5) && text(s, &into.Message)
		default:
			return s.skip(0)
		}
	})
}
