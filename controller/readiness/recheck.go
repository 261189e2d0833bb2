package readiness

import (
	"context"
	"time"

	"k8s.io/client-go/tools/cache"
)

// recheckInterval is the interval between two checks of refused addresses. The cluster's
// own networks are refreshed as often.
const recheckInterval = 5 * time.Minute

// recheckRefused decodes the probes with addresses that may not be probed again, until ctx
// is cancelled: a network of the cluster may be gone, and no event of the workload says so.
// An address that gets into such a network is refused by the prober.
func (c *Controller) recheckRefused(ctx context.Context) {
	c.every(ctx, recheckInterval, func() {
		for _, key := range c.withRefusals() {
			c.followAgain(key)
			c.syncIfNeeded(key)
		}
	})
}

// withRefusals returns the workloads that have an address that may not be probed.
func (c *Controller) withRefusals() (keys []cache.ObjectName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, current := range c.records {
		if len(current.refused) > 0 || current.problem != nil && current.problem.Reason == ReasonProbeAddressRefused {
			keys = append(keys, key)
		}
	}
	return keys
}

// followAgain updates the probe of a workload without an event. No event is handled
// meanwhile: it may be newer than the workload that is read here.
func (c *Controller) followAgain(key cache.ObjectName) {
	c.events.Lock()
	defer c.events.Unlock()
	if workload := c.get(key); workload != nil {
		c.follow(workload, false)
	}
}
