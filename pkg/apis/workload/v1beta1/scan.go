package v1beta1

import (
	"bytes"
	"encoding/json"
	"math"
	"unicode/utf8"
)

// scanner reads JSON in one pass. Its methods return false on anything that is not
// plain: a syntax error, a value of another type, null. The general decoder then reads
// the object. The zero scanner reads nothing.
//
// +k8s:deepcopy-gen=false
// +k8s:openapi-gen=false
type scanner struct {
	data []byte
	at   int
}

// maxDepth is the deepest nesting of a value that is skipped.
const maxDepth = 64

// space skips white space and returns the next byte; 0 at the end.
func (s *scanner) space() byte {
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take skips white space and one byte, if it is this one.
func (s *scanner) take(c byte) bool {
	if s.space() != c {
		return false
	}
	s.at++
	return true
}

// end reports whether nothing but white space follows.
func (s *scanner) end() bool { return s.space() == 0 && s.at == len(s.data) }

// object reads an object and calls field with each key, to read the value.
func (s *scanner) object(field func(key []byte) bool) bool {
	var key []byte
	return s.members(func() (plain bool) { key, plain = s.quoted(); return plain }, func() bool { return field(key) })
}

// members reads an object and calls key and value for each of its members, to read them.
func (s *scanner) members(key, value func() bool) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		if !key() || !s.take(':') || !value() {
			return false
		}
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// array reads an array and calls element for each of its values, to read it.
func (s *scanner) array(element func() bool) bool {
	if !s.take('[') {
		return false
	}
	if s.take(']') {
		return true
	}
	for {
		if !element() {
			return false
		}
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// quoted reads a string without escapes. The bytes are those of the input.
func (s *scanner) quoted() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	length := bytes.IndexByte(s.data[s.at:], '"')
	if length < 0 {
		return nil, false
	}
	text := s.data[s.at : s.at+length]
	ascii := true
	for _, c := range text {
		if c < ' ' || c == '\\' {
			return nil, false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !utf8.Valid(text) {
		return nil, false
	}
	s.at += length + 1
	return text, true
}

// text reads a string into one of the string types.
func text[T ~string](s *scanner, into *T) bool {
	begin := s.at
	plain, ok := s.quoted()
	if ok {
		*into = T(plain)
		return true
	}
	s.at = begin
	raw, ok := s.raw()
	if !ok || len(raw) == 0 || raw[0] != '"' {
		return false
	}
	var unescaped string
	if json.Unmarshal(raw, &unescaped) != nil {
		return false
	}
	*into = T(unescaped)
	return true
}

// texts reads an object whose values are strings.
func (s *scanner) texts(into *map[string]string) bool {
	read := map[string]string{}
	ok := s.object(func(key []byte) bool {
		var value string
		if !text(s, &value) {
			return false
		}
		read[string(key)] = value
		return true
	})
	*into = read
	return ok
}

// integer reads a number without fraction and exponent.
func (s *scanner) integer() (int64, bool) {
	s.space()
	begin := s.at
	negative := s.at < len(s.data) && s.data[s.at] == '-'
	if negative {
		s.at++
	}
	first, number := s.at, int64(0)
	for ; s.at < len(s.data) && s.data[s.at] >= '0' && s.data[s.at] <= '9'; s.at++ {
		if number > (math.MaxInt64-9)/10 {
			return 0, false
		}
		number = number*10 + int64(s.data[s.at]-'0')
	}
	digits := s.at - first
	if digits == 0 || digits > 1 && s.data[first] == '0' {
		s.at = begin
		return 0, false
	}
	if s.at < len(s.data) {
		switch s.data[s.at] {
		case '.', 'e', 'E':
			return 0, false
		}
	}
	if negative {
		number = -number
	}
	return number, true
}

// raw reads any value and returns its bytes, which are those of the input.
func (s *scanner) raw() ([]byte, bool) {
	s.space()
	begin := s.at
	if !s.skip(0) {
		return nil, false
	}
	return s.data[begin:s.at], true
}

// skip reads any value.
func (s *scanner) skip(depth int) bool {
	if depth > maxDepth {
		return false
	}
	inner := func() bool { return s.skip(depth + 1) }
	switch s.space() {
	case '{':
		// The API server names elements of lists by keys with escapes in managedFields.
		return s.members(func() bool { return s.space() == '"' && s.skipString() }, inner)
	case '[':
		return s.array(inner)
	case '"':
		return s.skipString()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.skipNumber()
	}
}

func (s *scanner) literal(word string) bool {
	if len(s.data)-s.at < len(word) || string(s.data[s.at:s.at+len(word)]) != word {
		return false
	}
	s.at += len(word)
	return true
}

// skipString reads a string, with escapes too.
func (s *scanner) skipString() bool {
	for s.at++; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return true
		case c < ' ':
			return false
		case c == '\\' && !s.escape():
			return false
		}
	}
	return false
}

// escape reads an escape up to its last byte.
func (s *scanner) escape() bool {
	s.at++
	if s.at >= len(s.data) {
		return false
	}
	switch s.data[s.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			s.at++
			if s.at >= len(s.data) || !isHex(s.data[s.at]) {
				return false
			}
		}
		return true
	}
	return false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// skipNumber reads a number without fraction and exponent. Others are left to the
// general decoder: no ExternalWorkload has one.
func (s *scanner) skipNumber() bool {
	_, ok := s.integer()
	return ok
}
