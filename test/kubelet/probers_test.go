package kubelet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	kubeletprobe "k8s.io/kubernetes/pkg/probe"
	kubeletgrpc "k8s.io/kubernetes/pkg/probe/grpc"
	kubelethttp "k8s.io/kubernetes/pkg/probe/http"
	kubelettcp "k8s.io/kubernetes/pkg/probe/tcp"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// ip is the address of all machines and Pods here.
const ip = "127.0.0.1"

// The results of a probe that both probers have.
const (
	success = "success"
	warning = "success with a warning"
	failure = "failure"
	refused = "refused as invalid"
)

// readinessProbe returns the annotation of a probe of a port.
func readinessProbe(handler corev1.ProbeHandler, port int) (corev1.Probe, string, error) {
	decoded := corev1.Probe{ProbeHandler: *handler.DeepCopy(), TimeoutSeconds: 1}
	switch {
	case decoded.HTTPGet != nil:
		decoded.HTTPGet.Port.IntVal = int32(port)
	case decoded.TCPSocket != nil:
		decoded.TCPSocket.Port.IntVal = int32(port)
	default:
		decoded.GRPC.Port = int32(port)
	}
	text, err := json.Marshal(decoded)
	return decoded, string(text), err
}

// askKubelet probes like kubelet with the feature gates H2CContainerProbe and
// GRPCContainerProbeTLS.
func askKubelet(t *testing.T, decoded corev1.Probe) string {
	t.Helper()
	timeout := time.Duration(decoded.TimeoutSeconds) * time.Second
	var (
		result kubeletprobe.Result
		err    error
	)
	switch {
	case decoded.HTTPGet != nil:
		request, requestErr := kubelethttp.NewRequestForHTTPGetAction(decoded.HTTPGet, &corev1.Container{}, ip, "probe")
		if requestErr != nil {
			return failure
		}
		ask := kubelethttp.New(false).Probe
		if p := decoded.HTTPGet.Protocol; p != nil && *p == corev1.HTTPProtocolHTTP2 {
			ask = kubelethttp.New(false).ProbeH2C
		}
		result, _, err = ask(request, timeout)
	case decoded.TCPSocket != nil:
		host := decoded.TCPSocket.Host
		if host == "" {
			host = ip
		}
		result, _, err = kubelettcp.New().Probe(host, decoded.TCPSocket.Port.IntValue(), timeout)
	default:
		service := ""
		if decoded.GRPC.Service != nil {
			service = *decoded.GRPC.Service
		}
		result, _, err = kubeletgrpc.New().Probe(ip, service, int(decoded.GRPC.Port), timeout, kubeletgrpc.ProbeOptions{
			UseTLS: decoded.GRPC.Mode != nil && *decoded.GRPC.Mode == corev1.GRPCProbeModeTLS,
		})
	}
	switch {
	case err != nil:
		return failure
	case result == kubeletprobe.Success:
		return success
	case result == kubeletprobe.Warning:
		return warning
	default:
		return failure
	}
}

// askOurs probes like the readiness controller.
func askOurs(t *testing.T, annotation string) (result, message string) {
	t.Helper()
	workload := &v1beta1.ExternalWorkload{Spec: v1beta1.ExternalWorkloadSpec{
		MeshTLS:     v1beta1.MeshTLS{Identity: "spiffe://example.org/vm", ServerName: "vm.example.org"},
		WorkloadIPs: []v1beta1.WorkloadIP{{IP: ip}},
	}}
	spec, err := probe.Decode(annotation, workload, options)
	if err != nil {
		return refused, err.Error()
	}
	got := newProber().Probe(t.Context(), spec, spec.Targets[0])
	switch {
	case got.Outcome == probe.Success && got.Warning:
		return warning, got.Message
	case got.Outcome == probe.Success:
		return success, got.Message
	case got.Outcome == probe.Failure, got.Outcome == probe.Timeout:
		return failure, got.Message
	default:
		return string(got.Outcome), got.Message
	}
}

func portOf(address net.Addr) int {
	_, text, err := net.SplitHostPort(address.String())
	if err != nil {
		panic(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		panic(errors.Join(err, fmt.Errorf("the address %s has no port", address)))
	}
	return port
}
