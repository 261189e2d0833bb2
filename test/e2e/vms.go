package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/test/internal/process"
)

// A vm is a server in the VMs' network.
type vm struct {
	name, address string
	port          int
}

// vms are the VMs of all stages. The first is the machine of the documented example and
// serves on the example's port.
var vms = []vm{
	{name: "example", address: "193.1.4.11", port: 80},
	{name: "vm-a", address: "192.168.77.11", port: serverPort},
	{name: "vm-b", address: "192.168.77.12", port: serverPort},
}

// startVMs starts the servers and checks that each answers directly.
func startVMs(ctx context.Context, c *cluster) error {
	for _, v := range vms {
		if _, err := c.startVM(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// startVM starts a server and waits until it answers.
func (c *cluster) startVM(ctx context.Context, v vm) (*process.Process, error) {
	return c.start(ctx, v.name, v.answers, c.inVM(c.bin("peer"), "serve", v.name, v.at()))
}

// startWorkload starts the server of a VM and creates its workload, which is ready.
//
// A stage that sends many requests has a port of its own, which no other ClusterIP
// reaches. A server remembers a closed connection for a minute, and takes a new one from
// the same client port only if its timestamps go on. Linux chooses where these begin by
// the address that the client asks for: by two ClusterIPs, they do not go on, and the
// new connection waits for seconds.
func (c *cluster) startWorkload(ctx context.Context, v vm, labels map[string]string) (*process.Process, error) {
	server, err := c.startVM(ctx, v)
	if err != nil {
		return nil, err
	}
	w := workload(v.name, v.address, labels)
	w.Spec.Ports = []v1beta1.PortSpec{{Name: "http", Port: int32(v.port)}}
	return server, c.createWorkload(ctx, w)
}

// at is where the server listens.
func (v vm) at() string { return net.JoinHostPort(v.address, strconv.Itoa(v.port)) }

// answers returns nil if the server answers.
func (v vm) answers(ctx context.Context) error {
	_, err := ask(ctx, "http://"+v.at())
	return err
}

// documentedExample applies the documented example unchanged.
func documentedExample(ctx context.Context, c *cluster) error {
	if _, err := c.kubectl(ctx, "create", "namespace", "mixed-env"); err != nil {
		return err
	}
	manifest := filepath.Join(c.repository, "docs", "examples", "documented.yaml")
	if err := until(ctx, func(ctx context.Context) error {
		_, err := c.kubectl(ctx, "apply", "--filename="+manifest)
		return err
	}); err != nil {
		return err
	}
	address, err := c.kubectl(ctx, "get", "service", "external-workload", "--namespace=mixed-env", "--output=jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	return waitAnswer(ctx, "http://"+address, "example")
}

// exampleByName resolves the documented example with CoreDNS and sends a request to it.
func exampleByName(ctx context.Context, c *cluster) error {
	addresses, err := resolver().LookupHost(ctx, fullName("external-workload.mixed-env"))
	if err != nil {
		return err
	}
	if len(addresses) != 1 {
		return fmt.Errorf("the name has the addresses %v, want one", addresses)
	}
	return waitAnswer(ctx, "http://"+addresses[0], "example")
}

func (c *cluster) kubectl(ctx context.Context, arguments ...string) (string, error) {
	return c.command(ctx, c.bin("kubectl"), arguments...)
}
