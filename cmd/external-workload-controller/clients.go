package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/codec"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/scheme"
	workloadv1beta1 "github.com/external-workload/controller/pkg/generated/clientset/versioned/typed/workload/v1beta1"
	"github.com/external-workload/controller/pkg/interruption"
	"github.com/external-workload/controller/pkg/leadership"
)

// podNamespaceFile contains the namespace of the Pod.
const podNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// clients are the clients of the API server.
type clients struct {
	// core and workloads only read: the closed gate refuses their writes.
	core      kubernetes.Interface
	workloads versioned.Interface
	// watchedCore and watchedWorkloads are for informers: their requests are retried
	// while the API server is away, and interruption observes that.
	watchedCore      kubernetes.Interface
	watchedWorkloads versioned.Interface
	interruption     *interruption.Monitor
	// writeCore and writeWorkloads write while the Lease is held, over a separate
	// connection.
	writeCore      kubernetes.Interface
	writeWorkloads versioned.Interface
	// ungated is for the Lease and for reviews of users who scrape metrics.
	ungated kubernetes.Interface
	// namespace is the namespace in the configuration.
	namespace string
	// hosts are the host names of the API server.
	hosts []string
}

// loadConfig loads the configuration for the API server.
func loadConfig(o *options) (*rest.Config, string, error) {
	if o.kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			return nil, "", errors.New("not in a cluster: give --kubeconfig, or run as a Pod with a service account")
		}
		if err != nil {
			return nil, "", fmt.Errorf("reading the Pod's service account: %w", err)
		}
		namespace, err := os.ReadFile(podNamespaceFile)
		if err != nil {
			return nil, "", fmt.Errorf("reading the Pod's namespace: %w", err)
		}
		return config, strings.TrimSpace(string(namespace)), nil
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: o.kubeconfig}, &clientcmd.ConfigOverrides{})
	config, err := loader.ClientConfig()
	if clientcmd.IsEmptyConfig(err) {
		return nil, "", fmt.Errorf("reading --kubeconfig %s: it names no cluster", o.kubeconfig)
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading --kubeconfig %s: %w", o.kubeconfig, err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("reading the namespace of --kubeconfig %s: %w", o.kubeconfig, err)
	}
	return config, namespace, nil
}

// newClients returns clients that write only while the gate is open.
func newClients(o *options, gate *leadership.WriteGate) (*clients, error) {
	config, namespace, err := loadConfig(o)
	if err != nil {
		return nil, err
	}
	config.UserAgent = userAgent()
	limitRequests(config, o)
	c := &clients{namespace: namespace, hosts: []string{hostOf(config), os.Getenv("KUBERNETES_SERVICE_HOST")}}
	reading := rest.CopyConfig(config)
	reading.Wrap((&leadership.WriteGate{}).Guard)
	if c.core, c.workloads, err = clientsets(reading); err != nil {
		return nil, err
	}
	c.interruption = interruption.New()
	watching := rest.CopyConfig(reading)
	watching.Wrap(c.interruption.Keep)
	if c.watchedCore, c.watchedWorkloads, err = clientsets(watching); err != nil {
		return nil, err
	}
	gated := rest.CopyConfig(config)
	gated.Wrap(gate.Guard)
	gated.Dial = gate.Dial
	if c.writeCore, c.writeWorkloads, err = clientsets(gated); err != nil {
		return nil, err
	}
	// A request for the Lease that hangs must not outlive the renew deadline, nor wait for
	// those of publishing.
	ungated := protobuf(config)
	ungated.QPS, ungated.RateLimiter = unlimitedQPS, nil
	ungated.Timeout = max(o.election.deadline/2, time.Second)
	if c.ungated, err = kubernetes.NewForConfig(ungated); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return c, nil
}

// limitRequests sets one limit for all clients that are made from the configuration. With
// a limit in the configuration, each client would have its own.
func limitRequests(config *rest.Config, o *options) {
	config.QPS, config.Burst = o.qps, o.burst
	if o.qps > 0 {
		config.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(o.qps, o.burst)
	}
}

// hostOf returns the host of the API server's URL, or an empty text if it is invalid;
// the clients then report the error.
func hostOf(config *rest.Config) string {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return ""
	}
	return base.Hostname()
}

// connectTimeout is the timeout for opening the connection for writes.
const connectTimeout = time.Second

// connect opens the connection for writes before the first ones, which come all at
// once: without a connection to share, each would open its own, and two TLS handshakes
// take longer than a write. It ignores errors, which the first write will report.
func (c *clients) connect(ctx context.Context) {
	_ = c.writeCore.Discovery().RESTClient().Get().AbsPath("/version").Timeout(connectTimeout).Do(ctx).Error()
}

// clientsets returns the typed clients of one connection.
func clientsets(config *rest.Config) (kubernetes.Interface, versioned.Interface, error) {
	connection, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, nil, fmt.Errorf("making a client: %w", err)
	}
	core, err := kubernetes.NewForConfigAndClient(protobuf(config), connection)
	if err != nil {
		return nil, nil, fmt.Errorf("making a client: %w", err)
	}
	workloads, err := newWorkloadClientset(config, connection)
	if err != nil {
		return nil, nil, fmt.Errorf("making a client: %w", err)
	}
	return core, workloads, nil
}

// workloadClientset is the generated clientset, but decodes ExternalWorkloads with
// package codec: with 2,000 Services of 5 workloads each, a start reads 10,000.
type workloadClientset struct {
	versioned.Interface
	typed workloadv1beta1.WorkloadV1beta1Interface
}

// WorkloadV1beta1 implements versioned.Interface.
func (c *workloadClientset) WorkloadV1beta1() workloadv1beta1.WorkloadV1beta1Interface {
	return c.typed
}

func newWorkloadClientset(config *rest.Config, connection *http.Client) (versioned.Interface, error) {
	generated, err := versioned.NewForConfigAndClient(config, connection)
	if err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	version := schema.GroupVersion(v1beta1.GroupVersion)
	config.GroupVersion, config.APIPath = &version, "/apis"
	config.NegotiatedSerializer = codec.New(rest.CodecFactoryForGeneratedClient(scheme.Scheme, scheme.Codecs).WithoutConversion())
	client, err := rest.RESTClientForConfigAndClient(config, connection)
	if err != nil {
		return nil, err
	}
	return &workloadClientset{Interface: generated, typed: workloadv1beta1.New(client)}, nil
}

// protobuf makes clients of core types use protobuf, which costs least.
func protobuf(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.ContentType = runtime.ContentTypeProtobuf
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return config
}

func userAgent() string {
	v, c := buildVersion()
	return fmt.Sprintf("%s/%s (%s)", defaultName, v, c)
}
