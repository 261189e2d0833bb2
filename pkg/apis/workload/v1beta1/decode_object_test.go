package v1beta1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const stored = `{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload","metadata":{"annotations":{"external-workload.io/probe":"{\"tcpSocket\":{\"port\":80}}"},"creationTimestamp":"2026-11-26T00:00:00Z","generation":3,"labels":{"app":"a","zone":"ä"},"managedFields":[{"apiVersion":"workload.linkerd.io/v1beta1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{".":{},"f:ports":{}},"f:status":{"f:conditions":{"k:{\"type\":\"Ready\"}":{"f:status":{}}}}},"manager":"kubectl","operation":"Update","time":"2026-11-26T00:00:01Z","subresource":"status"}],"name":"w","namespace":"n","resourceVersion":"12","uid":"b8e"},"spec":{"meshTLS":{"identity":"i","serverName":"s"},"ports":[{"name":"http","port":80,"protocol":"TCP"}],"workloadIPs":[{"ip":"192.0.2.1"}]},"status":{"conditions":[{"lastProbeTime":"2026-11-26T00:00:02Z","lastTransitionTime":"2026-11-26T00:00:02Z","message":"m","reason":"R","status":"True","type":"Ready"}]}}`

// TestStoredObjectIsDecodedInOnePass: objects whose status had been written were not,
// because managedFields name conditions by keys with escapes.
func TestStoredObjectIsDecodedInOnePass(t *testing.T) {
	var once, generally ExternalWorkload
	if !decodeOnce([]byte(stored), &once) {
		t.Fatal("the object was not decoded in one pass")
	}
	if err := generally.decodeGenerally([]byte(stored)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(generally, once); diff != "" {
		t.Errorf("the decoders differ (-general +one pass):\n%s", diff)
	}
}

func TestUnusualObjectIsLeftToTheGeneralDecoder(t *testing.T) {
	for sentence, text := range map[string]string{
		"an annotation that is never stored":   `{"metadata":{"annotations":{"external-workload.io/unreadable":"x"}}}`,
		"a field that comes twice":             `{"metadata":{"name":"a","name":"b"}}`,
		"null in place of a text":              `{"metadata":{"name":null}}`,
		"null in place of a time":              `{"metadata":{"creationTimestamp":null}}`,
		"a key with an escape":                 `{"metadata":{"n\u0061me":"a"}}`,
		"a port that is no 32-bit number":      `{"spec":{"ports":[{"port":4294967296}]}}`,
		"a port with a fraction":               `{"spec":{"ports":[{"port":8.5}]}}`,
		"a number that begins with 0":          `{"spec":{"ports":[{"port":080}]}}`,
		"data after the object":                `{"metadata":{"name":"a"}} x`,
		"an unknown field with a syntax error": `{"more":{"a":tru}}`,
		"deep nesting in an unknown field":     `{"more":` + deep(2*maxDepth) + `}`,
	} {
		t.Run(sentence, func(t *testing.T) {
			var w ExternalWorkload
			if decodeOnce([]byte(text), &w) {
				t.Errorf("decoded in one pass, as %+v", w)
			}
		})
	}
}

func deep(levels int) string {
	text := make([]byte, 0, 2*levels)
	for range levels {
		text = append(text, '[')
	}
	for range levels {
		text = append(text, ']')
	}
	return string(text)
}

// FuzzDecodeOnce checks that both decoders agree on everything that decodeOnce decodes.
func FuzzDecodeOnce(f *testing.F) {
	f.Add([]byte(stored))
	f.Add([]byte(`{ "metadata" : { "labels" : {}, "finalizers" : ["a"] }, "spec" : {"ports":[], "more":[1,-2,true,null,"\"\\\u00e4"]} }`))
	f.Add([]byte(`{"metadata":{"deletionTimestamp":null,"ownerReferences":[{"kind":"a","uid":"b","controller":true}]},"status":{"conditions":[{"type":"\ud800"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var once, generally ExternalWorkload
		if !decodeOnce(data, &once) {
			return
		}
		if err := generally.decodeGenerally(data); err != nil {
			t.Fatalf("decoded in one pass, but not by the general decoder: %v", err)
		}
		if diff := cmp.Diff(generally, once); diff != "" {
			t.Errorf("the decoders differ (-general +one pass):\n%s", diff)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for name, decode := range map[string]func(*ExternalWorkload) error{
		"once":    func(w *ExternalWorkload) error { return w.UnmarshalJSON([]byte(stored)) },
		"general": func(w *ExternalWorkload) error { return w.decodeGenerally([]byte(stored)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(stored)))
			b.ReportAllocs()
			for b.Loop() {
				var w ExternalWorkload
				if err := decode(&w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
