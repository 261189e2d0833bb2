package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/external-workload/controller/pkg/invitation"
)

// machineCluster is the API server as a machine reaches it.
type machineCluster struct{ *clientcmdapi.Cluster }

// clusterForMachine returns the API server in the administrator's configuration. A
// machine must send its token only to a server whose certificate it verifies.
func (p *program) clusterForMachine(config *rest.Config, server string) (machineCluster, error) {
	if server == "" {
		server = config.Host
	}
	address, err := url.Parse(server)
	if err != nil || address.Scheme != "https" || address.Host == "" {
		return machineCluster{}, fmt.Errorf("the machine needs an https URL of the API server, and %q is none; give --machine-server", server)
	}
	if config.Insecure {
		return machineCluster{}, errors.New("your kubeconfig does not verify the API server's certificate, so the machine could not do so either; give --certificate-authority")
	}
	if ip, err := netip.ParseAddr(address.Hostname()); err == nil && ip.IsLoopback() || address.Hostname() == "localhost" {
		fmt.Fprintf(p.err, "warning: another machine cannot reach the API server at %s; give --machine-server\n", server)
	}
	loaded := rest.CopyConfig(config)
	if err := rest.LoadTLSFiles(loaded); err != nil {
		return machineCluster{}, fmt.Errorf("read the certificate authority: %w", err)
	}
	return machineCluster{&clientcmdapi.Cluster{Server: server, CertificateAuthorityData: loaded.CAData, TLSServerName: loaded.ServerName}}, nil
}

// kubeconfig returns the machine's kubeconfig. The machine requests tokens with the
// given lifetime.
func (c machineCluster) kubeconfig(namespace, workload, token string, lifetime time.Duration) ([]byte, error) {
	const cluster = "cluster"
	account := invitation.Account(workload)
	config := clientcmdapi.NewConfig()
	config.Clusters[cluster] = c.Cluster
	config.AuthInfos[account] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[account] = &clientcmdapi.Context{
		Cluster: cluster, AuthInfo: account, Namespace: namespace,
		Extensions: map[string]runtime.Object{lifetimeExtension: newLifetimeExtension(lifetime)},
	}
	config.CurrentContext = account
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("write the kubeconfig: %w", err)
	}
	return data, nil
}
