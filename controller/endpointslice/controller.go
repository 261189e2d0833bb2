package endpointslice

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/external-workload/controller/controller/loop"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/metrics"
	"github.com/external-workload/controller/pkg/plan"
)

// Name is the controller's name in metrics, logs and Events.
const Name = "endpointslice"

// Observer is notified of what the controller does. It must be safe for concurrent use.
type Observer interface {
	loop.Observer
	Failed(controller, reason string)
	Published(latency time.Duration)
	SliceWritten(operation, outcome string)
	ForeignWrite()
	ServiceObserved(key types.NamespacedName, observed metrics.ServiceObserved)
	ServiceForgotten(key types.NamespacedName)
}

// Config has the dependencies and settings of the controller.
type Config struct {
	// Client writes EndpointSlices.
	Client discoveryclient.EndpointSlicesGetter
	// Informers watch the namespaces that the controller serves. They must not
	// have been started before New.
	Informers []*Informers
	// Events records Events.
	Events events.Recorder
	// Observer is notified of what the controller does.
	Observer Observer
	// QueueMetrics creates the queue's metrics; nil for none.
	QueueMetrics workqueue.MetricsProvider

	// ManagedBy is the value of the label that marks the slices of this controller.
	ManagedBy string
	// FieldManager is the name under which the API server records our writes.
	FieldManager string
	// MaxEndpoints is the maximum number of endpoints per slice.
	MaxEndpoints int
	// IgnoreProbes uses only the condition Ready of workloads with a probe, because
	// probes are disabled.
	IgnoreProbes bool
	// WithholdSecondFamily publishes a workload with both address families as ready in
	// the Service's first family only.
	WithholdSecondFamily bool
	// Zones are the zones of workloads without a zone label.
	Zones desired.Zones

	// Recovery returns the last interruption of the watches; nil if interruptions are
	// not observed. It must be safe for concurrent use, and later calls must not return
	// an earlier interruption.
	Recovery func() desired.Recovery

	// Clock is the time; nil for the real one.
	Clock clock.WithTicker
}

// Controller brings EndpointSlices to their desired state. Its methods are safe for
// concurrent use.
type Controller struct {
	config     Config
	loop       *loop.Loop
	membership *membership
	handlers   []cache.DoneChecker
	// leads is true from the beginning of Run. Before that, only caches are kept: no
	// key is queued and no change is recorded.
	leads   atomic.Bool
	changes *changes
	states  serviceStates
	// foreignManagers are the field managers of other writers that were logged.
	foreignManagers sync.Map
	// alteredLogged is done once an altered slice was logged.
	alteredLogged sync.Once
	scratch       sync.Pool
}

// scratch is memory that syncs reuse.
type scratch struct {
	desired   desired.State
	planner   plan.Planner
	workloads []*desired.Workload
}

// New returns a controller and registers its event handlers with its informers. It
// queues and writes nothing before Run.
func New(config Config) (*Controller, error) {
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	if config.Recovery == nil {
		config.Recovery = func() desired.Recovery { return desired.Recovery{} }
	}
	c := &Controller{
		config:     config,
		membership: newMembership(),
		changes:    newChanges(),
		scratch:    sync.Pool{New: func() any { return &scratch{} }},
	}
	c.loop = loop.New(loop.Config{
		Name:         Name,
		Sync:         c.sync,
		Observer:     config.Observer,
		QueueMetrics: config.QueueMetrics,
		Clock:        config.Clock,
	})
	for _, informers := range config.Informers {
		if err := c.register(informers); err != nil {
			return nil, fmt.Errorf("registering event handlers: %w", err)
		}
	}
	return c, nil
}

// Run publishes with a number of workers until ctx is cancelled. It waits for the
// caches first, and returns when the last write in flight has ended.
func (c *Controller) Run(ctx context.Context, workers int) error {
	if !cache.WaitFor(ctx, Name+" caches", c.handlers...) {
		return fmt.Errorf("waiting for the caches: %w", context.Cause(ctx))
	}
	c.lead()
	c.loop.Run(ctx, workers)
	return nil
}

// lead starts queueing, with all known Services and those to which slices belong. No
// change counts as older than this.
func (c *Controller) lead() {
	c.leads.Store(true) // events from now on are queued, all from before are in the caches
	for _, key := range c.membership.services() {
		c.changed(key)
	}
	for _, informers := range c.config.Informers {
		for _, informer := range informers.Slices {
			for _, text := range informer.GetIndexer().ListIndexFuncValues(byService) {
				if key, err := cache.ParseObjectName(text); err == nil {
					c.changed(key)
				}
			}
		}
	}
}

// errNotSynced is returned until the caches are synced.
var errNotSynced = errors.New("caches of Services, ExternalWorkloads and EndpointSlices are not filled yet; see the log for failing list or watch requests")

// Synced returns an error until the caches are synced.
func (c *Controller) Synced() error {
	for _, handler := range c.handlers {
		select {
		case <-handler.Done():
		default:
			return errNotSynced
		}
	}
	return nil
}

// Stuck returns an error if a restart would help: keys wait and none is finished.
func (c *Controller) Stuck() error { return c.loop.Stuck() }

// informersFor returns the informers of a namespace.
func (c *Controller) informersFor(namespace string) *Informers {
	for _, informers := range c.config.Informers {
		if informers.namespace == namespace || informers.namespace == corev1.NamespaceAll {
			return informers
		}
	}
	return nil
}
