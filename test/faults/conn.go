package faults

import (
	"net"
	"sync"
)

// gate freezes all connections of a proxy.
type gate struct {
	mu     sync.Mutex
	open   chan struct{} // closed while bytes may pass
	frozen bool
	conns  map[*conn]struct{}
	// accepted is the number of connections so far.
	accepted int
}

func newGate() *gate {
	g := &gate{open: make(chan struct{}), conns: map[*conn]struct{}{}}
	close(g.open)
	return g
}

func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.frozen {
		g.frozen, g.open = true, make(chan struct{})
	}
}

func (g *gate) thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen {
		g.frozen = false
		close(g.open)
	}
}

func (g *gate) opened() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// each calls do for every open connection.
func (g *gate) each(do func(*conn)) {
	g.mu.Lock()
	conns := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	for _, c := range conns {
		do(c)
	}
}

// listener hands out connections that obey the gate.
type listener struct {
	net.Listener
	gate *gate
}

func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: accepted, gate: l.gate, closed: make(chan struct{}), dead: make(chan struct{})}
	l.gate.mu.Lock()
	l.gate.conns[c] = struct{}{}
	l.gate.accepted++
	l.gate.mu.Unlock()
	return c, nil
}

// conn is a connection from the controller. On a frozen connection, bytes wait. A dead
// connection looks open, but nothing passes, as if a router had dropped it.
type conn struct {
	net.Conn
	gate      *gate
	closeOnce sync.Once
	closed    chan struct{}
	killOnce  sync.Once
	dead      chan struct{}
}

// pass waits until a byte may pass, and reports whether it may.
func (c *conn) pass() bool {
	select {
	case <-c.dead:
	case <-c.gate.opened():
	case <-c.closed:
	}
	select {
	case <-c.dead:
		<-c.closed
		return false
	case <-c.closed:
		return false
	default:
		return true
	}
}

func (c *conn) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	if !c.pass() {
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *conn) Write(from []byte) (int, error) {
	if !c.pass() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(from)
}

// Close ends the connection.
func (c *conn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.mu.Unlock()
	var err error
	c.closeOnce.Do(func() {
		close(c.closed)
		err = c.Conn.Close()
	})
	return err
}

func (c *conn) die() { c.killOnce.Do(func() { close(c.dead) }) }

// reset ends the connection with a TCP reset.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		// Without lingering, close sends a reset instead of an orderly end.
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
