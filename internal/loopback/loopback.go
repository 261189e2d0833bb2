// Package loopback gives each test process a loopback address of its own, for tests that
// count the sockets of a port, or close a port and expect it to stay closed or free: on
// 127.0.0.1 another test may have had the port, or may take it.
//
// The package is test support: shipped code must not import it.
package loopback

import (
	"encoding/binary"
	"net/netip"
	"os"
	"runtime"
)

// AnyPort returns the own address with any free port, as net.Listen takes it.
func AnyPort() string { return netip.AddrPortFrom(Own(), 0).String() }

// Own returns a loopback address that no other running process gets from it. Only Linux
// has more than one, so that elsewhere it is 127.0.0.1.
func Own() netip.Addr {
	if runtime.GOOS != "linux" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	var octets [4]byte
	// Process ids have at most 22 bits.
	binary.BigEndian.PutUint32(octets[:], uint32(os.Getpid()))
	octets[0], octets[1] = 127, octets[1]|0x80
	return netip.AddrFrom4(octets)
}
