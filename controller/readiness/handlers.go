package readiness

import (
	"k8s.io/client-go/tools/cache"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	informers "github.com/external-workload/controller/pkg/generated/informers/externalversions/workload/v1beta1"
)

// handler turns events of workloads into scheduled probes and keys to sync.
type handler struct{ *Controller }

// OnAdd handles a workload that is new, or new to this controller.
func (h handler) OnAdd(workload *v1beta1.ExternalWorkload, isInInitialList bool) {
	h.events.RLock()
	defer h.events.RUnlock()
	h.counts.move(nil, workload)
	h.seen(workload, isInInitialList)
}

// OnUpdate handles a changed workload. It ignores resyncs.
func (h handler) OnUpdate(before, after *v1beta1.ExternalWorkload) {
	h.events.RLock()
	defer h.events.RUnlock()
	h.counts.move(before, after)
	if before.UID != after.UID {
		h.gone(cache.MetaObjectToName(before))
	}
	h.seen(after, false)
	h.reportOverruled(before, after)
}

// OnDelete handles a workload that is gone.
func (h handler) OnDelete(deleted informers.DeletedExternalWorkload) {
	h.events.RLock()
	defer h.events.RUnlock()
	if workload := deleted.OptionalObj; workload != nil {
		h.counts.move(workload, nil)
	}
	h.gone(deleted.GetObjectName())
}

func (h handler) seen(workload *v1beta1.ExternalWorkload, initial bool) {
	h.follow(workload, initial)
	h.syncIfNeeded(cache.MetaObjectToName(workload))
}

// gone removes the state of a workload.
func (h handler) gone(key cache.ObjectName) {
	h.forget(key)
	h.refused.forget(key)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.contentions, key)
}
