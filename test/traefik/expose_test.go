package traefik

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// servicePort is the port of every Service.
const servicePort = 80

// api is an API that makes Traefik send requests to Services.
type api struct {
	name string
	// route sends requests for the host of the Service's name to the Service.
	route func(c *cluster, service string)
}

var (
	ingress    = api{"ingress", (*cluster).createIngress}
	gatewayAPI = api{"gateway", (*cluster).createHTTPRoute}
	apis       = []api{ingress, gatewayAPI}
)

// expose creates a Service and lets Traefik send requests to it. The Service selects the label
// app, unless the test writes its slices.
func (c *cluster) expose(by api, name string, selects bool, annotations map[string]string) {
	c.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations},
		Spec: corev1.ServiceSpec{
			Ports: []corev1.ServicePort{{Name: portName, Port: servicePort, TargetPort: intstr.FromString(portName)}},
		},
	}
	if selects {
		service.Spec.Selector = map[string]string{"app": name}
	}
	_, err := c.kube.CoreV1().Services(namespace).Create(c.Context(), service, metav1.CreateOptions{})
	c.must(err)
	by.route(c, name)
}

func (c *cluster) createIngress(service string) {
	c.Helper()
	prefix := networkingv1.PathTypePrefix
	_, err := c.kube.NetworkingV1().Ingresses(namespace).Create(c.Context(), &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{
			Host: service,
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
				Paths: []networkingv1.HTTPIngressPath{{
					Path: "/", PathType: &prefix,
					Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
						Name: service, Port: networkingv1.ServiceBackendPort{Name: portName},
					}},
				}},
			}},
		}}},
	}, metav1.CreateOptions{})
	c.must(err)
}
