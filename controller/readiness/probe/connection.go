package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"
)

const (
	// maxAnswerBytes is the maximum that is read from one connection, including header
	// fields, interim responses and frames.
	maxAnswerBytes = 1 << 20

	// maxHandshakeBytes is the maximum that is read before TLS is established.
	// crypto/tls buffers each message completely, up to 256 KiB.
	maxHandshakeBytes = 24 << 10

	// bufferBytes is the size of a connection's buffers.
	bufferBytes = 4 << 10

	// socketBytes limits unread data in the kernel, which counts against the memory of
	// the container.
	socketBytes = 16 << 10

	// closeTimeout is how long a server that has answered may take to close the
	// connection. The side that closes first keeps the port for a minute.
	closeTimeout = 50 * time.Millisecond
)

var (
	errTooLarge   = errors.New("the answer is larger than 1 MiB before it is complete")
	errHandshake  = errors.New("TLS: the handshake is larger than 24 KiB")
	errNotTLS     = errors.New("TLS: the answer is not TLS")
	errTLS        = errors.New("TLS: the handshake failed; at least TLS 1.2 is needed")
	errBadAddress = errors.New("the connection is not TCP")
)

// connection is the TCP connection of one probe. It ends with the probe's context, and
// reads no more than its limit.
type connection struct {
	*net.TCPConn
	// left is the number of bytes that may still be read, and over the error after
	// that.
	left int
	over error
	// stop stops watching the context.
	stop func() bool
}

// dial opens a connection. The address is checked by the dialer.
func (p *Prober) dial(ctx context.Context, address string) (*connection, error) {
	dialed, err := p.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	tcp, is := dialed.(*net.TCPConn)
	if !is {
		_ = dialed.Close()
		return nil, errBadAddress
	}
	// A system without this option uses its default.
	_ = tcp.SetReadBuffer(socketBytes)
	opened := &connection{TCPConn: tcp, left: maxAnswerBytes, over: errTooLarge}
	opened.stop = context.AfterFunc(ctx, func() { _ = tcp.SetDeadline(time.Unix(1, 0)) })
	return opened, nil
}

// Read reads at most the rest of the limit.
func (c *connection) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, c.over
	}
	n, err := c.TCPConn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// Close resets the connection. A connection that is closed normally occupies a port of
// the prober, and an entry in firewalls, for one to two minutes, and there are fewer
// ports than probes in that time. A server that has already closed its side does not
// notice.
func (c *connection) Close() error {
	c.stop()
	_ = c.SetLinger(0)
	return c.TCPConn.Close()
}

// awaitEnd waits for a server that has answered to close first.
func (c *connection) awaitEnd() {
	if c.SetReadDeadline(time.Now().Add(closeTimeout)) != nil {
		return
	}
	var rest [256]byte
	for range 16 {
		if _, err := c.Read(rest[:]); err != nil {
			return
		}
	}
}

// secure establishes TLS. As in kubelet, a probe checks whether the machine serves, not
// its identity, so the certificate is not verified. Without a server name, none is
// sent.
func (c *connection) secure(serverName string, protocols ...string) (*tls.Conn, error) {
	c.left, c.over = maxHandshakeBytes, errHandshake
	client := tls.Client(c, &tls.Config{
		ServerName:         serverName,
		NextProtos:         protocols,
		InsecureSkipVerify: true, //nolint:gosec // see above
	})
	// The connection has the deadline of the probe and ends with its context.
	if err := client.Handshake(); err != nil { //nolint:noctx // see above
		return nil, handshakeError(err)
	}
	c.left, c.over = maxAnswerBytes, errTooLarge
	return client, nil
}

// handshakeError returns errors of known types, and replaces others, which may contain
// data of the server.
func handshakeError(err error) error {
	if _, is := errors.AsType[tls.RecordHeaderError](err); is {
		return errNotTLS
	}
	if _, is := errors.AsType[tls.AlertError](err); is || errors.Is(err, errHandshake) {
		return err
	}
	if _, is := errors.AsType[net.Error](err); is || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return errTLS
}
