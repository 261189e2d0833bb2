package codec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/watch"
	restwatch "k8s.io/client-go/rest/watch"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/codec"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/scheme"
)

// stored is an object as the API server writes it.
const stored = `{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload","metadata":{"annotations":{"a":"}\"{"},"creationTimestamp":"2026-11-26T00:00:00Z","generation":3,"labels":{"app":"a"},"managedFields":[{"apiVersion":"workload.linkerd.io/v1beta1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{".":{},"f:meshTLS":{".":{},"f:identity":{},"f:serverName":{}},"f:ports":{},"f:workloadIPs":{}}},"manager":"kubectl","operation":"Update","time":"2026-11-26T00:00:01Z"},{"apiVersion":"workload.linkerd.io/v1beta1","fieldsType":"FieldsV1","fieldsV1":{"f:status":{".":{},"f:conditions":{}}},"manager":"external-workload-controller","operation":"Update","subresource":"status","time":"2026-11-26T00:00:02Z"}],"name":"w","namespace":"n","resourceVersion":"12","uid":"b8e"},"spec":{"meshTLS":{"identity":"i","serverName":"s"},"ports":[{"name":"http","port":80,"protocol":"TCP"}],"workloadIPs":[{"ip":"192.0.2.1"}]},"status":{"conditions":[{"lastProbeTime":"2026-11-26T00:00:02Z","lastTransitionTime":"2026-11-26T00:00:02Z","message":"m","reason":"R","status":"True","type":"Ready"}]}}`

// general is client-go's own serializer, from a separate factory.
var general = serializer.NewCodecFactory(scheme.Scheme).WithoutConversion()

// watched reads a stream like a client with that serializer.
func watched(t testing.TB, serializer runtime.NegotiatedSerializer, stream io.Reader) *restwatch.Decoder {
	t.Helper()
	negotiator := runtime.NewClientNegotiator(serializer, schema.GroupVersion(v1beta1.GroupVersion))
	object, event, framer, err := negotiator.StreamDecoder(runtime.ContentTypeJSON, nil)
	if err != nil {
		t.Fatal(err)
	}
	return restwatch.NewDecoder(streaming.NewDecoder(framer.NewFrameReader(io.NopCloser(stream)), event), object)
}

// event is an event of a watch, or the error at its end.
type event struct {
	Type   watch.EventType
	Object runtime.Object
	Failed bool
}

func events(t testing.TB, serializer runtime.NegotiatedSerializer, stream string) (all []event, failure error) {
	t.Helper()
	decoder := watched(t, serializer, strings.NewReader(stream))
	for {
		kind, object, err := decoder.Decode()
		if err != nil {
			return append(all, event{Failed: !errors.Is(err, io.EOF)}), err
		}
		all = append(all, event{Type: kind, Object: object})
	}
}

// The result must be that of client-go's own decoder.
func TestWatchIsReadAsTheGeneralDecoderReadsIt(t *testing.T) {
	bookmark := `{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload","metadata":{"annotations":{"k8s.io/initial-events-end":"true"},"creationTimestamp":null,"resourceVersion":"9"},"spec":{"meshTLS":{"identity":"","serverName":""}}}`
	for sentence, stream := range map[string]string{
		"events of each type": `{"type":"ADDED","object":` + stored + "}\n" + `{"type":"MODIFIED","object":` + stored + "}\n" +
			`{"type":"DELETED","object":` + stored + "}\n" + `{"type":"BOOKMARK","object":` + bookmark + "}\n",
		"a large object":                   `{"type":"ADDED","object":` + strings.Replace(stored, `"a":"`, `"a":"`+strings.Repeat("x", 1<<20), 1) + "}\n",
		"an error":                         `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old","reason":"Expired","code":410}}` + "\n",
		"an unknown type":                  `{"type":"OTHER","object":` + stored + "}\n",
		"no type":                          `{"type":"","object":` + stored + "}\n",
		"other fields":                     `{"type":"ADDED","object":` + stored + `,"more":{"a":1}}` + "\n",
		"fields in another order":          `{"object":` + stored + `,"type":"ADDED"}` + "\n",
		"white space":                      ` { "type" : "ADDED" , "object" : ` + stored + " } \n\n" + `{"type":"ADDED","object":` + stored + "}\n",
		"an object without its end":        `{"type":"ADDED","object":` + stored[:len(stored)-1] + "}\n",
		"a syntax error in the object":     `{"type":"ADDED","object":{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload","spec":tru}}` + "\n",
		"an object of another kind":        `{"type":"ADDED","object":{"apiVersion":"workload.linkerd.io/v1beta1","kind":"Other","metadata":{"name":"a"}}}` + "\n",
		"an object that cannot be read":    `{"type":"ADDED","object":{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload","metadata":{"name":"a"},"spec":"a text"}}` + "\n",
		"metadata that cannot be read":     `{"type":"ADDED","object":{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload","metadata":"a text"}}` + "\n",
		"a connection that ends in a line": `{"type":"ADDED","object":` + stored + "}\n" + `{"type":"ADDED","obj`,
	} {
		t.Run(sentence, func(t *testing.T) {
			want, wantErr := events(t, general, stream)
			got, err := events(t, codec.New(general), stream)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("it ended with %v, and the general one with %v; events (-general +got):\n%s", err, wantErr, diff)
			}
			whole := strings.HasSuffix(stream, "\n") // for an incomplete line the two errors may differ
			if !whole && errors.Is(err, io.ErrUnexpectedEOF) != errors.Is(wantErr, io.ErrUnexpectedEOF) {
				t.Errorf("it ended with %v, and the general one with %v", err, wantErr)
			}
		})
	}
}

// The fault: each request wrapped the factory's own list once more.
func TestFactoryIsLeftAlone(t *testing.T) {
	kinds := func() (kinds []string) {
		for _, info := range general.SupportedMediaTypes() {
			if info.StreamSerializer != nil {
				kinds = append(kinds, fmt.Sprintf("%T %T", info.StreamSerializer.Serializer, info.StreamSerializer.Framer))
			}
		}
		return kinds
	}
	before := kinds()
	for range 3 {
		codec.New(general).SupportedMediaTypes()
	}
	if diff := cmp.Diff(before, kinds()); diff != "" {
		t.Errorf("the factory's serializers (-before +after):\n%s", diff)
	}
}

func TestObjectIsReadAsTheGeneralDecoderReadsIt(t *testing.T) {
	for sentence, row := range map[string]struct {
		data string
		into func() runtime.Object
	}{
		"into an object": {stored, func() runtime.Object { return &v1beta1.ExternalWorkload{} }},
		"into a used object": {stored, func() runtime.Object {
			w := &v1beta1.ExternalWorkload{}
			w.Labels = map[string]string{"old": "x"}
			return w
		}},
		"into a list":       {`{"apiVersion":"workload.linkerd.io/v1beta1","items":[` + stored + `],"kind":"ExternalWorkloadList","metadata":{"resourceVersion":"9"}}`, func() runtime.Object { return &v1beta1.ExternalWorkloadList{} }},
		"into nothing":      {stored, func() runtime.Object { return nil }},
		"into another kind": {stored, func() runtime.Object { return &v1beta1.ExternalWorkloadList{} }},
	} {
		t.Run(sentence, func(t *testing.T) {
			read := func(serializer runtime.NegotiatedSerializer) (runtime.Object, string, bool) {
				decoder, err := runtime.NewClientNegotiator(serializer, schema.GroupVersion(v1beta1.GroupVersion)).Decoder(runtime.ContentTypeJSON, nil)
				if err != nil {
					t.Fatal(err)
				}
				into := row.into()
				got, kind, err := decoder.Decode([]byte(row.data), nil, into)
				if err != nil {
					return nil, "", true
				}
				if got != into {
					return got, kind.String() + ", another object", false
				}
				return got, kind.String(), false
			}
			want, wantKind, wantErr := read(general)
			got, kind, err := read(codec.New(general))
			if diff := cmp.Diff(want, got); diff != "" || kind != wantKind || err != wantErr {
				t.Errorf("kind %q, want %q; failed %t, want %t; (-general +got):\n%s", kind, wantKind, err, wantErr, diff)
			}
		})
	}
}

// FuzzWatch checks that a line of a watch is decoded as client-go decodes it. In a line that
// is not one JSON value, which no API server writes, client-go decodes the values before the
// error; this package may refuse the whole line.
func FuzzWatch(f *testing.F) {
	f.Add([]byte(`{"type":"ADDED","object":` + stored + `}`))
	f.Add([]byte(`{"type":"A","object":{"a":"\\\"}"}}`))
	f.Add([]byte(`{"type":"ADDED","object":` + stored + `}0`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.ContainsAny(line, "\r\n") {
			return
		}
		stream := string(line) + "\n"
		want, wantErr := events(t, general, stream)
		got, err := events(t, codec.New(general), stream)
		if failed := []event{{Failed: true}}; !json.Valid(line) && cmp.Equal(got, failed) {
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("it ended with %v, and the general one with %v; events (-general +got):\n%s", err, wantErr, diff)
		}
	})
}

func BenchmarkWatch(b *testing.B) {
	for name, serializer := range map[string]runtime.NegotiatedSerializer{"general": general, "codec": codec.New(general)} {
		b.Run(name, func(b *testing.B) {
			line := []byte(`{"type":"MODIFIED","object":` + stored + "}\n")
			decoder := watched(b, serializer, &endless{line: line})
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := decoder.Decode(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// endless repeats a line.
type endless struct {
	line []byte
	at   int
}

func (e *endless) Read(into []byte) (int, error) {
	n := copy(into, e.line[e.at:])
	e.at = (e.at + n) % len(e.line)
	return n, nil
}
