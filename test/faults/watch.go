package faults

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
)

// maxFrame bounds one watch event; the API server itself sends none near this size.
const maxFrame = 64 << 20

// streamWatch hands a watch's events on, one at a time, with the watch's faults.
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
	if fault.Stall {
		select {
		case <-rules.over:
		case <-r.Context().Done():
			return
		}
	}
	next := nextJSON
	if strings.Contains(response.Header.Get("Content-Type"), "protobuf") {
		next = nextProtobuf
	}
	events := bufio.NewReader(response.Body)
	for {
		event, err := next(events)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				resetClient(r)
			}
			return
		}
		if fault.Hold && !isBookmark(event) {
			select {
			case <-rules.over:
			case <-r.Context().Done():
				return
			}
		}
		if fault.Duplicate && !isBookmark(event) {
			event = append(bytes.Clone(event), event...)
		}
		if _, err := w.Write(event); err != nil {
			return
		}
		flush(w)
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

// nextProtobuf reads one event of a watch in protobuf: four bytes of length,
// then the event.
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

// isBookmark looks for the event's type, which both encodings put first.
func isBookmark(event []byte) bool {
	const far = 64
	return bytes.Contains(event[:min(far, len(event))], []byte("BOOKMARK"))
}
