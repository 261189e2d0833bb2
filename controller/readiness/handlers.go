package readiness

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	informers "github.com/external-workload/controller/pkg/generated/informers/externalversions/workload/v1beta1"
)

// handler turns events of workloads into plans of probes and keys to sync.
type handler struct{ *Controller }

// OnAdd handles a workload that is new, or new to this controller.
func (h handler) OnAdd(workload *v1beta1.ExternalWorkload, isInInitialList bool) {
	h.census.move(nil, workload)
	h.seen(workload, isInInitialList)
}

// OnUpdate handles a changed workload. A resync changes nothing.
func (h handler) OnUpdate(before, after *v1beta1.ExternalWorkload) {
	h.census.move(before, after)
	if before.UID != after.UID {
		h.gone(cache.MetaObjectToName(before), before.UID)
	}
	h.seen(after, false)
	h.reportOverruled(before, after)
}

// OnDelete handles a workload that is gone.
func (h handler) OnDelete(deleted informers.DeletedExternalWorkload) {
	var uid types.UID
	if workload := deleted.OptionalObj; workload != nil {
		h.census.move(workload, nil)
		uid = workload.UID
	}
	h.gone(deleted.GetObjectName(), uid)
}

func (h handler) seen(workload *v1beta1.ExternalWorkload, initial bool) {
	h.follow(workload, initial)
	if sourceOf(workload) != SourceOther || find(workload.Status.Conditions, v1beta1.WorkloadAccepted) != nil || concernsDraining(workload) || h.known(workload).reported {
		h.loop.Add(cache.MetaObjectToName(workload))
	}
}

// gone forgets a workload. What was reported already of another that took its
// name stays.
func (h handler) gone(key cache.ObjectName, uid types.UID) {
	h.forget(key)
	h.refused.forget(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reports[key].uid == uid {
		delete(h.reports, key)
	}
}
