package faults

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
)

// maxFrame is the maximum size of a watch event. Events of the API server are much smaller.
const maxFrame = 64 << 20

// streamWatch forwards a watch's events one at a time, with the watch's faults.
func (p *Proxy) streamWatch(w http.ResponseWriter, r *http.Request, response *http.Response, fault Fault, rules *ruleSet) {
	maps.Copy(w.Header(), response.Header)
	w.Header().Del("Connection")
	w.Header().Del("Content-Length")
	w.WriteHeader(response.StatusCode)
	flush(w)
	if response.StatusCode != http.StatusOK {
		_, _ = io.Copy(w, response.Body)
		return
	}
	next := nextJSON
	if strings.Contains(response.Header.Get("Content-Type"), "protobuf") {
		next = nextProtobuf
	}
	stream := readAhead(r.Context(), response.Body, next)
	if fault.Stall && !stream.keepBack(r, rules) {
		return
	}
	for event := range stream.events {
		if fault.Hold && !isBookmark(event) && !stream.keepBack(r, rules) {
			return
		}
		if fault.Duplicate && !isBookmark(event) {
			event = append(bytes.Clone(event), event...)
		}
		if _, err := w.Write(event); err != nil {
			return
		}
		flush(w)
	}
	stream.end(r)
}

// watchStream reads a watch of the API server ahead, so that the proxy detects and forwards
// its end while it delays events.
type watchStream struct {
	events chan []byte
	ended  chan struct{}
	err    error // valid once ended is closed
}

// maxAhead is the maximum number of events that are read ahead.
const maxAhead = 1 << 12

func readAhead(ctx context.Context, body io.Reader, next func(*bufio.Reader) ([]byte, error)) *watchStream {
	s := &watchStream{events: make(chan []byte, maxAhead), ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		defer close(s.events)
		for from := bufio.NewReader(body); ; {
			event, err := next(from)
			if err != nil {
				s.err = err
				return
			}
			select {
			case s.events <- event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return s
}

// keepBack waits until the rules change. It returns false if the watch has ended.
func (s *watchStream) keepBack(r *http.Request, rules *ruleSet) bool {
	select {
	case <-rules.over:
		return true
	case <-s.ended:
		s.end(r)
	case <-r.Context().Done():
	}
	return false
}

// end ends the client's watch after the API server's watch has ended.
func (s *watchStream) end(r *http.Request) {
	<-s.ended
	if s.err != nil && !errors.Is(s.err, io.EOF) {
		resetClient(r)
	}
}

// nextJSON reads one event of a watch in JSON: one line.
func nextJSON(from *bufio.Reader) ([]byte, error) {
	line, err := from.ReadBytes('\n')
	if len(line) > 0 {
		return line, nil
	}
	return nil, err
}

// nextProtobuf reads one event of a watch in protobuf: four bytes of length, then the event.
func nextProtobuf(from *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return nil, io.ErrUnexpectedEOF
	}
	event := make([]byte, 4+size)
	copy(event, head[:])
	_, err := io.ReadFull(from, event[4:])
	return event, err
}

// isBookmark checks the event's type, which comes first in both encodings.
func isBookmark(event []byte) bool {
	const far = 64
	return bytes.Contains(event[:min(far, len(event))], []byte("BOOKMARK"))
}
