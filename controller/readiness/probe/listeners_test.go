package probe

import (
	"io"
	"net"
	"testing"
	"time"
)

// listen opens a listener on a loopback address. It is closed at the end of the test.
func listen(t testing.TB) net.Listener {
	t.Helper()
	return listenAt(t, "127.0.0.1")
}

// listenAt opens a listener at any port of an address.
func listenAt(t testing.TB, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// serve calls handle for each connection, and closes it afterwards. The
// connections are also closed when the test ends.
func serve(t testing.TB, handle func(net.Conn)) net.Addr {
	t.Helper()
	return serveOn(t, listen(t), handle)
}

// serveOn is serve with a listener.
func serveOn(t testing.TB, listener net.Listener, handle func(net.Conn)) net.Addr {
	t.Helper()
	done := t.Context().Done()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				finished := make(chan struct{})
				go func() {
					select {
					case <-done:
					case <-finished:
					}
					_ = connection.Close()
				}()
				handle(connection)
				close(finished)
			}()
		}
	}()
	return listener.Addr()
}

// hang reads and never answers.
func hang(connection net.Conn) { _, _ = io.Copy(io.Discard, connection) }

// garbage answers with data of no protocol.
func garbage(connection net.Conn) {
	_, _ = connection.Write([]byte("\x16\x03\x01\xff\xffgarbage\x00\r\n\r\n"))
	hang(connection)
}

// drip sends one byte of an answer after the other, for ever.
func drip(start, rest string) func(net.Conn) {
	return func(connection net.Conn) {
		if _, err := io.WriteString(connection, start); err != nil {
			return
		}
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			<-ticker.C
			if _, err := connection.Write([]byte{rest[i%len(rest)]}); err != nil {
				return
			}
		}
	}
}

// flood sends the same data for ever, as fast as it can.
func flood(start, rest string) func(net.Conn) {
	return func(connection net.Conn) {
		_, err := io.WriteString(connection, start)
		for err == nil {
			_, err = io.WriteString(connection, rest)
		}
	}
}

// reset resets the connection after it has received data.
func reset(connection net.Conn) {
	_, _ = connection.Read(make([]byte, 1))
	_ = connection.(*net.TCPConn).SetLinger(0)
}
