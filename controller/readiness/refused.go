package readiness

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/controller/loop"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// refusedRetry is when a refused status is written again. Before the object or its
// definition changes, retries fail, and a changed object is synced at once.
const refusedRetry = 10 * time.Minute

// refusals are the workloads whose status the API server refused last. The zero value
// is ready for use. It is safe for concurrent use.
type refusals struct {
	mu  sync.Mutex
	uid map[cache.ObjectName]types.UID
}

// add reports whether the refusal is new.
func (r *refusals) add(workload *v1beta1.ExternalWorkload) bool {
	key := cache.MetaObjectToName(workload)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.uid[key] == workload.UID {
		return false
	}
	if r.uid == nil {
		r.uid = map[cache.ObjectName]types.UID{}
	}
	r.uid[key] = workload.UID
	return true
}

func (r *refusals) forget(key cache.ObjectName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.uid, key)
}

// reportRefused records, once, that the API server refuses a workload's status. Before
// Kubernetes 1.33, it validates the whole object with each write of the status,
// including fields that were stored under a less strict definition.
func (c *Controller) reportRefused(ctx context.Context, workload *v1beta1.ExternalWorkload, err error) loop.Outcome {
	if c.refused.add(workload) {
		klog.FromContext(ctx).Info("The API server rejected the conditions of a workload", "err", err)
		c.config.Events.Record(eventStatusRefused, workload, nil,
			"The API server does not store the conditions of this workload, because the object breaks rules of its definition; repair what it names: %s", err.Error())
	}
	return loop.Outcome{Result: resultRefused, After: refusedRetry}
}
