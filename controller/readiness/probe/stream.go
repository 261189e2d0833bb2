package probe

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// maxFrameBytes is the smallest limit that HTTP/2 permits.
	maxFrameBytes = 16 << 10

	// maxFieldBytes bounds one header field in HTTP/2. The decoder keeps it
	// until it is complete.
	maxFieldBytes = 16 << 10

	// tableBytes bounds the table that expands header fields; the default.
	tableBytes = 4 << 10

	// theStream is the number of the first stream that a client opens.
	theStream = 1
)

var (
	errNotHTTP2 = errors.New("the answer is not HTTP/2")
	errStream   = errors.New("the server ended the HTTP/2 stream before the answer was complete")
)

// stream is one request over HTTP/2 and its answer. The client of net/http has
// goroutines and buffers for many streams; this one reads a frame only when its
// caller wants more, and keeps nothing but the fields that it is told to.
type stream struct {
	layer   io.Writer
	framer  *http2.Framer
	decoder *hpack.Decoder
	// out is what was not yet sent.
	out bytes.Buffer
	// keep are the names of the fields to keep.
	keep []string

	// begun is whether the server's settings were read.
	begun bool
	block block
	// status is that of the answer; 0 before its header was read.
	status int
	// fields are the kept fields of the header and the trailer.
	fields map[string][]string
	// data is what was not yet read of a DATA frame.
	data []byte
	// ended is whether the server has sent everything.
	ended bool
}

// block is what is known of a block of header fields while it is decoded.
type block struct {
	// size is the sum of the fields' sizes, which may be far more than was read.
	size int
	// regular is whether there was a field that is no pseudo-header.
	regular bool
	// status is the answer's; 0 without one.
	status int
	// last is whether the stream ends with it.
	last bool
	// err is what is wrong with it.
	err error
}

// openStream sends a request. An empty payload is none.
func openStream(layer io.ReadWriter, fields []hpack.HeaderField, payload []byte, keep ...string) (*stream, error) {
	s := &stream{layer: layer, keep: keep, fields: map[string][]string{}}
	s.framer = http2.NewFramer(&s.out, bufio.NewReaderSize(layer, bufferBytes))
	s.framer.SetMaxReadFrameSize(maxFrameBytes)
	s.framer.SetReuseFrames()
	s.decoder = hpack.NewDecoder(tableBytes, s.take)
	s.decoder.SetMaxStringLength(maxFieldBytes)
	s.out.WriteString(http2.ClientPreface)
	if err := errors.Join(
		s.framer.WriteSettings(
			http2.Setting{ID: http2.SettingEnablePush, Val: 0},
			http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxAnswerBytes},
		),
		s.writeHeader(encode(fields), len(payload) == 0),
		s.writePayload(payload),
	); err != nil {
		return nil, errRequest
	}
	return s, s.flush()
}

func (s *stream) writeHeader(encoded []byte, last bool) error {
	part := encoded[:min(len(encoded), maxFrameBytes)]
	encoded = encoded[len(part):]
	err := s.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: theStream, BlockFragment: part, EndStream: last, EndHeaders: len(encoded) == 0,
	})
	for err == nil && len(encoded) > 0 {
		part = encoded[:min(len(encoded), maxFrameBytes)]
		encoded = encoded[len(part):]
		err = s.framer.WriteContinuation(theStream, len(encoded) == 0, part)
	}
	return err
}

func (s *stream) writePayload(payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	return s.framer.WriteData(theStream, true, payload)
}

func (s *stream) flush() error {
	_, err := s.layer.Write(s.out.Bytes())
	s.out.Reset()
	return err
}

// readHeader reads until the answer's header is complete.
func (s *stream) readHeader() error {
	for s.status == 0 {
		if err := s.step(); err != nil {
			return err
		}
		if s.ended && s.status == 0 {
			return errStream
		}
	}
	return nil
}

// Read reads the answer's body.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.data) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		if err := s.step(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.data)
	s.data = s.data[n:]
	return n, nil
}

// step reads one frame and answers it where that is due.
func (s *stream) step() error {
	frame, err := s.framer.ReadFrame()
	if err != nil {
		return frameError(err)
	}
	if _, is := frame.(*http2.SettingsFrame); !s.begun && !is {
		return errNotHTTP2
	}
	s.begun = true
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			err = s.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			err = s.framer.WritePing(true, frame.Data)
		}
	case *http2.HeadersFrame:
		s.block = block{last: frame.StreamEnded()}
		err = s.header(frame.HeaderBlockFragment(), frame.HeadersEnded())
	case *http2.ContinuationFrame:
		err = s.header(frame.HeaderBlockFragment(), frame.HeadersEnded())
	case *http2.DataFrame:
		if s.status == 0 {
			return errNotHTTP2
		}
		s.data, s.ended = frame.Data(), frame.StreamEnded()
	case *http2.RSTStreamFrame:
		return errStream
	case *http2.GoAwayFrame:
		if frame.LastStreamID < theStream {
			return errStream
		}
	case *http2.PushPromiseFrame:
		return errNotHTTP2
	}
	if err != nil {
		return err
	}
	if s.out.Len() > 0 {
		return s.flush()
	}
	return nil
}

// header decodes a part of a block of header fields.
func (s *stream) header(fragment []byte, complete bool) error {
	_, err := s.decoder.Write(fragment)
	if err == nil && complete {
		err = s.decoder.Close()
	}
	if s.block.err != nil {
		return s.block.err
	}
	if err != nil {
		return errNotHTTP2
	}
	if !complete {
		return nil
	}
	return s.finishBlock()
}

// finishBlock tells interim answers, the header and the trailer apart.
func (s *stream) finishBlock() error {
	switch status := s.block.status; {
	case s.status != 0:
		// Only a trailer may follow, and a trailer is the end.
		if status != 0 || !s.block.last {
			return errNotHTTP2
		}
	case status == 0 || status < 200 && s.block.last:
		return errNotHTTP2
	case status < 200:
		clear(s.fields)
	default:
		s.status = status
	}
	s.ended = s.block.last
	return nil
}

// take is called with each header field.
func (s *stream) take(field hpack.HeaderField) {
	if s.block.err != nil {
		return
	}
	if s.block.size += int(field.Size()); s.block.size > maxAnswerBytes {
		s.block.err = errTooLarge
		return
	}
	if field.IsPseudo() {
		status, err := strconv.Atoi(field.Value)
		if field.Name != ":status" || s.block.regular || s.block.status != 0 || err != nil || status < 100 || status > 999 {
			s.block.err = errNotHTTP2
		}
		s.block.status = status
		return
	}
	s.block.regular = true
	if !validFieldName(field.Name) || !httpguts.ValidHeaderFieldValue(field.Value) {
		s.block.err = errNotHTTP2
		return
	}
	if slices.Contains(s.keep, field.Name) && len(s.fields[field.Name]) < 2 {
		s.fields[field.Name] = append(s.fields[field.Name], field.Value)
	}
}

// validFieldName refuses upper case, which HTTP/2 does not have.
func validFieldName(name string) bool {
	for _, r := range name {
		if 'A' <= r && r <= 'Z' {
			return false
		}
	}
	return httpguts.ValidHeaderFieldName(name)
}

// frameError replaces what may hold bytes of the server.
func frameError(err error) error {
	var (
		connectionError http2.ConnectionError
		streamError     http2.StreamError
	)
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, http2.ErrFrameTooLarge), errors.As(err, &connectionError), errors.As(err, &streamError):
		return errNotHTTP2
	}
	return err
}
