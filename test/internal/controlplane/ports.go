package controlplane

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range from which Linux gives ports to outgoing
// connections and to listeners on port 0 (32768 and up), and below that of
// NodePorts (30000 and up). So hardly anybody takes a port between the end of a
// process and its next start.
const (
	lowestPort  = 20_000
	highestPort = 29_999
	portTries   = 200
)

// ports are those of one control plane; they stay when a process starts again.
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

// FreePort returns a port of the address on which nobody listens now, and which
// hardly anybody takes by chance, for a program that needs its port as an argument.
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
