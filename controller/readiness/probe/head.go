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

// maxKeptBytes bounds the header fields that are kept of an answer.
const maxKeptBytes = 16 << 10

var (
	errMalformed = errors.New("the answer is not HTTP")
	errKept      = errors.New("the answer's Location or another field that is needed is too long")
)

// keptFields are the header fields that say where an answer ends and where it
// leads. Thousands of others cost nothing, since none of them is kept.
var keptFields = []string{"Content-Length", "Location", "Trailer", "Transfer-Encoding"}

// readHead reads the status line and header of an answer in HTTP/1.1, and
// returns them with the kept fields only. What net/http refuses is refused.
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

// statusOf finds the number; ReadResponse checks the line as a whole.
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

// headFields reads header fields and forgets most of them.
type headFields struct {
	reader *bufio.Reader
	// any is whether there was a field already, and keeping whether the last
	// one is kept: further lines of it may follow.
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

// take checks a part of a line and keeps it where it is needed.
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
