package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

const (
	// probedWorkloads is the number of workloads, half of them probed with TCP and half with
	// HTTP, every second.
	probedWorkloads = 100
	// closeTimeout is the time for which the kernel tracks a connection that was reset. It
	// tracks a normally closed connection for two minutes.
	closeTimeout = 10 * time.Second
)

// probesLeaveNoSockets probes one VM for many workloads, and counts the connections in the
// node's connection tracking and in the VM once as many expire as are made.
func probesLeaveNoSockets(ctx context.Context, c *cluster) error {
	const connectionTracking = "/proc/net/nf_conntrack"
	if _, err := os.Stat(connectionTracking); errors.Is(err, os.ErrNotExist) {
		c.note("left out: this kernel does not list the connections that it tracks")
		return nil
	}
	probed := vm{name: "vm-d", address: "192.168.77.14", port: serverPort}
	if _, err := c.startVM(ctx, probed); err != nil {
		return err
	}
	// Nothing is probed yet, so these are this program's own requests to the server. They
	// wait too, at the end that closes first: here or in the VM.
	before, _, err := c.remembered(ctx, connectionTracking, probed.address)
	if err != nil {
		return err
	}
	ownRequests := total(before)
	defer c.removeProbed(context.WithoutCancel(ctx))
	for i := range probedWorkloads {
		w := workload(fmt.Sprintf("sockets-%d", i), probed.address, nil)
		w.Annotations = map[string]string{v1beta1.ProbeAnnotation: []string{
			`{"tcpSocket": {"port": "http"}, "periodSeconds": 1}`,
			`{"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}`,
		}[i%2]}
		if err := c.create(ctx, w); err != nil {
			return err
		}
	}
	select {
	case <-time.After(2 * closeTimeout):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	states, waiting, err := c.remembered(ctx, connectionTracking, probed.address)
	if err != nil {
		return err
	}
	all := total(states)
	c.note("%d probes a second: connection tracking holds %d connections (%v), the VM %d in TIME_WAIT", probedWorkloads, all, states, waiting)
	if all == 0 {
		return errors.New("connection tracking holds no connection of a probe, so nothing was measured")
	}
	// The connections of one more period may be open or just closed.
	if most := probedWorkloads * (int(closeTimeout.Seconds()) + 2); all > most {
		return fmt.Errorf("connection tracking holds %d connections, want at most %d", all, most)
	}
	if states["TIME_WAIT"] > ownRequests || waiting > ownRequests {
		return fmt.Errorf("connections wait for two minutes: %d in connection tracking, %d in the VM, want the %d of this program",
			states["TIME_WAIT"], waiting, ownRequests)
	}
	return nil
}

// remembered counts the connections to an address: the tracked ones of the node, by state,
// and the waiting ones in the VM.
func (c *cluster) remembered(ctx context.Context, connectionTracking, address string) (states map[string]int, waiting int, err error) {
	if states, err = trackedStates(connectionTracking, address); err != nil {
		return nil, 0, err
	}
	sockets, err := c.command(ctx, "nsenter", "--net="+c.vmNamespace, "ss", "--tcp", "--numeric", "--no-header", "state", "time-wait", "src", address)
	return states, strings.Count(sockets, "\n"), err
}

func total(states map[string]int) int {
	all := 0
	for _, count := range states {
		all += count
	}
	return all
}

// removeProbed deletes the workloads, so that they do not affect later stages.
func (c *cluster) removeProbed(ctx context.Context) {
	for i := range probedWorkloads {
		if err := c.workloads.WorkloadV1beta1().ExternalWorkloads(namespace).Delete(ctx, fmt.Sprintf("sockets-%d", i), metav1.DeleteOptions{}); err != nil {
			c.note("a workload is left: %v", err)
		}
	}
}

// trackedStates counts the tracked TCP connections to an address by state.
func trackedStates(path, address string) (map[string]int, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	states := map[string]int{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// ipv4 2 tcp 6 9 CLOSE src=10.0.0.1 dst=192.0.2.1 sport=1 dport=2 ...
		fields := strings.Fields(lines.Text())
		if len(fields) > 7 && fields[2] == "tcp" && fields[7] == "dst="+address {
			states[fields[5]]++
		}
	}
	return states, lines.Err()
}
