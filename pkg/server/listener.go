package server

import (
	"net"
	"sync"
)

const (
	// maxConnections bounds the connections of one listener: about 30 KiB each
	// with TLS, before any request.
	maxConnections = 64
	// maxConnectionsPerClient keeps one client address from taking them all.
	// It suffices for several scrapers behind one address.
	maxConnectionsPerClient = 16
)

// boundedListener closes connections beyond its bounds as soon as they are
// accepted. It never makes a client wait for another one to leave, since
// a client that holds connections open would then lock everybody else out.
type boundedListener struct {
	net.Listener
	max, maxPerClient int
	// refused is called for each connection that is closed for its number.
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

// Accept returns the next connection that is within the bounds.
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

// boundedConnection gives its place back once, however often it is closed.
type boundedConnection struct {
	net.Conn
	once  sync.Once
	leave func()
}

func (c *boundedConnection) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}

// hostOf is the host of an address, or the address if it has no port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
