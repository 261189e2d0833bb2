package endpointslice

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/plan"
)

const (
	// repairBurst is the number of foreign writes to the slices of one Service that are
	// repaired at once.
	repairBurst = 20
	// repairInterval is the interval of repairs after that. Repairs of two foreign
	// writes in ten seconds never have to wait.
	repairInterval = 5 * time.Second
	// eventThreshold is the number of foreign writes before an Event is recorded;
	// fewer may be a manual edit or a write of another instance of this controller.
	eventThreshold = 3
	// eventThresholdUnnamed is the same while the writer is not known, such as one
	// that writes under our own name.
	eventThresholdUnnamed = 30
	// repairSteps is the maximum number of syncs of one repair. A further step counts
	// as another repair, so that repairs of a writer that writes between the steps are
	// limited too.
	repairSteps = 4
	// quietPeriod is the time without a foreign write after which the count is reset.
	quietPeriod = time.Minute
)

// contention is the state of foreign writes to a Service's slices: another writer
// changed what was published, and this controller changed it back.
type contention struct {
	// repairs is the budget; nil if nothing was repaired yet.
	repairs *rate.Limiter
	// writes is the number since the last quiet period; last is when the latest was
	// observed.
	writes int
	last   time.Time
	// seen is the evidence when writes were last counted.
	seen evidence
	// lastManager is the field manager of the latest write, if known.
	lastManager string
	// backingOff is true once the log says that repairs are delayed.
	backingOff bool
	// reported is true once an Event was recorded.
	reported bool
}

// evidence distinguishes foreign writes: each increases the resourceVersion of a slice
// or deletes one.
type evidence struct {
	counted bool
	latest  string
	slices  int
}

// repair takes one repair from the budget, or returns how long it has to wait.
func (c *contention) repair(now time.Time) (wait time.Duration) {
	if c.repairs == nil {
		c.repairs = rate.NewLimiter(rate.Every(repairInterval), repairBurst)
	}
	reservation := c.repairs.ReserveN(now, 1)
	if wait = reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// count counts a foreign write, and reports whether it is a new one.
func (c *contention) count(found []*discoveryv1.EndpointSlice, manager string, now time.Time) (isNew bool) {
	present := evidence{counted: true, slices: len(found)}
	for _, slice := range found {
		if newer(slice.ResourceVersion, present.latest) {
			present.latest = slice.ResourceVersion
		}
	}
	if present == c.seen {
		return false
	}
	if now.Sub(c.last) > quietPeriod {
		c.writes, c.backingOff = 0, false
	}
	c.seen, c.last, c.writes = present, now, c.writes+1
	c.name(manager)
	return true
}

// name records the writer, if it is known.
func (c *contention) name(manager string) {
	if manager != unknownWriter || c.lastManager == "" {
		c.lastManager = manager
	}
}

// report reports, once, that enough writes were counted for an Event. The writer is
// uncertain if only our own field manager is known.
func (c *contention) report(certain bool) bool {
	if c.reported || c.writes < eventThreshold || !certain && c.writes < eventThresholdUnnamed {
		return false
	}
	c.reported = true
	return true
}

// detectForeignWrites reports whether a plan only repairs changes of another writer:
// everything was published, and no input has changed since. Services that do not exist
// or are being deleted do not count, because the garbage collector deletes their
// slices.
func (c *Controller) detectForeignWrites(s *serviceState, in input, next *plan.Plan) bool {
	if next.Empty() || in.service == nil || in.service.DeletionTimestamp != nil {
		return false
	}
	if s.repairing > 0 {
		// If another writer removes our label, this is the first sync that can detect
		// it: before, the slice looked deleted.
		s.repairing++
		manager, _ := foreignManager(next, c.config.FieldManager)
		s.contention.name(manager)
	}
	return s.settled || s.repairing > repairSteps
}

// beginRepair records that a foreign change is repaired.
func (s *serviceState) beginRepair() {
	s.settled, s.repairing = false, 1
	s.contention.seen = evidence{}
}

// countForeignWrite counts a foreign write in the metrics. If writes continue, it
// reports the writer: to the Service's owner by an Event, and to the operator by one
// log line for all Services.
func (c *Controller) countForeignWrite(ctx context.Context, key cache.ObjectName, s *serviceState, in input, next *plan.Plan, now time.Time) {
	manager, deleted := foreignManager(next, c.config.FieldManager)
	if !s.contention.count(in.slices, manager, now) {
		return
	}
	c.config.Observer.ForeignWrite()
	manager = s.contention.lastManager
	if s.contention.report(deleted || manager != unknownWriter && manager != c.config.FieldManager) {
		c.reportForeignWrites(ctx, key, in.service, manager)
	}
}

// reportForeignWrites reports who else writes the slices of a Service.
func (c *Controller) reportForeignWrites(ctx context.Context, key cache.ObjectName, service *corev1.Service, manager string) {
	c.config.Events.Record(eventForeignWrites, serviceReference(service), nil,
		"field manager %q writes or deletes EndpointSlices of this Service that are managed by %q; what differs is repaired", manager, c.config.ManagedBy)
	if _, known := c.foreignManagers.LoadOrStore(manager, true); !known {
		klog.FromContext(ctx).Error(nil, "Another client writes or deletes the controller's EndpointSlices. If it is Linkerd's controller, set --take-over-lease; otherwise stop it, or set --managed-by to another value",
			"fieldManager", manager, "service", key)
	}
}

// logBackoff logs once that repairs are delayed.
func (s *serviceState) logBackoff(ctx context.Context, wait time.Duration) {
	if s.contention.backingOff {
		return
	}
	s.contention.backingOff = true
	klog.FromContext(ctx).Info("Another client changes EndpointSlices repeatedly; repairs are delayed, other changes are not",
		"fieldManager", s.contention.lastManager, "wait", wait, "interval", repairInterval)
}

// unknownWriter is the name of an unknown writer, as after a deletion.
const unknownWriter = "unknown"

// foreignManager returns a field manager, if possible not our own, that wrote one of
// the slices that a plan repairs, and reports whether the plan recreates a deleted
// slice.
func foreignManager(next *plan.Plan, own string) (manager string, deleted bool) {
	manager = unknownWriter
	for i := range next.Writes {
		write := &next.Writes[i]
		if write.Operation == plan.Create {
			deleted = true
			continue
		}
		if name := lastManager(write.Slice, own); name != unknownWriter && (manager == unknownWriter || manager == own) {
			manager = name
		}
	}
	return manager, deleted
}

// lastManager returns a field manager, if possible not our own, of a slice's last write.
func lastManager(slice *discoveryv1.EndpointSlice, own string) string {
	if len(slice.ManagedFields) == 0 {
		return unknownWriter
	}
	for i := range slice.ManagedFields {
		if manager := slice.ManagedFields[i].Manager; manager != own {
			return manager
		}
	}
	return own
}
