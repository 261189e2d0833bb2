package traefik

import (
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayclient "sigs.k8s.io/gateway-api/pkg/client/clientset/versioned"

	"github.com/external-workload/controller/test/internal/controlplane"
)

const (
	gatewayName       = "web"
	gatewayController = "traefik.io/gateway-controller"
)

// gatewayResources are the resources of the Gateway API that Traefik watches. It does not start
// without their CRDs.
var gatewayResources = []string{
	"gatewayclasses", "gateways", "httproutes", "grpcroutes", "tlsroutes", "referencegrants", "backendtlspolicies",
}

// installGatewayAPI installs the CRDs of the Gateway API, and creates a class and a Gateway.
func (c *cluster) installGatewayAPI() {
	c.Helper()
	var installing errgroup.Group
	for _, resource := range gatewayResources {
		installing.Go(func() error { return c.installGatewayCRD(resource) })
	}
	c.must(installing.Wait())
	var err error
	c.gateways, err = gatewayclient.NewForConfig(c.plane.AdminConfig())
	c.must(err)
	_, err = c.gateways.GatewayV1().GatewayClasses().Create(c.Context(), &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: traefikName},
		Spec:       gatewayv1.GatewayClassSpec{ControllerName: gatewayController},
	}, metav1.CreateOptions{})
	c.must(err)
	_, err = c.gateways.GatewayV1().Gateways(namespace).Create(c.Context(), &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Name: gatewayName},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: traefikName,
			Listeners:        []gatewayv1.Listener{{Name: "http", Port: webPort, Protocol: gatewayv1.HTTPProtocolType}},
		},
	}, metav1.CreateOptions{})
	c.must(err)
}

func (c *cluster) installGatewayCRD(resource string) error {
	manifest, err := os.ReadFile(filepath.Join(program(gatewayFolder), "config", "crd", "standard", gatewayv1.GroupName+"_"+resource+".yaml"))
	if err != nil {
		return err
	}
	crd, err := controlplane.ParseCRD(manifest)
	if err != nil {
		return err
	}
	return controlplane.InstallCRD(c.Context(), c.plane.AdminConfig(), crd)
}

func (c *cluster) createHTTPRoute(service string) {
	c.Helper()
	_, err := c.gateways.GatewayV1().HTTPRoutes(namespace).Create(c.Context(), &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: gatewayName}}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(service)},
			Rules: []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{
				BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
					Name: gatewayv1.ObjectName(service), Port: ptr.To[gatewayv1.PortNumber](servicePort),
				}},
			}}}},
		},
	}, metav1.CreateOptions{})
	c.must(err)
}
