package controlplane

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are below Linux' range of ephemeral ports (32768 and up) and that of NodePorts (30000
// and up). So it is unlikely that another process takes a port between the end of a process
// and its restart.
const (
	lowestPort  = 20_000
	highestPort = 29_999
	portTries   = 200
)

// ports are the ports of one control plane. They stay the same after a restart.
type ports struct {
	etcd, etcdPeer, apiServer, controllerManager int
}

func choosePorts(address string) (ports, error) {
	var chosen ports
	var held []net.Listener
	defer func() {
		for _, listener := range held {
			listener.Close()
		}
	}()
	for _, port := range []*int{&chosen.etcd, &chosen.etcdPeer, &chosen.apiServer, &chosen.controllerManager} {
		listener, number, err := listenSomewhere(address)
		if err != nil {
			return ports{}, err
		}
		held = append(held, listener)
		*port = number
	}
	return chosen, nil
}

// FreePort returns a free port of the address that other processes are unlikely to take, for
// a program that needs its port as an argument.
func FreePort(address string) (int, error) {
	listener, port, err := listenSomewhere(address)
	if err != nil {
		return 0, err
	}
	return port, listener.Close()
}

func listenSomewhere(address string) (net.Listener, int, error) {
	var lastError error
	for range portTries {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err == nil {
			return listener, port, nil
		}
		lastError = err
	}
	return nil, 0, fmt.Errorf("finding a free port on %s: %w", address, lastError)
}
