package leadership

import (
	"context"
	"errors"
	"net"
	"time"
)

// dialer is client-go's default.
var dialer = net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}

// Dial opens a connection that sends data only while the Lease is certainly held. It
// fits rest.Config.Dial, for clients that write.
//
// Guard alone checks a request only before it is queued for its connection. A process
// that is frozen while requests are queued would send them when it continues, before
// any of its timers fires. The connection therefore checks every piece of data just
// before it passes it to the kernel, and breaks if it is too late. Data that the kernel
// could not send by then, because the network is cut, is dropped with the connection.
func (f *WriteGate) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return nil, errors.Join(err, connection.Close())
		}
	}
	return &gatedConnection{Conn: connection, gate: f}, nil
}

// gatedConnection is a connection that breaks when the Lease expires.
type gatedConnection struct {
	net.Conn
	gate *WriteGate
}

// Write implements net.Conn.
func (c *gatedConnection) Write(content []byte) (int, error) {
	if until, limited := c.gate.deadline(); limited && !time.Now().Before(until) {
		return 0, errors.Join(ErrWriteGateClosed, c.Close())
	}
	return c.Conn.Write(content)
}
