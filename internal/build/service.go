package build

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ServiceOption changes a Service.
type ServiceOption interface{ applyToService(*corev1.Service) }

type serviceOption func(*corev1.Service)

func (o serviceOption) applyToService(s *corev1.Service) { o(s) }

// Service makes a Service with a key like "namespace/name": of type ClusterIP,
// IPv4 only, selecting app=web, with the port http, 80 to the target port 8080.
func Service(key string, options ...ServiceOption) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metadata(key),
		Spec: corev1.ServiceSpec{
			Type:       corev1.ServiceTypeClusterIP,
			ClusterIP:  "10.96.0.10",
			Selector:   map[string]string{"app": "web"},
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports:      []corev1.ServicePort{Port("http", 80, ToNumber(8080))},
		},
	}
	for _, option := range options {
		option.applyToService(s)
	}
	return s
}

// Type sets the Service's type.
func Type(t corev1.ServiceType) ServiceOption {
	return serviceOption(func(s *corev1.Service) { s.Spec.Type = t })
}

// Headless makes the Service headless.
func Headless() ServiceOption {
	return serviceOption(func(s *corev1.Service) { s.Spec.ClusterIP = corev1.ClusterIPNone })
}

// Selector replaces the selector with the given keys and values. Without arguments it is
// empty but not nil.
func Selector(keysAndValues ...string) ServiceOption {
	return serviceOption(func(s *corev1.Service) { s.Spec.Selector = pairs(keysAndValues) })
}

// NoSelector removes the selector.
func NoSelector() ServiceOption {
	return serviceOption(func(s *corev1.Service) { s.Spec.Selector = nil })
}

// Families replaces the address families.
func Families(families ...corev1.IPFamily) ServiceOption {
	return serviceOption(func(s *corev1.Service) { s.Spec.IPFamilies = families })
}

// PublishNotReady lets the Service publish addresses that are not ready.
func PublishNotReady() ServiceOption {
	return serviceOption(func(s *corev1.Service) { s.Spec.PublishNotReadyAddresses = true })
}

// Traffic sets the Service's trafficDistribution.
func Traffic(distribution string) ServiceOption {
	return serviceOption(func(s *corev1.Service) { s.Spec.TrafficDistribution = &distribution })
}

// Ports replaces the Service's ports.
func Ports(ports ...corev1.ServicePort) ServiceOption {
	return serviceOption(func(s *corev1.Service) { s.Spec.Ports = ports })
}

// PortOption changes a port of a Service.
type PortOption func(*corev1.ServicePort)

// Port makes a Service's TCP port, whose target port has the same number.
func Port(name string, number int32, options ...PortOption) corev1.ServicePort {
	p := corev1.ServicePort{Name: name, Port: number, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(number)}
	for _, option := range options {
		option(&p)
	}
	return p
}

// ToNumber sets the target port's number.
func ToNumber(number int32) PortOption {
	return func(p *corev1.ServicePort) { p.TargetPort = intstr.FromInt32(number) }
}

// ToName sets the target port's name.
func ToName(name string) PortOption {
	return func(p *corev1.ServicePort) { p.TargetPort = intstr.FromString(name) }
}

// Over sets the port's protocol, such as UDP.
func Over(protocol corev1.Protocol) PortOption {
	return func(p *corev1.ServicePort) { p.Protocol = protocol }
}

// AppProtocol sets the port's appProtocol.
func AppProtocol(protocol string) PortOption {
	return func(p *corev1.ServicePort) { p.AppProtocol = &protocol }
}
