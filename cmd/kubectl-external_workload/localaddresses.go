package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"k8s.io/client-go/rest"
)

// findAddresses returns the addresses of this machine on the route to the API server,
// and those of all interfaces. It sends nothing, except for a DNS query if the API
// server has a name.
func findAddresses(ctx context.Context, host string) (route, interfaces []netip.Addr, err error) {
	address, _, err := rest.DefaultServerUrlFor(&rest.Config{Host: host, TLSClientConfig: rest.TLSClientConfig{CAData: []byte("any")}})
	if err != nil {
		return nil, nil, fmt.Errorf("read the address of the API server: %w", err)
	}
	port := address.Port()
	if port == "" {
		port = "443"
	}
	for _, network := range []string{"udp4", "udp6"} {
		if local, err := localAddress(ctx, network, net.JoinHostPort(address.Hostname(), port)); err == nil {
			route = append(route, local)
		}
	}
	interfaces, err = interfaceAddresses()
	return route, interfaces, err
}

// localAddress returns the address from which the kernel would send to a remote one.
// Connecting a UDP socket sends nothing.
func localAddress(ctx context.Context, network, remote string) (netip.Addr, error) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, network, remote)
	if err != nil {
		return netip.Addr{}, err
	}
	defer func() { _ = connection.Close() }() // nothing was sent
	local, is := connection.LocalAddr().(*net.UDPAddr)
	if !is {
		return netip.Addr{}, errors.New("the socket has no address")
	}
	return local.AddrPort().Addr(), nil
}

func interfaceAddresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addresses []netip.Addr
	for _, one := range all {
		if prefix, err := netip.ParsePrefix(one.String()); err == nil {
			addresses = append(addresses, prefix.Addr())
		}
	}
	return addresses, nil
}
