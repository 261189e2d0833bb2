// Package loop runs a sync function on the keys of a rate-limited work queue, with
// several workers. All controllers of this project use it. It handles keys, retries,
// panics and progress; the sync function knows the objects.
package loop

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime/debug"
	"sync"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

const (
	// DefaultMinBackoff is the backoff before the first retry of a failing key.
	DefaultMinBackoff = 5 * time.Millisecond

	// DefaultMaxBackoff is the maximum backoff between retries of a failing key. A key
	// is never dropped.
	DefaultMaxBackoff = 2 * time.Minute

	// StuckAfter is how long keys may wait without any key being finished before the
	// loop counts as stuck. Every request has a much shorter timeout, so only a defect
	// can reach it.
	StuckAfter = 5 * time.Minute

	// failuresToReport is the number of consecutive failures after which a success is
	// logged. A few failures are normal: conflicts, and requests during an update of
	// the API server.
	failuresToReport = 8
)

// ResultPanic and ResultError are the results of a sync that panicked, and of
// one that failed without naming a result of its own.
const (
	ResultPanic = "panic"
	ResultError = "error"
)

// Outcome is the result of one sync of a key.
type Outcome struct {
	// Result is a short constant word, used as a metric label.
	Result string

	// After, if positive, asks for another sync of the key after that time. It
	// does not count as a failure.
	After time.Duration
}

// Sync brings the object of a key to its desired state. For each key, one worker at a
// time calls it. After an error, the key is retried with a backoff that grows with each
// failure, without end. When ctx is cancelled, Sync returns soon, but may finish a
// request in flight.
type Sync func(ctx context.Context, key cache.ObjectName) (Outcome, error)

// Observer is notified of every sync. It must be safe for concurrent use.
type Observer interface {
	Reconciled(controller, result string, duration time.Duration)
	PanicRecovered(controller string)
}

// Config has the dependencies and settings of a Loop.
type Config struct {
	// Name is the controller's name: it labels metrics and log lines.
	Name string
	// Sync is called for each key.
	Sync Sync
	// Observer is notified of every sync.
	Observer Observer
	// QueueMetrics makes the queue's metrics; nil for none.
	QueueMetrics workqueue.MetricsProvider
	// MinBackoff and MaxBackoff bound the pause before a failed key is tried
	// again; zero for the defaults.
	MinBackoff, MaxBackoff time.Duration
	// Clock is the time; nil for the real one.
	Clock clock.WithTicker
}

// Loop is a queue of keys and the workers that sync them. Its methods are safe
// for concurrent use.
type Loop struct {
	config   Config
	order    *namespaceQueue
	queue    workqueue.TypedRateLimitingInterface[cache.ObjectName]
	progress progress
}

// New returns a Loop. It starts only the queue's internal goroutines, which end with
// Run.
func New(config Config) *Loop {
	if config.MinBackoff == 0 {
		config.MinBackoff = DefaultMinBackoff
	}
	if config.MaxBackoff == 0 {
		config.MaxBackoff = DefaultMaxBackoff
	}
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	order := newNamespaceQueue(config.Clock)
	return &Loop{config: config, order: order, queue: newQueue(config, order)}
}

// newQueue returns a queue in which namespaces take turns, with backoff after failures.
func newQueue(config Config, order workqueue.Queue[cache.ObjectName]) workqueue.TypedRateLimitingInterface[cache.ObjectName] {
	ordered := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[cache.ObjectName]{
		Name: config.Name, MetricsProvider: config.QueueMetrics, Clock: config.Clock, Queue: order,
	})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[cache.ObjectName]{
		Name: config.Name, MetricsProvider: config.QueueMetrics, Clock: config.Clock, Queue: ordered,
	})
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](config.MinBackoff, config.MaxBackoff)
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[cache.ObjectName]{
		Name: config.Name, MetricsProvider: config.QueueMetrics, Clock: config.Clock, DelayingQueue: delaying,
	})
}

// Add asks for a sync of key. A key that waits already is not queued twice,
// and one that is being synced is synced once more afterwards.
func (l *Loop) Add(key cache.ObjectName) { l.queue.Add(key) }

// Len returns the number of keys that wait.
func (l *Loop) Len() int { return l.order.size() }

// Run syncs keys with a number of workers until ctx is cancelled, and returns when the
// last worker has ended. It does not process keys that still wait.
func (l *Loop) Run(ctx context.Context, workers int) {
	l.order.open(workers)
	l.progress.start(l.config.Clock.Now())
	defer l.progress.stop()

	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for l.next(ctx) {
			}
		})
	}
	<-ctx.Done()
	l.order.close()
	l.queue.ShutDown()
	running.Wait()
}

// Stuck returns an error while keys wait and none has been finished for
// StuckAfter. It is nil while the loop does not run.
func (l *Loop) Stuck() error {
	idle, running := l.progress.since(l.config.Clock.Now())
	if !running || idle < StuckAfter || (l.Len() == 0 && !l.progress.busy()) {
		return nil
	}
	return fmt.Errorf("controller %s: no key finished for %s while %d wait", l.config.Name, idle.Round(time.Second), l.Len())
}

// next syncs one key. It returns false when the worker should end.
func (l *Loop) next(ctx context.Context) bool {
	if !l.order.acquire() {
		return false
	}
	key, shutdown := l.queue.Get()
	if shutdown {
		return false
	}
	defer l.queue.Done(key)
	hangs := false
	defer func() { l.order.finish(key, hangs) }()
	if ctx.Err() != nil {
		return false
	}

	begin := l.config.Clock.Now()
	l.progress.begin(begin)
	outcome, err := l.syncSafely(ctx, key)
	end := l.config.Clock.Now()
	l.progress.finish(end)
	l.config.Observer.Reconciled(l.config.Name, outcome.Result, end.Sub(begin))
	hangs = err != nil && end.Sub(begin) >= hangsAfter
	l.schedule(ctx, key, outcome, err)
	return true
}

// schedule decides when the key is synced again.
func (l *Loop) schedule(ctx context.Context, key cache.ObjectName, outcome Outcome, err error) {
	failures := l.queue.NumRequeues(key)
	if err != nil {
		l.queue.AddRateLimited(key)
		l.logFailure(ctx, key, failures+1, err)
		return
	}
	l.queue.Forget(key)
	if failures >= failuresToReport {
		klog.FromContext(ctx).Info("Sync succeeded after failures", "controller", l.config.Name, "key", key, "failures", failures)
	}
	if outcome.After > 0 {
		l.queue.AddAfter(key, outcome.After)
	}
}

// logFailure logs a failure when the number of consecutive failures has doubled, so
// that a key that fails for hours does not fill the log. It logs the others at
// verbosity 2.
func (l *Loop) logFailure(ctx context.Context, key cache.ObjectName, failures int, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	logger := klog.FromContext(ctx)
	if bits.OnesCount(uint(failures)) > 1 {
		logger = logger.V(2)
	}
	logger.Info("Sync failed; the controller will retry", "controller", l.config.Name, "key", key, "failures", failures, "err", err)
}

// syncSafely converts a panic of the sync function into an error, so that one object
// cannot stop the others.
func (l *Loop) syncSafely(ctx context.Context, key cache.ObjectName) (outcome Outcome, err error) {
	logger := klog.LoggerWithValues(klog.FromContext(ctx), "controller", l.config.Name, "key", key)
	defer func() {
		if recovered := recover(); recovered != nil {
			l.config.Observer.PanicRecovered(l.config.Name)
			logger.Error(nil, "Sync panicked; please report this defect", "panic", recovered, "stack", string(debug.Stack()))
			outcome, err = Outcome{Result: ResultPanic}, fmt.Errorf("panic: %v", recovered)
		}
	}()
	outcome, err = l.config.Sync(klog.NewContext(ctx, logger), key)
	if err != nil && outcome.Result == "" {
		outcome.Result = ResultError
	}
	return outcome, err
}
