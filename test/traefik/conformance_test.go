package traefik

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubernetesscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/config"
	gatewayhelpers "sigs.k8s.io/gateway-api/conformance/utils/kubernetes"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

const (
	hand       = "hand"
	controller = "controller"
	// managedBy is the label of the controller's slices.
	managedBy = "linkerd-external-workloads-controller"
)

// TestGatewayConformance runs the Gateway API's conformance case for hand-written slices. It
// sends requests to three Services: two have slices that the case writes with the addresses of
// Pods, and one has a selector. Here no kubelet runs, so the backends are echo servers that
// this test starts, and the machines of the selector.
func TestGatewayConformance(t *testing.T) {
	if notHere != "" {
		t.Skip("left out: " + notHere)
	}
	backends := []machine{startEcho(t, 1), startEcho(t, 2)}
	for _, test := range []struct {
		name      string
		manifests fs.FS
		// pods: the API server has the backends as Pods too, so that the case writes slices.
		pods bool
		// writers of the slices with endpoints, by Service.
		writers map[string]string
	}{
		{"slices of the case", conformance.Manifests, true, map[string]string{
			"manual-endpointslices": hand, "headless-manual-endpointslices": hand, "headless": controller,
		}},
		{"slices of the controller", selecting{conformance.Manifests}, false, map[string]string{
			"manual-endpointslices": controller, "headless-manual-endpointslices": controller, "headless": controller,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t)
			s := c.conformanceSuite(test.manifests)
			for _, backend := range backends {
				c.applyMachine(suite.InfrastructureNamespace, suite.InfraBackendServiceNameV1, echoPort, backend)
			}
			if test.pods {
				c.createPods(backends)
			}
			c.must(s.Run(t, []suite.ConformanceTest{tests.HTTPRouteServiceTypes}))
			if writers := c.writers(suite.InfrastructureNamespace, slices.Collect(maps.Keys(test.writers))); !maps.Equal(writers, test.writers) {
				t.Errorf("the endpoints were written by %v, want %v", writers, test.writers)
			}
		})
	}
}

// conformanceSuite returns a suite whose base manifests are applied. Its Setup would also wait
// until every Pod of them runs.
func (c *cluster) conformanceSuite(manifests fs.FS) *suite.ConformanceTestSuite {
	c.Helper()
	scheme := runtime.NewScheme()
	c.must(errors.Join(kubernetesscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme), gatewayv1.Install(scheme)))
	options := client.Options{Scheme: scheme}
	objects, err := client.New(c.plane.AdminConfig(), options)
	c.must(err)
	s, err := suite.NewConformanceTestSuite(suite.ConformanceOptions{
		Client: objects, ClientOptions: options, Clientset: c.kube, RestConfig: c.plane.AdminConfig(),
		ConfigurableOptions: suite.ConfigurableOptions{
			GatewayClassName:  traefikName,
			SupportedFeatures: []features.FeatureName{features.SupportGateway, features.SupportHTTPRoute},
			TimeoutConfig:     config.DefaultTimeoutConfig(),
		},
	})
	c.must(err)
	s.ControllerName = gatewayhelpers.GWCMustHaveAcceptedConditionTrue(c.T, s.Client, s.TimeoutConfig, s.GatewayClassName)
	s.Applier.GatewayClass, s.Applier.ControllerName = s.GatewayClassName, s.ControllerName
	s.Applier.ManifestFS = []fs.FS{manifests}
	s.Applier.MustApplyWithCleanup(c.T, s.Client, s.TimeoutConfig, s.BaseManifests, false)
	return s
}

// createPods creates the Pods whose addresses the case writes into its slices.
func (c *cluster) createPods(backends []machine) {
	c.Helper()
	core := c.kube.CoreV1()
	// The API server accepts no Pod without its ServiceAccount.
	_, err := core.ServiceAccounts(suite.InfrastructureNamespace).Create(c.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}, metav1.CreateOptions{})
	c.must(err)
	for _, backend := range backends {
		pod, err := core.Pods(suite.InfrastructureNamespace).Create(c.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name:   suite.InfraBackendServiceNameV1 + "-" + backend.name,
				Labels: map[string]string{"app": suite.InfraBackendServiceNameV1},
			},
			Spec: corev1.PodSpec{
				NodeName:   "none",
				Containers: []corev1.Container{{Name: echoName, Image: echoName}},
			},
		}, metav1.CreateOptions{})
		c.must(err)
		pod.Status.PodIP, pod.Status.PodIPs = backend.address, []corev1.PodIP{{IP: backend.address}}
		_, err = core.Pods(suite.InfrastructureNamespace).UpdateStatus(c.Context(), pod, metav1.UpdateOptions{})
		c.must(err)
	}
}

// writers returns who wrote the endpoints of each Service.
func (c *cluster) writers(namespace string, services []string) map[string]string {
	c.Helper()
	found := map[string]string{}
	for _, service := range services {
		list, err := c.kube.DiscoveryV1().EndpointSlices(namespace).List(c.Context(),
			metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
		c.must(err)
		var writers []string
		for _, slice := range list.Items {
			writer := hand
			if slice.Labels[discoveryv1.LabelManagedBy] == managedBy {
				writer = controller
			}
			if len(slice.Endpoints) > 0 {
				writers = append(writers, writer)
			}
		}
		found[service] = strings.Join(writers, " and ")
	}
	return found
}
