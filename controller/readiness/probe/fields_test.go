package probe

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// fieldsOfProbe are all fields of a probe, with an annotation for each field that Decode
// supports. Fields without an annotation are refused, such as exec.
var fieldsOfProbe = map[string]string{
	"exec.command":                  "",
	"grpc.mode":                     `{"grpc":{"port":1,"mode":"TLS"}}`,
	"grpc.port":                     `{"grpc":{"port":1}}`,
	"grpc.service":                  `{"grpc":{"port":1,"service":"a"}}`,
	"httpGet.host":                  `{"httpGet":{"port":1,"host":"a"}}`,
	"httpGet.httpHeaders.name":      `{"httpGet":{"port":1,"httpHeaders":[{"name":"a"}]}}`,
	"httpGet.httpHeaders.value":     `{"httpGet":{"port":1,"httpHeaders":[{"name":"a","value":"b"}]}}`,
	"httpGet.path":                  `{"httpGet":{"port":1,"path":"/a"}}`,
	"httpGet.port":                  `{"httpGet":{"port":1}}`,
	"httpGet.protocol":              `{"httpGet":{"port":1,"protocol":"HTTP2"}}`,
	"httpGet.scheme":                `{"httpGet":{"port":1,"scheme":"HTTPS"}}`,
	"tcpSocket.host":                `{"tcpSocket":{"port":1,"host":"a"}}`,
	"tcpSocket.port":                `{"tcpSocket":{"port":1}}`,
	"initialDelaySeconds":           `{"tcpSocket":{"port":1},"initialDelaySeconds":9}`,
	"timeoutSeconds":                `{"tcpSocket":{"port":1},"timeoutSeconds":9}`,
	"periodSeconds":                 `{"tcpSocket":{"port":1},"periodSeconds":9}`,
	"successThreshold":              `{"tcpSocket":{"port":1},"successThreshold":9}`,
	"failureThreshold":              `{"tcpSocket":{"port":1},"failureThreshold":9}`,
	"terminationGracePeriodSeconds": "",
}

// TestEveryFieldOfAProbeIsSupportedOrRefused: an update of k8s.io/api added grpc.mode and
// httpGet.protocol, and Decode ignored them silently.
func TestEveryFieldOfAProbeIsSupportedOrRefused(t *testing.T) {
	known := map[string]bool{}
	for name := range fieldsOfProbe {
		known[name] = true
	}
	got := map[string]bool{}
	collectFields(reflect.TypeFor[corev1.Probe](), "", got)
	if diff := cmp.Diff(known, got); diff != "" {
		t.Fatalf("the fields of a Probe have changed; support or refuse them (-known +now):\n%s", diff)
	}
	seen := map[string]string{}
	for name, annotation := range fieldsOfProbe {
		if annotation == "" {
			continue
		}
		spec, err := Decode(annotation, machine("192.0.2.10"), Options{AllowHost: true})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// An ignored field gives the same probe as one without it.
		text := formatted(spec)
		if other, twice := seen[text]; twice {
			t.Errorf("%s and %s give the same probe, so one is ignored", name, other)
		}
		if !strings.HasSuffix(name, "tcpSocket.port") {
			seen[text] = name
		}
	}
}

func formatted(spec *Spec) string {
	return cmp.Diff(&Spec{}, spec, cmp.Exporter(func(reflect.Type) bool { return true }))
}

// collectFields names the fields of a type by their JSON names.
func collectFields(of reflect.Type, prefix string, into map[string]bool) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of.PkgPath() != "k8s.io/api/core/v1" {
		into[strings.TrimSuffix(prefix, ".")] = true
		return
	}
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" {
			name += "."
		}
		collectFields(field.Type, prefix+name, into)
	}
}
