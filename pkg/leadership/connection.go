package leadership

import (
	"context"
	"errors"
	"net"
	"time"
)

// dialer is that of client-go where none is given.
var dialer = net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}

// Dial opens a connection over which bytes leave only while the Lease is
// surely held. It fits rest.Config.Dial, for clients that write.
//
// Guard alone looks at a request before it is put into the queue of its
// connection. A process that is frozen while requests stand there would send
// them when it is thawed, before any timer of its own goes off. The connection
// looks at every piece just before the kernel gets it, and breaks with the
// first one that comes too late. What the kernel holds at that moment and could
// not send yet, because the network is cut, is dropped with the connection.
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

// gatedConnection is one that ends with the Lease.
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
