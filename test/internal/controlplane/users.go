package controlplane

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// adminGroup has all permissions, by a built-in binding of the API server.
const adminGroup = "system:masters"

// A User is a user of the API server.
type User struct {
	// Kubeconfig is the path of the user's kubeconfig.
	Kubeconfig string
	config     *rest.Config
}

// Config returns a new client configuration of the user, without client-side limits.
func (u *User) Config() *rest.Config { return rest.CopyConfig(u.config) }

// NewUser creates a user with a client certificate. It has the permissions of the bindings of
// its name and groups, and at first none. Its kubeconfig is in the control plane's folder; a
// second user of that name replaces it.
func (c *ControlPlane) NewUser(name string, groups ...string) (*User, error) {
	pair, err := c.authority.client(name, groups)
	if err != nil {
		return nil, err
	}
	config := &rest.Config{
		Host: "https://" + net.JoinHostPort(c.options.Address, strconv.Itoa(c.ports.apiServer)),
		QPS:  -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: c.authority.pem, CertData: pair.certificate, KeyData: pair.key,
		},
	}
	path := filepath.Join(c.directory, filepath.Base(name)+".kubeconfig")
	if err := clientcmd.WriteToFile(kubeconfig(name, config), path); err != nil {
		return nil, fmt.Errorf("writing the kubeconfig of %s: %w", name, err)
	}
	return &User{Kubeconfig: path, config: config}, nil
}

func kubeconfig(user string, config *rest.Config) clientcmdapi.Config {
	const cluster = "loopback"
	written := *clientcmdapi.NewConfig()
	written.Clusters[cluster] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	written.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
	written.Contexts[cluster] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: user}
	written.CurrentContext = cluster
	return written
}
