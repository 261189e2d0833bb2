package server

import (
	"net"
	"sync"
)

const (
	// maxConnections is the maximum number of connections of one listener: about 30 KiB
	// each with TLS, before any request.
	maxConnections = 64
	// maxConnectionsPerClient prevents one client address from using all of them. It is
	// enough for several scrapers behind one address.
	maxConnectionsPerClient = 16
)

// boundedListener closes connections beyond its limits as soon as they are accepted. It
// does not queue them: clients that keep connections open would then block all others.
type boundedListener struct {
	net.Listener
	max, maxPerClient int
	// refused is called for each connection that is closed because of a limit.
	refused func(client net.Addr)

	mu     sync.Mutex
	total  int
	client map[string]int
}

func boundConnections(listener net.Listener, refused func(client net.Addr)) *boundedListener {
	return &boundedListener{
		Listener: listener, max: maxConnections, maxPerClient: maxConnectionsPerClient,
		refused: refused, client: map[string]int{},
	}
}

// Accept returns the next connection within the limits.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		connection, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := hostOf(connection.RemoteAddr().String())
		if l.enter(client) {
			return &boundedConnection{Conn: connection, leave: func() { l.leave(client) }}, nil
		}
		_ = connection.Close() // nothing was sent or received
		l.refused(connection.RemoteAddr())
	}
}

func (l *boundedListener) enter(client string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.max || l.client[client] >= l.maxPerClient {
		return false
	}
	l.total++
	l.client[client]++
	return true
}

func (l *boundedListener) leave(client string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.client[client]--; l.client[client] == 0 {
		delete(l.client, client)
	}
}

// boundedConnection frees its place once, however often it is closed.
type boundedConnection struct {
	net.Conn
	once  sync.Once
	leave func()
}

func (c *boundedConnection) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}

// hostOf returns the host of an address, or the address if it has no port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
