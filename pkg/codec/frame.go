package codec

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
)

// lineFramer returns each line of a stream as a frame. The API server ends every event
// of a watch with a newline, and compact JSON contains none.
type lineFramer struct{ runtime.Framer }

// NewFrameReader implements runtime.Framer.
func (lineFramer) NewFrameReader(r io.ReadCloser) io.ReadCloser {
	return &lineReader{Closer: r, buffered: bufio.NewReaderSize(r, 16<<10)}
}

// lineReader is not safe for concurrent use.
type lineReader struct {
	io.Closer
	buffered *bufio.Reader
	// rest is the part of the current line that was read and not returned yet.
	rest []byte
	// complete is true if the current line ends with rest; begun is true if a part of
	// it was returned already.
	complete, begun bool
	// err is the error that ends the stream.
	err error
}

// Read returns the next line without its newline. A line that does not fit is returned
// in parts, all but the last with io.ErrShortBuffer. Empty lines are skipped. A stream
// that ends within a line returns io.ErrUnexpectedEOF.
func (r *lineReader) Read(into []byte) (int, error) {
	n := 0
	for {
		copied := copy(into[n:], r.rest)
		n, r.rest = n+copied, r.rest[copied:]
		begun := r.begun || n > 0
		if len(r.rest) > 0 || r.complete && begun || n == len(into) {
			break
		}
		if r.err != nil {
			return 0, r.err
		}
		r.begun = begun
		r.fill()
	}
	r.begun = len(r.rest) > 0 || !r.complete
	if r.begun {
		return n, io.ErrShortBuffer
	}
	r.complete = false
	return n, nil
}

// fill reads the next part of a line.
func (r *lineReader) fill() {
	part, err := r.buffered.ReadSlice('\n')
	switch {
	case err == nil:
		r.rest, r.complete = bytes.TrimRight(part, "\r\n"), true
	case errors.Is(err, bufio.ErrBufferFull):
		r.rest = part
	case errors.Is(err, io.EOF) && (len(part) > 0 || r.begun):
		r.err = io.ErrUnexpectedEOF
	default:
		r.err = err
	}
}
