package probe

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"

	"golang.org/x/net/http/httpguts"
)

// maxKeptBytes is the maximum size of the stored header fields of a response.
const maxKeptBytes = 16 << 10

var (
	errMalformed = errors.New("the answer is not HTTP")
	errKept      = errors.New("the answer's Location or another field that is needed is too long")
)

// keptFields are the header fields that determine the end of the body and the target of
// a redirect. Other fields are not stored, whatever their number.
var keptFields = []string{"Content-Length", "Location", "Trailer", "Transfer-Encoding"}

// readHead reads the status line and header of an HTTP/1.1 response, and returns them
// with only the kept fields. It refuses what net/http refuses.
func readHead(reader *bufio.Reader) (status int, head []byte, err error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, nil, headError(err)
	}
	if status, err = statusOf(line); err != nil {
		return 0, nil, err
	}
	head = append(append(head, bytes.TrimRight(line, "\r\n")...), "\r\n"...)
	fields := headFields{reader: reader}
	for {
		more, err := fields.next()
		if err != nil {
			return 0, nil, headError(err)
		}
		if !more {
			return status, append(append(head, fields.kept...), "\r\n"...), nil
		}
	}
}

// statusOf returns the status code; ReadResponse validates the line.
func statusOf(line []byte) (int, error) {
	words := bytes.Fields(line)
	if len(words) < 2 || !bytes.HasPrefix(words[0], []byte("HTTP/")) {
		return 0, errMalformed
	}
	status, err := strconv.Atoi(string(words[1]))
	if err != nil || len(words[1]) != 3 {
		return 0, errMalformed
	}
	return status, nil
}

func headError(err error) error {
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return errMalformed
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}

// headFields reads header fields and discards most of them.
type headFields struct {
	reader *bufio.Reader
	// any is true after the first field, and keeping is true if the last field is kept:
	// it may have continuation lines.
	any, keeping bool
	kept         []byte
}

// next reads one line; a line may be longer than the buffer.
func (f *headFields) next() (more bool, err error) {
	begin := true
	for {
		part, err := f.reader.ReadSlice('\n')
		complete := err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return false, err
		}
		if complete {
			part = part[:len(part)-1]
			part = bytes.TrimSuffix(part, []byte("\r"))
			if begin && len(part) == 0 {
				return false, nil
			}
		} else if n := len(part); part[n-1] == '\r' {
			// The line's end may be behind it.
			if err := f.reader.UnreadByte(); err == nil {
				part = part[:n-1]
			}
		}
		if err := f.take(part, begin); err != nil {
			return false, err
		}
		if complete {
			if f.keeping {
				f.kept = append(f.kept, "\r\n"...)
			}
			return true, nil
		}
		begin = false
	}
}

// take validates a part of a line, and stores it if it is needed.
func (f *headFields) take(part []byte, begin bool) error {
	value := part
	if begin && (part[0] == ' ' || part[0] == '\t') {
		if !f.any {
			return errMalformed
		}
	} else if begin {
		name, rest, found := bytes.Cut(part, []byte(":"))
		if !found || !validName(name) {
			return errMalformed
		}
		f.any, value = true, rest
		f.keeping = slices.ContainsFunc(keptFields, func(kept string) bool { return bytes.EqualFold(name, []byte(kept)) })
	}
	if bytes.ContainsFunc(value, isControl) {
		return errMalformed
	}
	if f.keeping {
		f.kept = append(f.kept, part...)
	}
	if len(f.kept) > maxKeptBytes {
		return errKept
	}
	return nil
}

// validName follows net/textproto, which takes spaces for a part of the name.
func validName(name []byte) bool {
	return len(name) > 0 && !bytes.ContainsFunc(name, func(r rune) bool { return r != ' ' && !httpguts.IsTokenRune(r) })
}
