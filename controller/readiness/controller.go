package readiness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/controller/loop"
	"github.com/external-workload/controller/controller/readiness/hold"
	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/controller/readiness/schedule"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	informers "github.com/external-workload/controller/pkg/generated/informers/externalversions/workload/v1beta1"
	listers "github.com/external-workload/controller/pkg/generated/listers/workload/v1beta1"
)

// Controller writes the conditions of all workloads. Its methods are safe for
// concurrent use; Run is called once.
type Controller struct {
	config   Config
	sources  []informers.TypedExternalWorkloadInformer
	listers  []listers.ExternalWorkloadLister
	options  probe.Options
	ask      func(context.Context, *probe.Spec, probe.Target) probe.Result
	schedule *schedule.Schedule
	loop     *loop.Loop
	counts   workloadCounts
	evaluate chan struct{}
	expiry   expiry

	// events is held for reading by the handlers of events, and for writing by what must
	// not run beside them.
	events sync.RWMutex

	mu          sync.Mutex
	records     map[cache.ObjectName]*record
	contentions map[cache.ObjectName]*contention
	refused     refusals
	holds       map[corev1.IPFamily]*holdState
}

// New returns a Controller. It starts nothing.
func New(config Config) (*Controller, error) {
	config.complete()
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("configure the %s controller: %w", Name, err)
	}
	policy := probe.AddressPolicy{
		Allow:           config.ProbeAllow,
		Deny:            config.ProbeDeny,
		ClusterNetworks: config.ClusterNetworks,
		AllowLoopback:   config.ProbeLoopback,
	}
	c := &Controller{
		config:      config,
		sources:     append([]informers.TypedExternalWorkloadInformer{config.Workloads}, config.MoreWorkloads...),
		options:     probe.Options{Addresses: policy, AllowHost: config.ProbeAllowHost},
		ask:         probe.NewProber(policy).Probe,
		counts:      workloadCounts{observer: config.Observer},
		evaluate:    make(chan struct{}, 1),
		records:     map[cache.ObjectName]*record{},
		contentions: map[cache.ObjectName]*contention{},
		holds:       newHoldStates(hold.Policy{Minimum: config.HoldMinimum, Maximum: max(config.HoldMaximum, 0)}),
	}
	for _, source := range c.sources {
		c.listers = append(c.listers, source.Lister())
	}
	var err error
	capacity := schedule.Capacity{Total: config.ProbeMemory, Largest: probe.MaxCost}
	if c.schedule, err = schedule.New(config.Clock, capacity, c.runProbe); err != nil {
		return nil, fmt.Errorf("schedule probes: %w", err)
	}
	c.loop = loop.New(loop.Config{
		Name:         Name,
		Sync:         c.sync,
		Observer:     config.Observer,
		QueueMetrics: config.QueueMetrics,
		Clock:        config.Clock,
	})
	return c, nil
}

// Stuck returns an error while the controller's queue makes no progress.
func (c *Controller) Stuck() error { return c.loop.Stuck() }

// Run probes workloads and writes their status, with a number of workers for the
// writes, until ctx is cancelled. It returns when everything that it started has ended.
// The caller starts the informer.
func (c *Controller) Run(ctx context.Context, workers int) error {
	if workers < 1 {
		return errors.New("at least one worker is needed")
	}
	ctx = klog.NewContext(ctx, klog.LoggerWithValues(klog.FromContext(ctx), "controller", Name))
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	// The loop always runs, because only it shuts down its queue.
	running.Go(func() { c.loop.Run(ctx, workers) })
	for _, source := range c.sources {
		informer := source.TypedInformer()
		registration, err := informer.AddTypedEventHandler(handler{c})
		if err != nil {
			return fmt.Errorf("handle events of workloads: %w", err)
		}
		defer func() { _ = informer.RemoveEventHandler(registration) }()
		select {
		case <-ctx.Done():
			return nil
		case <-registration.HasSyncedChecker().Done():
		}
	}
	running.Go(func() { c.schedule.Run(ctx) })
	running.Go(func() { c.evaluateHolds(ctx) })
	running.Go(func() { c.recheckRefused(ctx) })
	if c.config.DeleteExpired {
		running.Go(func() { c.expire(ctx) })
	}
	<-ctx.Done()
	return nil
}

// every calls do periodically until ctx is cancelled.
func (c *Controller) every(ctx context.Context, interval time.Duration, do func()) {
	ticker := c.config.Clock.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
			do()
		}
	}
}

// get returns the cached workload; nil if there is none.
func (c *Controller) get(key cache.ObjectName) *v1beta1.ExternalWorkload {
	for _, lister := range c.listers {
		// A lister fails only with NotFound.
		if workload, err := lister.ExternalWorkloads(key.Namespace).Get(key.Name); err == nil {
			return workload
		}
	}
	return nil
}
