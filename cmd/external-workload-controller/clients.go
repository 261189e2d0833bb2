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

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/codec"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/scheme"
	workloadv1beta1 "github.com/external-workload/controller/pkg/generated/clientset/versioned/typed/workload/v1beta1"
	"github.com/external-workload/controller/pkg/interruption"
	"github.com/external-workload/controller/pkg/leadership"
)

// podNamespaceFile tells a Pod its namespace.
const podNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// clients reach the API server.
type clients struct {
	// core and workloads read. What they would write is refused.
	core      kubernetes.Interface
	workloads versioned.Interface
	// watchedCore and watchedWorkloads are for informers: their requests go on
	// while the API server is away, and interruption is notified of that.
	watchedCore      kubernetes.Interface
	watchedWorkloads versioned.Interface
	interruption     *interruption.Monitor
	// writeCore and writeWorkloads write while the Lease is held, over a
	// connection of their own.
	writeCore      kubernetes.Interface
	writeWorkloads versioned.Interface
	// ungated serves the Lease itself and reviews of those who scrape metrics.
	ungated kubernetes.Interface
	// namespace is the one that the configuration names.
	namespace string
	// hosts are those under which the API server is reached.
	hosts []string
}

// loadConfig reads how to reach the API server.
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

// newClients makes clients whose writes need the gate to be open.
func newClients(o *options, gate *leadership.WriteGate) (*clients, error) {
	config, namespace, err := loadConfig(o)
	if err != nil {
		return nil, err
	}
	config.UserAgent = userAgent()
	config.QPS, config.Burst = o.qps, o.burst
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
	// A request for the Lease that hangs must not outlive the renew deadline.
	ungated := protobuf(config)
	ungated.Timeout = max(o.election.deadline/2, time.Second)
	if c.ungated, err = kubernetes.NewForConfig(ungated); err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return c, nil
}

// hostOf returns the host of the API server's URL, or empty where that is none; the
// clients say then what is wrong with it.
func hostOf(config *rest.Config) string {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return ""
	}
	return base.Hostname()
}

// connectTimeout bounds the wait for the connection of writes.
const connectTimeout = time.Second

// connect opens the connection for writes, for those that come all at once:
// as long as there is none that can be shared, each would open one of its own,
// and two TLS handshakes take longer than a write. What is wrong with it is for
// the first write to tell.
func (c *clients) connect(ctx context.Context) {
	_ = c.writeCore.Discovery().RESTClient().Get().AbsPath("/version").Timeout(connectTimeout).Do(ctx).Error()
}

// clientsets make the typed clients of one connection.
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

// workloadClientset is the generated clientset, but reads ExternalWorkloads with
// package codec: of 2,000 Services with 5 workloads each, a start reads 10,000.
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

// protobuf makes clients of core types use the form that costs least.
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
