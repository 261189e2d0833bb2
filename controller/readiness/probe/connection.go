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
	// maxAnswerBytes bounds what is read from one connection, whatever it is:
	// header fields, interim answers, frames or what they are wrapped in.
	maxAnswerBytes = 1 << 20

	// maxHandshakeBytes bounds what a server may say before TLS is set up.
	// crypto/tls keeps a message until it is complete, and would keep 256 KiB.
	maxHandshakeBytes = 24 << 10

	// bufferBytes is the size of a connection's buffers.
	bufferBytes = 4 << 10

	// socketBytes bounds what the kernel keeps of an answer that nobody reads;
	// it counts against the memory of the container.
	socketBytes = 16 << 10

	// endPatience is how long a server that has answered may take to close the
	// connection. The side that closes first keeps the port for a minute.
	endPatience = 50 * time.Millisecond
)

var (
	errTooLarge   = errors.New("the answer is larger than 1 MiB before it is complete")
	errHandshake  = errors.New("TLS: the handshake is larger than 24 KiB")
	errNotTLS     = errors.New("TLS: the answer is not TLS")
	errTLS        = errors.New("TLS: the handshake failed; at least TLS 1.2 is needed")
	errBadAddress = errors.New("the connection is not TCP")
)

// connection is a TCP connection of one probe. It ends with the probe's
// context, and reads no more than its limit.
type connection struct {
	*net.TCPConn
	// left is how many bytes may still be read, and over the error after that.
	left int
	over error
	// stop ends the watch on the context.
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
	// A system that cannot do it uses its default.
	_ = tcp.SetReadBuffer(socketBytes)
	opened := &connection{TCPConn: tcp, left: maxAnswerBytes, over: errTooLarge}
	opened.stop = context.AfterFunc(ctx, func() { _ = tcp.SetDeadline(time.Unix(1, 0)) })
	return opened, nil
}

// Read reads at most what is left of the limit.
func (c *connection) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, c.over
	}
	n, err := c.TCPConn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// Close resets the connection. Neither side, nor a firewall between them, then
// has to remember it: a connection that is closed in the usual way is kept for one
// to two minutes, and there are fewer ports than probes in that time. A server that
// has closed its side already does not notice.
func (c *connection) Close() error {
	c.stop()
	_ = c.SetLinger(0)
	return c.TCPConn.Close()
}

// awaitEnd gives a server that has answered the time to close first.
func (c *connection) awaitEnd() {
	if c.SetReadDeadline(time.Now().Add(endPatience)) != nil {
		return
	}
	var rest [256]byte
	for range 16 {
		if _, err := c.Read(rest[:]); err != nil {
			return
		}
	}
}

// secure sets up TLS. As for kubelet, a probe asks whether the machine serves,
// not who it is, so the certificate is not verified. Without a server name,
// none is sent.
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

// handshakeError keeps what is known by type, and replaces what may hold bytes
// of the server.
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
