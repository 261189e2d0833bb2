package loopback

import (
	"net"
	"testing"
)

func TestOwnAddressCanBeUsed(t *testing.T) {
	address := Own()
	if !address.IsLoopback() || address != Own() {
		t.Fatalf("%s is no loopback address, or the next call returns another", address)
	}
	listener, err := net.Listen("tcp", AnyPort())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	connection, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
}
