package endpointslice

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/events"
)

// actionPublish is what the controller was doing when it recorded an Event.
const actionPublish = "Publish"

// kinds are all Events that this package records. A Service and its machines have
// separate Events: those of a machine have the Service as the related object, and the
// address family in the action.
var kinds events.Kinds

var (
	// eventForeignWrites on a Service: another writer changes its slices.
	eventForeignWrites = kinds.Warning("ForeignWrites", actionPublish)
	// eventFailed on a Service: its slices cannot be written.
	eventFailed = kinds.Warning("PublishingFailed", actionPublish)
	// eventRecovered on a Service: they can be written again.
	eventRecovered = kinds.Normal("PublishingRecovered", actionPublish)
	// eventPublished on a workload: it is published after it had been skipped.
	eventPublished = kinds.Normal("Published", actionPublish)
	// eventsSkipped on a workload: it is skipped for this reason.
	eventsSkipped = func() map[desired.Reason]events.Kind {
		skipped := map[desired.Reason]events.Kind{}
		for _, reason := range desired.Reasons {
			skipped[reason] = kinds.Warning(string(reason), actionPublish)
		}
		return skipped
	}()
)

// EventKinds returns all kinds of Events that this package records.
func EventKinds() []events.Kind { return kinds.All() }

// skippedKind returns the kind of Event for the reason of a skip.
func skippedKind(reason desired.Reason) events.Kind {
	kind, declared := eventsSkipped[reason]
	if !declared {
		panic(fmt.Sprintf("desired.Reasons lacks %s", reason))
	}
	return kind
}

// reference returns the object reference of an Event on a workload.
func reference(w *desired.Workload) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: v1beta1.GroupVersion.String(), Kind: "ExternalWorkload",
		Namespace: w.Namespace, Name: w.Name, UID: w.UID,
	}
}

// serviceReference returns the object reference of an Event on or about a Service.
func serviceReference(service *corev1.Service) *corev1.ObjectReference {
	return &corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: service.Namespace, Name: service.Name, UID: service.UID}
}
