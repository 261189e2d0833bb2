package netns

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// ErrSameNamespace means that the process has not entered its own namespace yet.
var ErrSameNamespace = errors.New("the process is in the same network namespace")

// Connect connects this namespace with the one of a process by a pair of network devices. name
// is this side's device, here and there are the addresses of the sides, such as 10.78.1.1/24.
// The devices end with the other namespace.
func Connect(name, here string, pid int, there string) error {
	file, err := openNamespace(pid)
	if err != nil {
		return err
	}
	defer file.Close()
	other := netns.NsHandle(file.Fd())
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	pair := &netlink.Veth{LinkAttrs: attributes, PeerName: name, PeerNamespace: netlink.NsFd(other)}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("adding the network devices %s: %w", name, err)
	}
	peer, err := netlink.NewHandleAt(other)
	if err != nil {
		return fmt.Errorf("entering the network namespace of process %d: %w", pid, err)
	}
	defer peer.Close()
	return errors.Join(setUp(peer, name, there), setUp(&netlink.Handle{}, name, here))
}

// openNamespace opens the network namespace of a process, which must not be this one.
func openNamespace(pid int) (*os.File, error) {
	own, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	file, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	other, err := file.Stat()
	if err == nil && os.SameFile(own, other) {
		err = ErrSameNamespace
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func setUp(side *netlink.Handle, name, network string) error {
	link, err := side.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding the network device %s: %w", name, err)
	}
	address, err := netlink.ParseAddr(network)
	if err != nil {
		return fmt.Errorf("parsing address %s: %w", network, err)
	}
	if err := side.AddrAdd(link, address); err != nil {
		return fmt.Errorf("adding address %s to the network device %s: %w", network, name, err)
	}
	if err := side.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting the network device %s up: %w", name, err)
	}
	return nil
}
