package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/external-workload/controller/pkg/generated/clientset/versioned"
)

// defaultTimeout is the timeout of each request, so that the program does not hang
// without an answer.
const defaultTimeout = "30s"

// connection has kubectl's flags and files for the API server.
type connection struct {
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
}

// addConnectionFlags adds kubectl's flags for the connection.
func (c *connection) addConnectionFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "path of the kubeconfig file to use")
	names := clientcmd.RecommendedConfigOverrideFlags("")
	names.ContextOverrideFlags.Namespace.ShortName = "n"
	names.ClusterOverrideFlags.APIServer.ShortName = "s"
	names.Timeout.Default = defaultTimeout
	// Passwords should not be on a command line.
	names.AuthOverrideFlags.Username.LongName, names.AuthOverrideFlags.Password.LongName = "", ""
	clientcmd.BindOverrideFlags(&c.overrides, flags, names)
}

func (c *connection) loader() clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &c.overrides)
}

// namespace returns the selected namespace.
func (c *connection) namespace() (string, error) {
	if given := c.overrides.Context.Namespace; given != "" {
		return given, nil
	}
	namespace, _, err := c.loader().Namespace()
	if err != nil {
		return "", configFailed(err)
	}
	return namespace, nil
}

// manifestNamespace returns the namespace of manifests without one, without a cluster.
func (c *connection) manifestNamespace() string {
	if namespace, err := c.namespace(); err == nil {
		return namespace
	}
	return metav1.NamespaceDefault
}

// configFailed returns a one-line error about the configuration.
func configFailed(err error) error {
	if clientcmd.IsEmptyConfig(err) {
		return errors.New("no cluster is configured: give --kubeconfig, or set KUBECONFIG")
	}
	return fmt.Errorf("read the kubeconfig: %w", err)
}

// clients are the clients of the API server.
type clients struct {
	core      kubernetes.Interface
	workloads versioned.Interface
	// watchCore and watchWorkloads have no timeout.
	watchCore      kubernetes.Interface
	watchWorkloads versioned.Interface
	config         *rest.Config
	clock          *serverClock
}

// connect creates the clients. It sends nothing.
func (c *connection) connect() (*clients, error) {
	config, err := c.loader().ClientConfig()
	if err != nil {
		return nil, configFailed(err)
	}
	config.UserAgent = version()
	config.QPS = -1
	made := &clients{config: config, clock: &serverClock{}}
	config.Wrap(made.clock.wrap)
	protobuf := rest.CopyConfig(config)
	protobuf.ContentType = runtime.ContentTypeProtobuf
	protobuf.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if made.core, err = kubernetes.NewForConfig(protobuf); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	if made.workloads, err = versioned.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	// A watch lasts longer than any other request may.
	watching := rest.CopyConfig(config)
	watching.Timeout = 0
	if made.watchCore, err = kubernetes.NewForConfig(watching); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	if made.watchWorkloads, err = versioned.NewForConfig(watching); err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return made, nil
}
