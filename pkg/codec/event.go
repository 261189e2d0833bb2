package codec

import (
	"bytes"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// eventSerializer reads the events of a watch.
type eventSerializer struct{ runtime.Serializer }

// Decode implements runtime.Decoder. The event's object shares memory with the data.
func (s eventSerializer) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	event, ok := into.(*metav1.WatchEvent)
	if !ok {
		return s.Serializer.Decode(data, defaults, into)
	}
	kind, object, ok := cutEvent(data)
	if !ok {
		return s.Serializer.Decode(data, defaults, into)
	}
	event.Type, event.Object = kind, runtime.RawExtension{Raw: object}
	read := eventKind
	return event, &read, nil
}

var eventKind = metav1.SchemeGroupVersion.WithKind("WatchEvent")

// The form in which the API server writes an event.
var (
	typeStart   = []byte(`{"type":"`)
	objectStart = []byte(`","object":`)
)

// cutEvent splits an event in the API server's form. Of the object it only finds the
// end; the object's decoder validates it.
func cutEvent(data []byte) (kind string, object []byte, ok bool) {
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(data), typeStart)
	if !ok {
		return "", nil, false
	}
	name, rest, ok := bytes.Cut(rest, objectStart)
	if !ok || len(name) == 0 || bytes.ContainsFunc(name, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return "", nil, false
	}
	end := objectEnd(rest)
	if end < 0 || string(rest[end:]) != "}" {
		return "", nil, false
	}
	return string(name), rest[:end], true
}

// objectEnd returns the length of the JSON object at the beginning of the data, or
// negative if there is none.
func objectEnd(data []byte) int {
	if len(data) == 0 || data[0] != '{' {
		return -1
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
