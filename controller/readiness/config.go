package readiness

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"github.com/external-workload/controller/controller/loop"
	"github.com/external-workload/controller/controller/readiness/hold"
	"github.com/external-workload/controller/pkg/events"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	informers "github.com/external-workload/controller/pkg/generated/informers/externalversions/workload/v1beta1"
)

// Name is the controller's name in metrics and log lines.
const Name = "readiness"

// Defaults of the Config, and the bounds that a caller has to keep.
const (
	// DefaultProbeMemory is enough for 10,000 workloads of one namespace, probed by TCP
	// every 10 s with a timeout of 1 s, none of which answers: a quarter of it is
	// enough for the thousand probes that wait at any time.
	DefaultProbeMemory int64 = 64 << 20
	// MinProbeMemory leaves room for other namespaces in addition to one with the most
	// expensive probes.
	MinProbeMemory int64 = 8 << 20
	MaxProbeMemory int64 = 1 << 30

	DefaultHoldMinimum = hold.DefaultMinimum
	DefaultHoldMaximum = hold.DefaultMaximum
	// HoldUnlimited is a HoldMaximum without limit, and HoldNever disables the hold.
	// MinHoldMaximum is the minimum of all other values.
	HoldUnlimited  = hold.Unlimited
	HoldNever      = time.Duration(-1)
	MinHoldMaximum = time.Minute

	DefaultProbeTimeRefresh = 5 * time.Minute
	MinProbeTimeRefresh     = 10 * time.Second
	MaxProbeTimeRefresh     = 24 * time.Hour
)

// Observer is notified of what the controller does. It must be safe for concurrent use.
type Observer interface {
	loop.Observer
	// Probed records one probe: its kind (tcp, http or grpc), its outcome (success,
	// failure, timeout, refused or error), its duration, and its delay after the
	// planned start.
	Probed(probe, outcome string, duration, lateness time.Duration)
	// SetWorkloads sets the number of workloads with a source of readiness (probe,
	// declared or other) and a readiness (True, False or Unknown).
	SetWorkloads(source, ready string, count int)
	// Failed records a sync, or the deletion of an expired workload, that ended in an
	// error, by a reason of package failure.
	Failed(controller, reason string)
	// StatusWritten records a request that writes a status: success, conflict or error.
	StatusWritten(outcome string)
	// SetHold reports whether readiness is held.
	SetHold(active bool)
	// ReadyOverwritten records that another writer has overwritten conditions, mostly Ready.
	ReadyOverwritten()
	// AnnotationRejected records an annotation that cannot be followed.
	AnnotationRejected(reason string)
	// WorkloadExpired records that a workload was deleted after its probe had failed
	// for the time in its annotation.
	WorkloadExpired()
}

// Config has the dependencies and settings of a Controller.
type Config struct {
	// Client writes the status of workloads.
	Client versioned.Interface
	// Workloads is the informer of all workloads, which the caller starts. Its
	// transform must call declaration.Digest, which preserves the inline conditions of
	// manifests.
	Workloads informers.TypedExternalWorkloadInformer
	// MoreWorkloads are informers of further namespaces, if Workloads is that of a
	// single namespace. The hold counts all of them together. No workload may be in two
	// informers.
	MoreWorkloads []informers.TypedExternalWorkloadInformer
	// Events records Events about workloads.
	Events events.Recorder
	// HoldRegarding returns the object of Events about a hold, such as the controller's
	// Lease or Pod. If it is nil, or returns nil, a hold is only logged and in the
	// metric.
	HoldRegarding func(context.Context) runtime.Object
	// Observer is notified of what the controller does.
	Observer Observer
	// QueueMetrics creates the queue's metrics; nil for none.
	QueueMetrics workqueue.MetricsProvider
	// Clock is the time; nil for the real one.
	Clock clock.WithTicker

	// ProbeAllow, if not empty, permits probes of addresses in these ranges only.
	ProbeAllow []netip.Prefix
	// ProbeDeny refuses probes of addresses in these ranges, also those in ProbeAllow.
	ProbeDeny []netip.Prefix
	// ClusterNetworks returns the ranges of the cluster's own Services, Pods and API
	// servers, which are not probed; nil for none. It is called for each probe, and
	// must be cheap and safe for concurrent use.
	ClusterNetworks func() []netip.Prefix
	// ProbeAllowHost permits probes that name a host.
	ProbeAllowHost bool
	// ProbeLoopback permits probes of loopback addresses. It is only for tests.
	ProbeLoopback bool

	// ProbeMemory is the memory in bytes for all probes in flight, which namespaces
	// share fairly; 0 for the default.
	ProbeMemory int64
	// HoldMinimum is the minimum number of failing workloads for a hold; 0 for the
	// default.
	HoldMinimum int
	// HoldMaximum is the maximum duration of a hold; 0 for the default, HoldUnlimited
	// for no limit, HoldNever for no hold.
	HoldMaximum time.Duration
	// ProbeTimeRefresh is the minimum interval between two writes that change only
	// lastProbeTime; 0 for the default.
	ProbeTimeRefresh time.Duration
	// DeleteExpired permits the deletion of workloads whose annotation requests it,
	// after their probes have failed for long.
	DeleteExpired bool
}

// complete sets the defaults.
func (c *Config) complete() {
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	if c.ProbeMemory == 0 {
		c.ProbeMemory = DefaultProbeMemory
	}
	if c.HoldMinimum == 0 {
		c.HoldMinimum = DefaultHoldMinimum
	}
	if c.HoldMaximum == 0 {
		c.HoldMaximum = DefaultHoldMaximum
	}
	if c.ProbeTimeRefresh == 0 {
		c.ProbeTimeRefresh = DefaultProbeTimeRefresh
	}
}

// validate checks that nothing is missing, and what no flag sets. Other values are
// checked where users give them, which is where an error can name the flag.
func (c *Config) validate() error {
	if c.Client == nil || c.Workloads == nil || c.Events == nil || c.Observer == nil {
		return errors.New("client, workloads, events and observer are all needed")
	}
	if c.HoldMinimum < 1 {
		return fmt.Errorf("hold minimum is %d; it must be at least 1", c.HoldMinimum)
	}
	return nil
}
