package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/external-workload/controller/test/internal/process"
)

const (
	serviceRanges  = "10.96.0.0/12,fd00:10:96::/108"
	serviceAccount = "https://kubernetes.default.svc"
	probeTimeout   = 5 * time.Second
)

// spec says how to run a component.
func (c *ControlPlane) spec(component Component) process.Spec {
	var flags []string
	var ready func(context.Context) error
	switch component {
	case Etcd:
		flags = c.etcdFlags()
		ready = c.probe("http", c.ports.etcd, "/readyz")
	case APIServer:
		flags = c.apiServerFlags()
		ready = c.probe("https", c.ports.apiServer, "/readyz")
	case ControllerManager:
		flags = c.controllerManagerFlags()
		ready = c.probe("https", c.ports.controllerManager, "/healthz")
	}
	command := slices.Concat(c.options.Prefix,
		[]string{filepath.Join(c.options.Binaries, string(component))}, flags, c.options.Flags[component])
	return process.Spec{Name: string(component), Command: command, Log: c.Log(component), Ready: ready}
}

func (c *ControlPlane) etcdFlags() []string {
	clients := "http://" + c.at(c.ports.etcd)
	peers := "http://" + c.at(c.ports.etcdPeer)
	return []string{
		"--name=etcd",
		"--data-dir=" + c.Data(),
		"--unsafe-no-fsync", // data still survives SIGKILL: the kernel has the writes
		"--listen-client-urls=" + clients,
		"--advertise-client-urls=" + clients,
		"--listen-peer-urls=" + peers,
		"--initial-advertise-peer-urls=" + peers,
		"--initial-cluster=etcd=" + peers,
		"--log-level=warn",
	}
}

func (c *ControlPlane) apiServerFlags() []string {
	return []string{
		"--etcd-servers=http://" + c.at(c.ports.etcd),
		"--bind-address=" + c.options.Address,
		"--advertise-address=" + c.options.Address,
		"--secure-port=" + strconv.Itoa(c.ports.apiServer),
		// The Service kubernetes must not have a loopback address as its endpoint.
		"--endpoint-reconciler-type=none",
		"--tls-cert-file=" + c.files.certificate,
		"--tls-private-key-file=" + c.files.key,
		"--client-ca-file=" + c.files.authority,
		"--authorization-mode=RBAC",
		"--service-account-issuer=" + serviceAccount,
		"--service-account-key-file=" + c.files.serviceAccountKey,
		"--service-account-signing-key-file=" + c.files.serviceAccountKey,
		"--service-cluster-ip-range=" + serviceRanges,
	}
}

func (c *ControlPlane) controllerManagerFlags() []string {
	return []string{
		"--kubeconfig=" + c.Kubeconfig(),
		"--authentication-kubeconfig=" + c.Kubeconfig(),
		"--authorization-kubeconfig=" + c.Kubeconfig(),
		"--bind-address=" + c.options.Address,
		"--secure-port=" + strconv.Itoa(c.ports.controllerManager),
		"--tls-cert-file=" + c.files.certificate,
		"--tls-private-key-file=" + c.files.key,
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + c.files.serviceAccountKey,
		"--root-ca-file=" + c.files.authority,
	}
}

// at returns the address of a port, as host:port.
func (c *ControlPlane) at(port int) string {
	return net.JoinHostPort(c.options.Address, strconv.Itoa(port))
}

// probe requests a component's health endpoint, which answers anonymous requests. TLS proves
// that the answer comes from this control plane and not from another process that took the
// port.
func (c *ControlPlane) probe(scheme string, port int, path string) func(context.Context) error {
	authorities := x509.NewCertPool()
	authorities.AddCert(c.authority.certificate)
	client := &http.Client{
		Timeout:   probeTimeout,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities}, DisableKeepAlives: true},
	}
	url := scheme + "://" + c.at(port) + path
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answered %s: %s", url, response.Status, body)
		}
		return nil
	}
}
