package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/external-workload/controller/controller/readiness"
	"github.com/external-workload/controller/pkg/address"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/server"
)

// Bounds and defaults of the flags.
const (
	defaultWorkers = 32
	minWorkers     = 1
	maxWorkers     = 256

	defaultMaxEndpoints = 100
	minMaxEndpoints     = 1
	maxMaxEndpoints     = 1000

	defaultManagedBy = "linkerd-external-workloads-controller"
	defaultName      = "external-workload-controller"

	unlimitedQPS = -1
	maxQPS       = 100000

	defaultLeaseDuration = 12 * time.Second
	defaultRenewDeadline = 8 * time.Second
	defaultRetryPeriod   = 400 * time.Millisecond
	minLeaseDuration     = time.Second
	maxLeaseDuration     = 10 * time.Minute
	minRetryPeriod       = 50 * time.Millisecond

	formatText = "text"
	formatJSON = "json"
	maxVerbose = 10

	familyPublish  = "publish"
	familyWithhold = "withhold"
)

// options are the values of all flags.
type options struct {
	kubeconfig   string
	namespaces   []string
	workers      int
	managedBy    string
	fieldManager string
	maxEndpoints int
	secondFamily string
	zones        desired.Zones
	qps          float32
	burst        int
	version      bool

	election  electionOptions
	takeOver  takeOverOptions
	serving   servingOptions
	readiness readinessOptions

	logFormat string
	verbosity int
}

type electionOptions struct {
	enabled                    bool
	name, namespace, identity  string
	duration, deadline, period time.Duration
}

type servingOptions struct {
	health, metrics   string
	secure, profiling bool
	certificate, key  string
}

type readinessOptions struct {
	enabled       bool
	memoryLimit   byteQuantity
	allow, deny   []string
	cluster       []string
	allowHost     bool
	allowCluster  bool
	holdMaximum   holdMaximum
	timeRefresh   time.Duration
	deleteExpired bool
}

// newFlags returns the flag set of o, and sets the defaults.
func newFlags(o *options) *pflag.FlagSet {
	f := pflag.NewFlagSet(defaultName, pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "path to a kubeconfig file; if empty, the Pod's service account is used")
	f.StringSliceVar(&o.namespaces, "namespaces", nil, "comma-separated list of namespaces to watch; if empty, all namespaces")
	f.IntVar(&o.workers, "workers", defaultWorkers, "number of Services that are synced concurrently (1 to 256)")
	f.StringVar(&o.managedBy, "managed-by", defaultManagedBy, "value of the label endpointslice.kubernetes.io/managed-by on the EndpointSlices of this controller; the default adopts the slices of Linkerd's controller")
	f.StringVar(&o.fieldManager, "field-manager", defaultName, "field manager name of the writes of this process")
	f.IntVar(&o.maxEndpoints, "max-endpoints-per-slice", defaultMaxEndpoints, "maximum number of endpoints per EndpointSlice (1 to 1000)")
	f.StringVar(&o.secondFamily, "second-family", familyPublish, "whether to publish the second address family of a dual-stack workload: publish, as Kubernetes does, or withhold, because Linkerd's clients keep one address per workload")
	f.Var(&o.zones, "zone-from-cidr", "comma-separated list of address ranges and their zones, such as 10.1.0.0/16=zone-a, for workloads without the label topology.kubernetes.io/zone; the narrowest range that contains the address applies")
	f.Float32Var(&o.qps, "kube-api-qps", unlimitedQPS, "maximum number of requests per second to the API server (-1, or more than 0 and at most 100000), without those for the Lease; -1 relies on the API server's priority and fairness")
	f.IntVar(&o.burst, "kube-api-burst", 100, "maximum burst of requests while --kube-api-qps limits them (1 to 100000)")

	f.BoolVar(&o.election.enabled, "leader-elect", true, "write only while holding the Lease; required if more than one instance runs")
	f.StringVar(&o.election.name, "leader-elect-lease-name", defaultName, "name of the Lease for leader election")
	f.StringVar(&o.election.namespace, "leader-elect-lease-namespace", "", "namespace of the Lease; if empty, the namespace of the Pod or of the kubeconfig's context")
	f.StringVar(&o.election.identity, "identity", "", "identity of this instance in the Lease; if empty, derived from the host name")
	f.DurationVar(&o.election.duration, "leader-elect-lease-duration", defaultLeaseDuration, "duration that standby instances wait after the last observed renewal before they take the Lease (1s to 10m)")
	f.DurationVar(&o.election.deadline, "leader-elect-renew-deadline", defaultRenewDeadline, "duration that the leader retries to renew the Lease before it stops leading; less than 7/8 of --leader-elect-lease-duration, so that writing stops before others may lead")
	f.DurationVar(&o.election.period, "leader-elect-retry-period", defaultRetryPeriod, "interval between two attempts to acquire the Lease (at least 50ms; 1.2 times as long must be less than --leader-elect-renew-deadline)")

	f.StringVar(&o.serving.health, "health-bind-address", ":8081", "address on which /livez and /readyz are served; 0 disables them")
	f.StringVar(&o.serving.metrics, "metrics-bind-address", ":8080", "address on which /metrics is served; 0 disables it")
	f.BoolVar(&o.serving.secure, "metrics-secure", false, "serve metrics over HTTPS, authenticated by TokenReview and authorized by SubjectAccessReview")
	f.StringVar(&o.serving.certificate, "metrics-tls-cert-file", "", "path to the certificate for --metrics-secure, reloaded when it changes; if empty, a self-signed certificate is generated")
	f.StringVar(&o.serving.key, "metrics-tls-key-file", "", "path to the private key of the certificate")
	f.BoolVar(&o.serving.profiling, "pprof", false, "serve /debug/pprof on the metrics address")

	addReadinessFlags(f, &o.readiness)
	addTakeOverFlags(f, &o.takeOver)

	f.StringVar(&o.logFormat, "log-format", formatText, "log format: text or json")
	f.IntVarP(&o.verbosity, "v", "v", 0, "log verbosity (0 to 10); 2 logs every write, 4 every decision")
	f.BoolVar(&o.version, "version", false, "print the version and exit")
	return f
}

func addReadinessFlags(f *pflag.FlagSet, o *readinessOptions) {
	f.BoolVar(&o.enabled, "readiness", true, "set the readiness of workloads from their probes and declarations")
	o.memoryLimit = bytesOf(readiness.DefaultProbeMemory)
	f.Var(&o.memoryLimit, "probe-memory-limit", "maximum amount of memory for all concurrent probes, as a quantity ("+quantityBounds(readiness.MinProbeMemory, readiness.MaxProbeMemory)+"); namespaces share it fairly")
	f.StringSliceVar(&o.allow, "probe-allow-cidr", nil, "comma-separated list of address ranges that may be probed; if empty, all except the ranges that are never probed and the cluster's own networks. A range within one of the cluster's networks permits it")
	f.StringSliceVar(&o.deny, "probe-deny-cidr", nil, "comma-separated list of address ranges that must not be probed")
	f.StringSliceVar(&o.cluster, "probe-cluster-network-cidr", nil, "comma-separated list of the cluster's own networks, such as the Pod network, which are not probed; the API server's addresses and the ranges of its ServiceCIDR objects are added if they can be read")
	f.BoolVar(&o.allowCluster, "probe-allow-cluster-networks", false, "allow probes of the cluster's own networks")
	f.BoolVar(&o.allowHost, "probe-allow-host", false, "allow probes that set a host instead of probing the workload's own addresses")
	o.holdMaximum = holdMaximum(readiness.DefaultHoldMaximum)
	f.Var(&o.holdMaximum, "hold-maximum", "maximum duration that readiness is frozen while probes of most namespaces fail together (at least 1m); 0 disables the hold, unlimited removes the limit")
	f.BoolVar(&o.deleteExpired, "delete-expired", false, "delete a workload after its probe has failed for the duration in its annotation external-workload.io/delete-after-unready; requires permission to delete workloads")
	f.DurationVar(&o.timeRefresh, "probe-time-refresh", readiness.DefaultProbeTimeRefresh, "minimum interval between two status writes that change only lastProbeTime (10s to 24h)")
}

// validate returns all errors, each with the flag's name and limits.
func (o *options) validate() error {
	var errs []error
	refuse := func(wrong bool, flag string, value any, want string) {
		if wrong {
			errs = append(errs, fmt.Errorf("--%s is %v, want %s", flag, value, want))
		}
	}
	for _, namespace := range o.namespaces {
		refuse(len(validation.IsDNS1123Label(namespace)) > 0, "namespaces", fmt.Sprintf("%q", namespace), "names of namespaces")
	}
	refuse(o.workers < minWorkers || o.workers > maxWorkers, "workers", o.workers, bounds(minWorkers, maxWorkers))
	refuse(o.managedBy == "" || len(validation.IsValidLabelValue(o.managedBy)) > 0, "managed-by", fmt.Sprintf("%q", o.managedBy), "the value of a label: up to 63 letters, digits, '-', '_' and '.'")
	refuse(o.fieldManager == "" || len(o.fieldManager) > 128, "field-manager", fmt.Sprintf("%q", o.fieldManager), "1 to 128 characters")
	refuse(o.maxEndpoints < minMaxEndpoints || o.maxEndpoints > maxMaxEndpoints, "max-endpoints-per-slice", o.maxEndpoints, bounds(minMaxEndpoints, maxMaxEndpoints))
	refuse(!slices.Contains([]string{familyPublish, familyWithhold}, o.secondFamily), "second-family", fmt.Sprintf("%q", o.secondFamily), "publish or withhold")
	refuse(o.qps != unlimitedQPS && (o.qps <= 0 || o.qps > maxQPS), "kube-api-qps", o.qps, fmt.Sprintf("-1, or more than 0 and at most %d", maxQPS))
	refuse(o.burst < 1 || o.burst > maxQPS, "kube-api-burst", o.burst, bounds(1, maxQPS))
	refuse(o.logFormat != formatText && o.logFormat != formatJSON, "log-format", fmt.Sprintf("%q", o.logFormat), "text or json")
	refuse(o.verbosity < 0 || o.verbosity > maxVerbose, "v", o.verbosity, bounds(0, maxVerbose))
	errs = append(errs, o.election.validate(refuse), o.takeOver.validate(refuse), o.serving.validate(refuse), o.readiness.validate(refuse))
	return errors.Join(errs...)
}

type refuseFunc func(wrong bool, flag string, value any, want string)

func (o *electionOptions) validate(refuse refuseFunc) error {
	if !o.enabled {
		return nil
	}
	refuse(len(validation.IsDNS1123Subdomain(o.name)) > 0, "leader-elect-lease-name", fmt.Sprintf("%q", o.name), "the name of an object: lower-case letters, digits, '-' and '.'")
	refuse(o.namespace != "" && len(validation.IsDNS1123Label(o.namespace)) > 0, "leader-elect-lease-namespace", fmt.Sprintf("%q", o.namespace), "the name of a namespace")
	refuse(o.duration < minLeaseDuration || o.duration > maxLeaseDuration, "leader-elect-lease-duration", o.duration, bounds(minLeaseDuration, maxLeaseDuration))
	refuse(o.deadline >= o.duration*7/8, "leader-elect-renew-deadline", o.deadline, "less than 7/8 of --leader-elect-lease-duration, so that writing stops before others may lead")
	refuse(o.period < minRetryPeriod || float64(o.deadline) <= 1.2*float64(o.period), "leader-elect-retry-period", o.period, fmt.Sprintf("at least %s, and 1.2 times as long to be less than --leader-elect-renew-deadline", minRetryPeriod))
	return nil
}

func (o *servingOptions) validate(refuse refuseFunc) error {
	for _, bind := range []struct{ flag, address string }{{"health-bind-address", o.health}, {"metrics-bind-address", o.metrics}} {
		if bind.address == "" || bind.address == server.Off {
			continue
		}
		_, _, err := net.SplitHostPort(bind.address)
		refuse(err != nil, bind.flag, fmt.Sprintf("%q", bind.address), "an address like :8080 or 127.0.0.1:8080, or 0 for none")
	}
	refuse((o.certificate == "") != (o.key == ""), "metrics-tls-cert-file", fmt.Sprintf("%q", o.certificate), "to be given together with --metrics-tls-key-file")
	refuse(o.certificate != "" && !o.secure, "metrics-tls-cert-file", fmt.Sprintf("%q", o.certificate), "to be given only with --metrics-secure")
	return nil
}

func (o *readinessOptions) validate(refuse refuseFunc) error {
	refuse(!o.memoryLimit.within(readiness.MinProbeMemory, readiness.MaxProbeMemory), "probe-memory-limit", o.memoryLimit.String(), quantityBounds(readiness.MinProbeMemory, readiness.MaxProbeMemory))
	refuse(o.holdMaximum != 0 && time.Duration(o.holdMaximum) < readiness.MinHoldMaximum, "hold-maximum", o.holdMaximum.String(), fmt.Sprintf("at least %s, 0 for no hold, or %s", readiness.MinHoldMaximum, unlimitedHold))
	refuse(o.timeRefresh < readiness.MinProbeTimeRefresh || o.timeRefresh > readiness.MaxProbeTimeRefresh, "probe-time-refresh", o.timeRefresh, bounds(readiness.MinProbeTimeRefresh, readiness.MaxProbeTimeRefresh))
	_, errAllow := prefixes("probe-allow-cidr", o.allow)
	_, errDeny := prefixes("probe-deny-cidr", o.deny)
	_, errCluster := prefixes("probe-cluster-network-cidr", o.cluster)
	refuse(len(o.cluster) > 0 && o.allowCluster, "probe-cluster-network-cidr", strings.Join(o.cluster, ","), "to be given only without --probe-allow-cluster-networks")
	return errors.Join(errAllow, errDeny, errCluster)
}

// prefixes parses address ranges.
func prefixes(flag string, texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		prefix, err := address.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--%s is %q, %w", flag, text, err)
		}
		all = append(all, prefix)
	}
	return all, nil
}

func bounds(low, high any) string { return fmt.Sprintf("%v to %v", low, high) }
