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
	// maxFrameBytes is the smallest maximum frame size that HTTP/2 permits.
	maxFrameBytes = 16 << 10

	// maxFieldBytes is the maximum size of a header field in HTTP/2, which the decoder
	// buffers completely.
	maxFieldBytes = 16 << 10

	// tableBytes is the size of the dynamic table for header compression; the default.
	tableBytes = 4 << 10

	// theStream is the id of the first stream of a client.
	theStream = 1
)

var (
	errNotHTTP2 = errors.New("the answer is not HTTP/2")
	errStream   = errors.New("the server ended the HTTP/2 stream before the answer was complete")
)

// stream is one request over HTTP/2 and its response. net/http's client has goroutines
// and buffers for many streams; this one reads a frame only on demand, and stores only
// the configured fields.
type stream struct {
	layer   io.Writer
	framer  *http2.Framer
	decoder *hpack.Decoder
	// out is data that has yet to be sent.
	out bytes.Buffer
	// keep are the names of the fields to keep.
	keep []string

	// begun is true once the server's settings were read.
	begun bool
	block block
	// status is the status of the response; 0 before its header was read.
	status int
	// fields are the kept fields of the header and the trailer.
	fields map[string][]string
	// data is the unread part of a DATA frame.
	data []byte
	// ended is true once the server has sent everything.
	ended bool
}

// block is the state of a block of header fields that is being decoded.
type block struct {
	// size is the sum of the sizes of the fields, which may be much larger than the
	// block.
	size int
	// regular is true after a field that is not a pseudo-header.
	regular bool
	// status is the response's status; 0 if there is none.
	status int
	// last is true if the stream ends with it.
	last bool
	// err is the error of the block.
	err error
}

// openStream sends a request. The payload may be empty.
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

// readHeader reads until the header of the response is complete.
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

// Read reads the body of the response.
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

// step reads one frame, and replies to it if necessary.
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

// finishBlock distinguishes interim responses, the header and the trailer.
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

// take handles a header field.
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

// validFieldName refuses upper case, which is not allowed in HTTP/2.
func validFieldName(name string) bool {
	for _, r := range name {
		if 'A' <= r && r <= 'Z' {
			return false
		}
	}
	return httpguts.ValidHeaderFieldName(name)
}

// frameError replaces errors that may contain data of the server.
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
