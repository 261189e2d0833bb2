package codec

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"k8s.io/apimachinery/pkg/runtime"
)

// lineFramer takes each line of a stream for a frame. The API server ends every
// event of a watch with the end of its line, and JSON has none within.
type lineFramer struct{ runtime.Framer }

// NewFrameReader implements runtime.Framer.
func (lineFramer) NewFrameReader(r io.ReadCloser) io.ReadCloser {
	return &lineReader{Closer: r, buffered: bufio.NewReaderSize(r, 16<<10)}
}

// lineReader is not safe for concurrent use.
type lineReader struct {
	io.Closer
	buffered *bufio.Reader
	// rest is what was read of the current line and not given away yet.
	rest []byte
	// complete is whether the current line ends with rest, and begun whether a
	// part of it was given away.
	complete, begun bool
	// err is why nothing follows.
	err error
}

// Read gives the next line without its end. A line that does not fit is given in
// parts, all but the last with io.ErrShortBuffer. Empty lines are left out. A
// stream that ends within a line gives io.ErrUnexpectedEOF.
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
