package readiness

import (
	"sync"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// class is the key by which workloads are counted.
type class struct {
	source Source
	ready  v1beta1.ConditionStatus
}

// workloadCounts counts the workloads of each class for the observer.
type workloadCounts struct {
	observer Observer

	mu     sync.Mutex
	counts map[class]int
}

// move updates the counts for a workload that was added (before is nil), changed or
// deleted (after is nil).
func (c *workloadCounts) move(before, after *v1beta1.ExternalWorkload) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before != nil && after != nil && classOf(before) == classOf(after) {
		return
	}
	if before != nil {
		c.add(classOf(before), -1)
	}
	if after != nil {
		c.add(classOf(after), 1)
	}
}

func (c *workloadCounts) add(which class, by int) {
	if c.counts == nil {
		c.counts = map[class]int{}
	}
	c.counts[which] += by
	c.observer.SetWorkloads(string(which.source), string(which.ready), c.counts[which])
}

func classOf(workload *v1beta1.ExternalWorkload) class {
	class := class{source: sourceOf(workload), ready: v1beta1.ConditionUnknown}
	if ready := find(workload.Status.Conditions, v1beta1.WorkloadReady); ready != nil {
		switch ready.Status {
		case v1beta1.ConditionTrue, v1beta1.ConditionFalse:
			class.ready = ready.Status
		}
	}
	return class
}
