package probe

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// connectionFields are header fields that HTTP/2 does not have.
var connectionFields = map[string]bool{
	"connection": true, "content-length": true, "host": true, "keep-alive": true,
	"proxy-connection": true, "transfer-encoding": true, "upgrade": true,
}

// exchangeHTTP2 sends a request in HTTP/2 over the connection, or over TLS on it.
func exchangeHTTP2(opened *connection, layer io.ReadWriter, request *http.Request) (*http.Response, error) {
	opening, err := openStream(layer, fieldsOf(request), nil, "location", "content-length")
	if err != nil {
		return nil, err
	}
	if err := opening.readHeader(); err != nil {
		return nil, err
	}
	response := &http.Response{
		StatusCode: opening.status, Header: http.Header{}, ContentLength: -1, Request: request,
		Proto: "HTTP/2.0", ProtoMajor: 2,
	}
	if locations := opening.fields["location"]; len(locations) > 0 {
		response.Header["Location"] = locations
	}
	if lengths := opening.fields["content-length"]; len(lengths) == 1 {
		if length, err := strconv.ParseUint(lengths[0], 10, 63); err == nil {
			response.ContentLength = int64(length)
		}
	}
	response.Body = &streamBody{stream: opening, connection: opened, left: response.ContentLength}
	return response, nil
}

// fieldsOf returns the header of a request, in the form of HTTP/2.
func fieldsOf(request *http.Request) []hpack.HeaderField {
	host := request.Host
	if host == "" {
		host = request.URL.Host
	}
	fields := []hpack.HeaderField{
		{Name: ":authority", Value: host},
		{Name: ":method", Value: request.Method},
		{Name: ":path", Value: request.URL.RequestURI()},
		{Name: ":scheme", Value: request.URL.Scheme},
	}
	for name, values := range request.Header {
		name = strings.ToLower(name)
		if connectionFields[name] {
			continue
		}
		for _, value := range values {
			fields = append(fields, hpack.HeaderField{Name: name, Value: value})
		}
	}
	return fields
}

// streamBody is the body of an answer in HTTP/2.
type streamBody struct {
	stream     *stream
	connection *connection
	// left is the number of bytes to come; -1 if unknown.
	left int64
}

// Read checks the length of the body against its header.
func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.stream.Read(p)
	if b.left >= 0 {
		if b.left -= int64(n); b.left < 0 {
			return n, errMalformed
		}
		if errors.Is(err, io.EOF) && b.left > 0 {
			return n, io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// Close closes the connection.
func (b *streamBody) Close() error { return b.connection.Close() }

// encode compresses header fields.
func encode(fields []hpack.HeaderField) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range fields {
		// Writes to a buffer do not fail.
		_ = encoder.WriteField(field)
	}
	return block.Bytes()
}
